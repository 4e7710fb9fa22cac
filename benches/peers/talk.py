"""How it feels to talk to each agent, and what it takes: the same callers, the same words, the same stub."""

import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from agents import ActiveCall, Pipecat, Stub, Tandem
from processes import loadtest
from table import Row

# 8 s of voice, longer than everything that is said over it, and a first sentence that nobody has to wait for.
LONG = ("Yes, we are. We are open from nine in the morning until six in the evening on every day of the week, and on "
        "Saturdays from ten until two.")
# A turn every 5 s or so.
SHORT = "Yes, we are open until six today."
# None of them greets, which callers wait 10 s for.
GREETING_S = 11
# What the stub takes for an answer, ms.
STUB_MS = 300


@contextmanager
def served(start, reply):
    """An agent whose provider answers `reply`, and a directory for what is written down meanwhile."""
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        stub = Stub(reply, directory)
        try:
            agent = start(stub, directory)
            try:
                yield agent, directory
            finally:
                agent.end()
        finally:
            stub.end()


def feel(start, target_of, callers, options):
    """What callers noticed."""
    with served(start, LONG) as (agent, directory):
        target, report = target_of(agent), directory / "talk.json"
        command = loadtest("talk", "--target", target, "--callers", callers, "--most", options.most, "--json", report)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # That something was not as expected is what is compared.
        if done.returncode not in (0, 1):
            raise SystemExit(f"{target}: {done.stdout[-3000:]}")
        return json.loads(report.read_text())


def cost(start, target_of, talkers, seconds):
    """CPU a call in conversation, % of a core; memory of a call and of none, MB."""
    with served(start, SHORT) as (agent, directory):
        base = agent.process.memory_mb()
        ramp = talkers / 10
        hold = GREETING_S + ramp + seconds + 1
        command = loadtest("sip", "--target", target_of(agent), "--calls", talkers, "--rate", 10, "--hold", f"{hold}s")
        with open(directory / "calls.log", "w") as log:
            callers = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        time.sleep(GREETING_S + ramp)
        before, began = agent.process.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        used, lasted = agent.process.cpu_seconds() - before, time.monotonic() - began
        memory = agent.process.memory_mb() - base
        if callers.wait(timeout=60) == 3:
            raise SystemExit((directory / "calls.log").read_text()[-3000:])
        return {"cpu": 100 * used / lasted / talkers, "memory": memory / talkers, "base": base}


def percent(share):
    return 100 * share["some"] / share["of"] if share["of"] else None


def rows(name, start, way, callers, talkers, options):
    """`way` is how the node is reached as this peer is: its `websocket` or its `sip`."""
    callers, talkers = options.callers or callers, options.talkers or talkers
    def ours(agent):
        return getattr(agent, way)

    def theirs(agent):
        return agent.target

    them, us = feel(start, theirs, callers, options), feel(Tandem, ours, callers, options)

    def row(what, pick, limit=None):
        return Row(f"{name}: {what}", pick(us), pick(them), limit, digits=0)

    yield row("caller-heard p50, ms", lambda r: r["caller_heard"]["p50_ms"], STUB_MS)
    yield row("caller-heard p95, ms", lambda r: r["caller_heard"]["p95_ms"], STUB_MS)
    for pause in sorted(us["cut_off"], key=int):
        yield row(f"answered inside a pause of {pause} ms, %", lambda r: percent(r["cut_off"].get(pause, {"of": 0})))
    yield row("barge-in to silence p50, ms", lambda r: r["barge_in_stop"]["p50_ms"])
    yield row("barge-in to silence p95, ms", lambda r: r["barge_in_stop"]["p95_ms"])
    yield row("interruptions that stop it, %", lambda r: percent(r["stopped"]))
    yield row("short words that end its turn, %", lambda r: percent(r["word_ended"]))
    yield row("sounds that end its turn, %", lambda r: percent(r["sound_ended"]))
    yield row("late media p99, ms", lambda r: r["media"]["lateness"]["p99_ms"])
    them, us = cost(start, theirs, talkers, options.seconds), cost(Tandem, ours, talkers, options.seconds)
    yield Row(f"{name}: CPU of each of {talkers} conversations, % of a core", us["cpu"], them["cpu"], goal=0.33)
    yield Row(f"{name}: memory of each, MB", us["memory"], them["memory"])
    yield Row(f"{name}: memory without calls, MB", us["base"], them["base"], digits=1)


def pipecat(options):
    # It reads its models anew for each call, and all calls wait meanwhile; 20 conversations fill a core.
    return rows("Pipecat", Pipecat, "websocket", 2, 10, options)


def active_call(options):
    return rows("active-call", ActiveCall, "sip", 8, 150, options)
