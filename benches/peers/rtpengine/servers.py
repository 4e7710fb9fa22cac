"""Who is compared: rtpengine, a bare echo, and a node, each with a way to set up a call through it."""

import socket
import time

from processes import LOOPBACK, ROOT, Process, binary, free_port
from rtpengine.ng import bdecode, bencode

# Whoever is called names no server of speech: nobody speaks.
NOBODY = f"http://{LOOPBACK}:9/v1"


class RtpEngine:
    """Userspace rtpengine with its shipped settings, driven by its ng protocol."""

    def __init__(self, directory, recording=False):
        self.port, self.cookie, self.recording = free_port(socket.SOCK_DGRAM), 0, recording
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.5)
        command = ["rtpengine", "--foreground", f"--interface={LOOPBACK}", f"--listen-ng={LOOPBACK}:{self.port}",
                   "--table=-1", "--port-min=40000", "--port-max=49999", "--log-stderr", "--log-level=3"]
        if recording:
            command += [f"--recording-dir={directory}", "--recording-method=pcap"]
        self.process = Process(command, directory, self.ready)

    def ready(self):
        try:
            return self.ask({"command": "ping"})["result"] == "pong"
        except OSError:
            return False

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
        transcoding = {"codec": codec} if caller.stream.name != callee.stream.name else {}
        offered = self.ask({"command": "offer", **call, "sdp": caller.sdp(), "ICE": "remove", **transcoding})
        callee.take(offered["sdp"])
        callee.answer_number(offered["sdp"])
        answered = self.ask({"command": "answer", **call, "to-tag": "b", "sdp": callee.sdp(), "ICE": "remove"})
        caller.take(answered["sdp"])
        if self.recording:
            self.ask({"command": "start recording", **call})


class Echo:
    """What the kernel takes for the same packets: whatever comes goes back, and nothing else is done."""

    def __init__(self, directory):
        self.port = free_port(socket.SOCK_DGRAM)
        self.process = Process([binary("loadtest"), "echo", "--packets", f"{LOOPBACK}:{self.port}"], directory, lambda: True)
        time.sleep(0.3)

    def connect(self, _number, *ends):
        for end in ends:
            end.remote = (LOOPBACK, self.port)


class Tandem:
    """A node, and both phones' SIP. It puts every number straight through to the callee, or its agent answers and listens."""

    def __init__(self, directory, complexity=None, recording=False, answers=False):
        self.sip = (LOOPBACK, free_port(socket.SOCK_DGRAM))
        self.caller, self.callee = (self.phone() for _ in range(2))
        where = self.callee.getsockname()[1]
        (directory / "agent.toml").write_text(
            'name = "Listener"\ninstructions = "Listen."\ngreeting = ""\nsilence_prompts = []\nsilence_after_ms = 120000\n')
        (directory / "tandem.toml").write_text(
            f'sip = "{LOOPBACK}:{self.sip[1]}"\nhttp = "{LOOPBACK}:{free_port()}"\ndata = "{directory}/data"\n'
            f'recording = {str(recording).lower()}\nagent = "{directory}/agent.toml"\n'
            f'[speech]\nbase_url = "{NOBODY}"\n'
            + (f"[opus]\ncomplexity = {complexity}\n" if complexity is not None else "")
            + ("" if answers else f'[[routes]]\nnumber = "*"\nto = "sip:callee@{LOOPBACK}:{where}"\n'))
        self.process = Process([binary("tandem"), "run", "--config", directory / "tandem.toml"], directory, self.ready)

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

    def ready(self):
        self.caller.settimeout(0.2)
        try:
            self.caller.sendto(self.request("OPTIONS", f"sip:{LOOPBACK}", f"o{time.time()}", 1), self.sip)
            self.caller.recv(65536)
            return True
        except OSError:
            return False
        finally:
            self.caller.settimeout(3)

    def connect(self, number, caller, callee=None):
        uri = f"sip:100@{self.sip[0]}:{self.sip[1]}"
        self.caller.sendto(self.request("INVITE", uri, number, 1, body=caller.sdp()), self.sip)
        if callee:
            self.answer(callee)
        while True:
            try:
                answer = self.caller.recv(65536).decode()
            except OSError as error:
                raise SystemExit(f"no answer to call {number}: {error}; {self.process.log.read_text()[-2000:]}")
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
                raise SystemExit(f"the call was not put through: {error}; {self.process.log.read_text()[-2000:]}")
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
