"""The processes that are compared: started, waited for, what they take of the machine, ended."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("TANDEM_CACHE") or Path.home() / ".cache/tandem")
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
LOOPBACK = "127.0.0.1"
TICKS_HZ = os.sysconf("SC_CLK_TCK")


def binary(name):
    """One of ours: what TANDEM_BIN, LOADTEST_BIN … name, or the release build."""
    return os.environ.get(f"{name.upper()}_BIN") or str(TARGET / "release" / name)


def loadtest(*arguments):
    """Callers and the stub of a provider keep time whatever the agents need: real-time, where that is allowed."""
    priority = ["chrt", "--rr", "1"] if os.geteuid() == 0 else []
    return [*priority, binary("loadtest"), *map(str, arguments)]


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def listens(port):
    """For `Process`: whether something accepts connections there."""
    def ready():
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
            return True
        except OSError:
            return False
    return ready


class Process:
    """A server, from when it is ready to the end of the block."""

    def __init__(self, command, directory, ready, patience_s=60, **environment):
        name = next((Path(str(part)).name for part in command if "/" in str(part)), command[0])
        self.log = Path(directory) / f"{name}.log"
        self.process = subprocess.Popen([str(part) for part in command], cwd=directory, stdin=subprocess.DEVNULL,
                                        stdout=open(self.log, "a"), stderr=subprocess.STDOUT,
                                        env={**os.environ, **environment})
        until = time.monotonic() + patience_s
        while not ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.end()
                raise SystemExit(f"{name} is not ready: {self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_HZ

    def memory_mb(self):
        """What of it is in memory, as 10^6 bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6
