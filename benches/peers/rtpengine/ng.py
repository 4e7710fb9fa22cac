"""rtpengine's ng protocol: bencoded dictionaries over UDP."""


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    text = value.encode()
    return b"%d:%s" % (len(text), text)


def bdecode(data):
    def item(at):
        kind = data[at:at + 1]
        if kind in (b"d", b"l"):
            items, at = [], at + 1
            while data[at:at + 1] != b"e":
                value, at = item(at)
                items.append(value)
            return (dict(zip(items[::2], items[1::2])) if kind == b"d" else items), at + 1
        if kind == b"i":
            end = data.index(b"e", at)
            return int(data[at + 1:end]), end + 1
        colon = data.index(b":", at)
        end = colon + 1 + int(data[at:colon])
        return data[colon + 1:end].decode(errors="replace"), end
    return item(0)[0]
