"""Who is talked to: a node, Pipecat and active-call, each with its shipped settings and the same stub of a provider."""

import os
import shutil
from pathlib import Path

from processes import CACHE, LOOPBACK, Process, binary, free_port, listens, loadtest

HERE = Path(__file__).resolve().parent
# A Python that has pipecat-ai[silero,openai,websocket]==1.14.0 (active-call's providers need its httpx and websockets).
PYTHON = os.environ.get("PIPECAT_PYTHON") or str(CACHE / "peers/pipecat/bin/python")
ACTIVE_CALL = os.environ.get("ACTIVE_CALL_BIN") or str(CACHE / "peers/active-call/bin/active-call")
PROMPT = "You are on the telephone. Be brief."


class Stub:
    """`loadtest ai-stub`: 100 ms to a transcript, to the first token and to the first byte of speech."""

    def __init__(self, reply, directory):
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}/v1"
        self.process = Process(loadtest("ai-stub", "--listen", f"{LOOPBACK}:{port}", "--reply", reply), directory,
                               listens(port))

    def end(self):
        self.process.end()


class Tandem:
    def __init__(self, stub, directory):
        sip, http = free_port(), free_port()
        self.websocket, self.sip = f"ws://{LOOPBACK}:{http}/ws/twilio", f"sip:agent@{LOOPBACK}:{sip}"
        (directory / "agent.toml").write_text(
            f'name = "Bench"\ngreeting = ""\ninstructions = "{PROMPT}"\nsilence_after_ms = 120000\n')
        (directory / "tandem.toml").write_text(
            f'http = "{LOOPBACK}:{http}"\nsip = "{LOOPBACK}:{sip}"\nrecording = false\ndata = "{directory}/data"\n'
            f'agent = "{directory}/agent.toml"\n[speech]\nbase_url = "{stub.url}"\n')
        self.process = Process([binary("tandem"), "run", "--config", directory / "tandem.toml"], directory, listens(http))

    def end(self):
        self.process.end()


class Pipecat:
    """As its documentation makes an agent, over Twilio Media Streams (`pipecat/agent.py`)."""

    def __init__(self, stub, directory):
        if not os.access(PYTHON, os.X_OK):
            raise FileNotFoundError(
                f"{PYTHON}: make it with python3 -m venv and pip install 'pipecat-ai[silero,openai,websocket]==1.14.0' uvicorn")
        port = free_port()
        self.target = f"ws://{LOOPBACK}:{port}/ws"
        self.process = Process([PYTHON, HERE / "pipecat/agent.py", port], directory, listens(port),
                               OPENAI_BASE_URL=stub.url, PROMPT=PROMPT)

    def end(self):
        self.process.end()


class ActiveCall:
    """A playbook over SIP. It speaks to providers in their own ways only: `providers.py` translates them for the stub."""

    def __init__(self, stub, directory):
        if not os.access(ACTIVE_CALL, os.X_OK):
            raise FileNotFoundError(
                f"{ACTIVE_CALL}: cargo install active-call --version 0.3.113 --no-default-features --root …")
        sip, http, providers = free_port(), free_port(), free_port()
        self.target = f"sip:agent@{LOOPBACK}:{sip}"
        self.providers = Process([PYTHON, HERE / "active_call/providers.py", providers], directory, listens(providers),
                                 OPENAI_BASE_URL=stub.url)
        playbooks = directory / "config/playbook"
        playbooks.mkdir(parents=True)
        shutil.copy(HERE / "active_call/playbook.md", playbooks / "agent.md")
        (directory / "active-call.toml").write_text(
            f'addr = "{LOOPBACK}"\nudp_port = {sip}\nhttp_addr = "{LOOPBACK}:{http}"\nexternal_ip = "{LOOPBACK}"\n'
            f'rtp_bind_ip = "{LOOPBACK}"\nlog_level = "warn"\nmedia_cache_path = "{directory}/cache"\n'
            'codecs = ["pcmu", "pcma", "telephone_event"]\n[handler]\ntype = "playbook"\ndefault = "agent.md"\n')
        self.process = Process(
            [ACTIVE_CALL, "--conf", "active-call.toml"], directory, listens(http), PROMPT=PROMPT,
            LLM_URL=stub.url, SPEECH_URL=f"ws://{LOOPBACK}:{providers}")

    def end(self):
        self.process.end()
        self.providers.end()
