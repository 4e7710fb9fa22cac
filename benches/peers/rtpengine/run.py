#!/usr/bin/env python3
"""Tandem beside rtpengine: the same calls, the same RTP, the CPU each of them takes (from /proc/PID/stat).

Nothing but the standard library. Needs rtpengine (Debian: rtpengine-daemon), opusenc (opus-tools) and a release build of
tandem, named by TANDEM_BIN. See benches/README.md for what came out.
"""

import argparse
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SPEECH = ROOT / "engine/tests/fixtures/speech_rms.ul"
LOOPBACK = "127.0.0.1"
TICKS_HZ = os.sysconf("SC_CLK_TCK")


# === what is sent ===

def linear(byte):
    """A µ-law byte as a 16-bit sample (G.711)."""
    code = ~byte & 0xFF
    magnitude = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def a_law(sample):
    value = sample >> 3
    magnitude = ~value if value < 0 else value
    segment = max(0, magnitude.bit_length() - 5)
    code = magnitude >> 1 if segment == 0 else segment << 4 | (magnitude >> segment) & 15
    return (code | (0 if value < 0 else 0x80)) ^ 0x55


def frames(payload):
    return [payload[at:at + 160] for at in range(0, len(payload) - 159, 160)]


def opus_packets(speech):
    """The packets of an Ogg-Opus file made by opusenc."""
    raw = b"".join(struct.pack("<h", linear(byte)) for byte in speech)
    command = ["opusenc", "--quiet", "--raw", "--raw-rate", "8000", "--raw-chan", "1", "--bitrate", "24",
               "--framesize", "20", "-", "-"]
    ogg = subprocess.run(command, input=raw, stdout=subprocess.PIPE, check=True).stdout
    packets, packet, at = [], b"", 0
    while at < len(ogg):
        count = ogg[at + 26]
        lacing, at = ogg[at + 27:at + 27 + count], at + 27 + count
        for length in lacing:
            packet, at = packet + ogg[at:at + length], at + length
            if length < 255:
                packets.append(packet)
                packet = b""
    return packets[2:]


class Stream:
    """One side's RTP: the same packets over and over."""

    def __init__(self, name, payload_type, payloads, ticks):
        self.name, self.payload_type, self.payloads, self.ticks = name, payload_type, payloads, ticks

    def rtpmap(self, payload_type):
        return {"PCMU": f"{payload_type} PCMU/8000", "PCMA": f"{payload_type} PCMA/8000",
                "opus": f"{payload_type} opus/48000/2"}[self.name]


class End:
    """One side of one call: a socket, and where its packets go."""

    def __init__(self, stream, number):
        self.stream, self.ssrc, self.remote = stream, number + 1, None
        self.payload_type = stream.payload_type
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOOPBACK, 0))
        # Unread packets are dropped by the kernel; what is kept tells that something came, and of what kind.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.socket.setblocking(False)

    def send(self, sequence):
        payload = self.stream.payloads[sequence % len(self.stream.payloads)]
        timestamp = sequence * self.stream.ticks & 0xFFFFFFFF
        header = struct.pack("!BBHII", 0x80, self.payload_type, sequence & 0xFFFF, timestamp, self.ssrc)
        self.socket.sendto(header + payload, self.remote)

    def received(self):
        """Payload types of what waits."""
        kinds = []
        while True:
            try:
                datagram = self.socket.recv(2048)
            except BlockingIOError:
                return kinds
            if not 72 <= datagram[1] & 0x7F <= 76:
                kinds.append(datagram[1] & 0x7F)

    def sdp(self):
        host, port = self.socket.getsockname()
        return (f"v=0\r\no=- {port} 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
                f"m=audio {port} RTP/AVP {self.payload_type}\r\na=rtpmap:{self.stream.rtpmap(self.payload_type)}\r\n"
                "a=ptime:20\r\na=sendrecv\r\n")

    def take(self, sdp):
        """Sends to where this description says."""
        lines = sdp.replace("\r", "").split("\n")
        host = next(line.split()[2] for line in lines if line.startswith("c="))
        self.remote = (host, int(next(line.split()[1] for line in lines if line.startswith("m=audio"))))

    def answer_number(self, sdp):
        """Takes the offer's number for our codec, if it is a dynamic one."""
        wanted = self.stream.name.lower() + "/"
        for line in sdp.replace("\r", "").split("\n"):
            if line.startswith("a=rtpmap:") and line.split()[1].lower().startswith(wanted):
                self.payload_type = int(line[len("a=rtpmap:"):].split()[0])


