"""CPU a call, as a share of a core: rtpengine beside a node put straight through, and the kernel's part of both.

Needs rtpengine (Debian: rtpengine-daemon) and opusenc (opus-tools).
"""

import sys
import tempfile
import time
from pathlib import Path

from rtpengine.servers import Echo, RtpEngine, Tandem
from rtpengine.streams import SPEECH, End, Stream, a_law, frames, linear, opus_packets
from table import Row

# rtpengine takes libavcodec's default.
THEIR_COMPLEXITY = 10
WARM_S = 3
# 60 dB down.
QUIET = bytes([0xFF, 0xFD, 0x7D, 0x7F, 0xFE, 0x7E, 0xFF, 0x7C] * 20)


def measure(server, streams, calls, seconds):
    """CPU per call, as a share of a core. Each call has an end for each stream."""
    ends = []
    for number in range(calls):
        call = [End(stream, side * calls + number) for side, stream in enumerate(streams)]
        server.connect(number, *call)
        ends.append(call)
    started = time.monotonic()
    before = began = None
    for sequence in range((WARM_S + seconds) * 50):
        for slot in range(20):
            wait = started + sequence * 0.02 + slot * 0.001 - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            for call in ends[slot::20]:
                for end in call:
                    end.send(sequence)
        if sequence == WARM_S * 50:
            before, began = server.process.cpu_seconds(), time.monotonic()
    used, lasted = server.process.cpu_seconds() - before, time.monotonic() - began
    if lasted > seconds * 1.02:
        print(f"note: the sender was {100 * (lasted / seconds - 1):.0f} % too slow", file=sys.stderr)
    for end in (end for call in ends for end in call):
        kinds = end.received()
        if not kinds or any(kind != end.payload_type for kind in kinds):
            raise SystemExit(f"{end.stream.name} was to come, {kinds[:5]} came")
        end.socket.close()
    return used / lasted / calls


def cost(start, streams, options):
    """The same in percent. An Opus call of rtpengine's is 20 others."""
    calls = options.calls // 5 if any(stream.name == "opus" for stream in streams) else options.calls
    with tempfile.TemporaryDirectory() as directory:
        server = start(Path(directory))
        try:
            return 100 * measure(server, streams, calls, options.seconds)
        finally:
            server.process.end()


def rows(options):
    speech = SPEECH.read_bytes()
    pcmu = Stream("PCMU", 0, frames(speech), 160)
    pcma = Stream("PCMA", 8, frames(bytes(a_law(linear(byte)) for byte in speech)), 160)
    opus = Stream("opus", 96, opus_packets(speech), 960)
    quiet = Stream("PCMU", 0, [QUIET], 160)

    def ours(streams, **settings):
        return cost(lambda directory: Tandem(directory, **settings), streams, options)

    def theirs(streams, **settings):
        return cost(lambda directory: RtpEngine(directory, **settings), streams, options)

    floor, one_leg = cost(Echo, (pcmu, pcmu), options), cost(Echo, (pcmu,), options)
    relay = theirs((pcmu, pcmu))
    yield Row("a call that listens, recorded, % of a core (peer: rtpengine's relay)",
              ours((quiet,), answers=True, recording=True), relay, one_leg, goal=1)
    yield Row("PCMU - PCMU relayed, % of a core", ours((pcmu, pcmu)), relay, floor)
    yield Row("PCMU - PCMU relayed and recorded", ours((pcmu, pcmu), recording=True),
              theirs((pcmu, pcmu), recording=True), floor)
    yield Row("PCMU - PCMA", ours((pcmu, pcma)), theirs((pcmu, pcma)), floor, goal=0.5)
    compressed = theirs((pcmu, opus))
    yield Row("PCMU - Opus, as shipped", ours((pcmu, opus)), compressed, floor, goal=0.4)
    yield Row(f"PCMU - Opus, both at complexity {THEIR_COMPLEXITY}",
              ours((pcmu, opus), complexity=THEIR_COMPLEXITY), compressed, floor, goal=0.8)
