#!/usr/bin/env python3
"""Tandem beside Pipecat: the same callers, the same words, the same stub of a provider (100 ms a stage), one after the other.

Needs release builds of tandem and loadtest (TANDEM_BIN, LOADTEST_BIN) and a Python that has
pipecat-ai[silero,openai,websocket]==1.14.0 (PIPECAT_PYTHON). See benches/README.md for what came out.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOOPBACK = "127.0.0.1"
TICKS_HZ = os.sysconf("SC_CLK_TCK")
REPLY = ("We are open from nine in the morning until six in the evening on every day of the week, and on Saturdays we "
         "are here from ten until two, and on Sundays we are closed.")


def free_port():
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on a port, from the first answer to the end of the block."""

    def __init__(self, name, port, command, log, **environment):
        self.name, self.port, self.log = name, port, log
        self.process = subprocess.Popen(command, stdout=open(log, "w"), stderr=subprocess.STDOUT,
                                        env={**os.environ, **environment})

    def __enter__(self):
        for _ in range(600):
            try:
                socket.create_connection((LOOPBACK, self.port)).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise SystemExit(f"{self.name} does not listen: {Path(self.log).read_text()[-2000:]}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_HZ


def talk(loadtest, server, path, options, directory):
    """What callers of the server noticed, and how much of a core a call took."""
    report = directory / f"{server.name}.json"
    command = [loadtest, "talk", f"ws://{LOOPBACK}:{server.port}{path}", "--callers", str(options.callers),
               "--most", str(options.most), "--json", report]
    began, used = time.monotonic(), server.cpu_seconds()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if not report.exists():
        raise SystemExit(f"{server.name}: {done.stdout[-3000:]}")
    share = (server.cpu_seconds() - used) / (time.monotonic() - began) / options.callers
    return {**json.loads(report.read_text()), "cpu": share}


def share(value):
    return f"{value['some']} of {value['of']}"


ROWS = [
    ("caller-heard p50, ms", lambda r: f"{r['caller_heard']['p50_ms']:.0f}"),
    ("caller-heard p95, ms", lambda r: f"{r['caller_heard']['p95_ms']:.0f}"),
    ("answered before the end", lambda r: share(r["answered_inside"])),
    ("barge-in stop p50, ms", lambda r: f"{r['barge_in_stop']['p50_ms']:.0f}"),
    ("barge-in stop p95, ms", lambda r: f"{r['barge_in_stop']['p95_ms']:.0f}"),
    ("interruptions that stop it", lambda r: share(r["stopped"])),
    ("short words that end its turn", lambda r: share(r["word_ended"])),
    ("noises that end its turn", lambda r: share(r["sound_ended"])),
    ("CPU a caller, % of a core", lambda r: f"{100 * r['cpu']:.2f}"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=4, help="calls at a time")
    parser.add_argument("--most", type=int, default=12, help="calls of each kind at most")
    options = parser.parse_args()
    tandem = os.environ.get("TANDEM_BIN") or ROOT / "target/release/tandem"
    loadtest = os.environ.get("LOADTEST_BIN") or ROOT / "target/release/loadtest"
    python = os.environ.get("PIPECAT_PYTHON") or sys.executable
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        stub, http, sip, peer = (free_port() for _ in range(4))
        provider = f"http://{LOOPBACK}:{stub}/v1"
        (directory / "tandem.toml").write_text(
            f'http = "{LOOPBACK}:{http}"\nsip = "{LOOPBACK}:{sip}"\nwebsocket_open = true\nrecording = false\n'
            f'data = "{directory}/data"\nagent = "{ROOT}/agents/reception.toml"\n[speech]\nbase_url = "{provider}"\n')
        commands = {
            "pipecat": (peer, "/ws", [python, Path(__file__).with_name("agent.py"), str(peer)]),
            "tandem": (http, "/ws/twilio", [tandem, "run", "--config", directory / "tandem.toml"]),
        }
        with Server("stub", stub, [loadtest, "ai-stub", "--listen", f"{LOOPBACK}:{stub}", "--reply", REPLY],
                    directory / "stub.log"):
            reports = {}
            for name, (port, path, command) in commands.items():
                with Server(name, port, command, directory / f"{name}.log", OPENAI_BASE_URL=provider) as server:
                    reports[name] = talk(loadtest, server, path, options, directory)
    print(f"| {options.callers} callers, default settings | {' | '.join(reports)} |\n|---|---|---|")
    for row, value in ROWS:
        print(f"| {row} | {' | '.join(value(report) for report in reports.values())} |")


if __name__ == "__main__":
    main()