# === the two servers ===

def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


class RtpEngine:
    """Userspace rtpengine with its shipped settings, driven by its ng protocol."""

    def __init__(self, directory):
        self.port, self.cookie = free_port(), 0
        command = ["rtpengine", "--foreground", f"--interface={LOOPBACK}", f"--listen-ng={LOOPBACK}:{self.port}",
                   "--table=-1", "--port-min=40000", "--port-max=49999", "--log-stderr", "--log-level=3"]
        self.process = subprocess.Popen(command, stderr=open(directory / "rtpengine.log", "w"))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(1)
        for _ in range(20):
            try:
                self.ask({"command": "ping"})
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"rtpengine does not answer: {(directory / 'rtpengine.log').read_text()}")

    def ask(self, message):
        # A cookie it has seen gets the answer it has given.
        self.cookie += 1
        self.socket.sendto(b"%d " % self.cookie + bencode(message), (LOOPBACK, self.port))
        answer = bdecode(self.socket.recv(65536).split(b" ", 1)[1])
        if answer.get("result") == "error":
            raise SystemExit(f"rtpengine: {answer}")
        return answer

    def connect(self, number, caller, callee):
        call = {"call-id": f"call-{number}", "from-tag": "a"}
        codec = {"mask": [caller.stream.name], "transcode": [callee.stream.name]}
        offered = self.ask({"command": "offer", **call, "sdp": caller.sdp(), "ICE": "remove", "codec": codec})
        callee.take(offered["sdp"])
        callee.answer_number(offered["sdp"])
        answered = self.ask({"command": "answer", **call, "to-tag": "b", "sdp": callee.sdp(), "ICE": "remove"})
        caller.take(answered["sdp"])


class Tandem:
    """A node that puts every number straight through to the callee, and both phones' SIP."""

    def __init__(self, directory, complexity):
        self.sip = (LOOPBACK, free_port())
        self.caller, self.callee = (self.phone() for _ in range(2))
        where = self.callee.getsockname()[1]
        (directory / "tandem.toml").write_text(
            f'sip = "{LOOPBACK}:{self.sip[1]}"\nhttp = "{LOOPBACK}:{free_port()}"\nrecording = false\n'
            f'data = "{directory}/data"\nagent = "{ROOT}/agents/reception.toml"\n'
            + (f"[opus]\ncomplexity = {complexity}\n" if complexity is not None else "")
            + f'[[routes]]\nnumber = "*"\nto = "sip:callee@{LOOPBACK}:{where}"\n')
        binary = os.environ.get("TANDEM_BIN") or ROOT / "target/release/tandem"
        command = [binary, "run", "--config", directory / "tandem.toml"]
        self.process = subprocess.Popen(command, stdout=open(directory / "tandem.log", "w"), stderr=subprocess.STDOUT)
        self.log = directory / "tandem.log"
        for _ in range(50):
            try:
                self.options()
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"tandem does not answer: {self.log.read_text()}")

    @staticmethod
    def phone():
        phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        phone.bind((LOOPBACK, 0))
        phone.settimeout(3)
        return phone

    def request(self, method, uri, call, sequence, to_tag="", body=""):
        host, port = self.caller.getsockname()
        return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{call};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:caller@{host}>;tag=f{call}\r\nTo: <sip:100@{host}>{to_tag}\r\n"
                f"Call-ID: {call}@bench\r\nCSeq: {sequence} {method}\r\nContact: <sip:caller@{host}:{port}>\r\n"
                + (f"Content-Type: application/sdp\r\n" if body else "")
                + f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def options(self):
        self.caller.settimeout(0.2)
        self.caller.sendto(self.request("OPTIONS", f"sip:{LOOPBACK}", f"o{time.time()}", 1), self.sip)
        self.caller.recv(65536)
        self.caller.settimeout(3)

    def connect(self, number, caller, callee):
        uri = f"sip:100@{self.sip[0]}:{self.sip[1]}"
        self.caller.sendto(self.request("INVITE", uri, number, 1, body=caller.sdp()), self.sip)
        self.answer(callee)
        while True:
            try:
                answer = self.caller.recv(65536).decode()
            except OSError as error:
                raise SystemExit(f"no answer to call {number}: {error}; {self.log.read_text()[-2000:]}")
            status = int(answer.split()[1])
            if status >= 300:
                raise SystemExit(f"call {number}: {answer}")
            if status == 200 and f"{number}@bench" in answer:
                break
        head, body = answer.split("\r\n\r\n", 1)
        to_tag = header(head, "To").partition(";tag=")[2]
        target = header(head, "Contact").partition("<")[2].partition(">")[0]
        self.caller.sendto(self.request("ACK", target, number, 1, f";tag={to_tag}"), self.sip)
        caller.take(body)

    def answer(self, callee):
        """The callee's phone: 200 to the INVITE that comes, with its codec."""
        while True:
            try:
                message, source = self.callee.recvfrom(65536)
            except OSError as error:
                raise SystemExit(f"the call was not put through: {error}; {self.log.read_text()[-2000:]}")
            head, body = message.decode().split("\r\n\r\n", 1)
            if head.startswith("INVITE"):
                break
        callee.take(body)
        callee.answer_number(body)
        host, port = self.callee.getsockname()
        copied = [line for line in head.split("\r\n")
                  if line.partition(":")[0].lower() in ("via", "from", "call-id", "cseq", "record-route")]
        answer = callee.sdp()
        self.callee.sendto(("\r\n".join([
            "SIP/2.0 200 OK", *copied, f"To: {header(head, 'To')};tag=c", f"Contact: <sip:callee@{host}:{port}>",
            "Content-Type: application/sdp", f"Content-Length: {len(answer)}", "", ""]) + answer).encode(), source)


