"""What both sides of a call send: RTP of one codec, the same packets over and over, and the SDP that says so."""

import socket
import struct
import subprocess

from processes import LOOPBACK, ROOT

SPEECH = ROOT / "engine/tests/fixtures/speech_rms.ul"


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