def header(head, name):
    return next(line.partition(":")[2].strip() for line in head.split("\r\n")
                if line.partition(":")[0].lower() == name.lower())


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


# === the measurement ===

def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_HZ


def measure(server, streams, calls, seconds):
    """CPU per call, as a share of a core."""
    pairs = []
    for number in range(calls):
        pair = (End(streams[0], number), End(streams[1], calls + number))
        server.connect(number, *pair)
        pairs.append(pair)
    warm, started = 3, time.monotonic()
    before = began = None
    for sequence in range((warm + seconds) * 50):
        for slot in range(20):
            due = started + sequence * 0.02 + slot * 0.001
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            for pair in pairs[slot::20]:
                for end in pair:
                    end.send(sequence)
        if sequence == warm * 50:
            before, began = cpu_seconds(server.process.pid), time.monotonic()
    used, lasted = cpu_seconds(server.process.pid) - before, time.monotonic() - began
    if lasted > seconds * 1.02:
        print(f"note: the sender was {100 * (lasted / seconds - 1):.0f} % too slow", file=sys.stderr)
    for pair in pairs:
        for end, other in (pair, pair[::-1]):
            kinds = end.received()
            if not kinds or any(kind != end.payload_type for kind in kinds):
                raise SystemExit(f"{end.stream.name} was to come, {kinds[:5]} came")
            end.socket.close() if end is pair[1] else None
        pair[0].socket.close()
    return used / lasted / calls


def run(start, streams, options):
    with tempfile.TemporaryDirectory() as directory:
        server = start(Path(directory))
        try:
            return measure(server, streams, options.calls, options.seconds)
        finally:
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--same-complexity", type=int, default=10,
                        help="Opus complexity of rtpengine, which takes libavcodec's default")
    options = parser.parse_args()
    speech = SPEECH.read_bytes()
    pcmu = Stream("PCMU", 0, frames(speech), 160)
    pcma = Stream("PCMA", 8, frames(bytes(a_law(linear(byte)) for byte in speech)), 160)
    opus = Stream("opus", 96, opus_packets(speech), 960)
    cases = [("PCMU - PCMA, as shipped", pcma, None, 0.5), ("PCMU - Opus, as shipped", opus, None, 0.4),
             (f"PCMU - Opus, both at complexity {options.same_complexity}", opus, options.same_complexity, 0.8)]
    print(f"{options.calls} calls for {options.seconds} s; CPU per call, % of a core\n")
    print("| what | rtpengine | tandem | ratio | goal |\n|---|---|---|---|---|")
    missed = False
    for name, other, complexity, goal in cases:
        theirs = run(RtpEngine, (pcmu, other), options)
        ours = run(lambda directory: Tandem(directory, complexity), (pcmu, other), options)
        missed |= ours > goal * theirs
        print(f"| {name} | {100 * theirs:.3f} | {100 * ours:.3f} | {ours / theirs:.2f} | {goal} |", flush=True)
    sys.exit(missed)


if __name__ == "__main__":
    main()
