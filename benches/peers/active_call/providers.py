"""Deepgram's transcription and Aliyun's CosyVoice, as active-call speaks them, over an OpenAI-compatible server.

Deepgram's part waits for the silence it is asked to wait for (`endpointing`). By itself active-call asks for 300 ms and
answers inside of sentences; `playbook.md` asks for 700.
"""

import asyncio
import audioop
import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

import httpx
from websockets.asyncio.server import serve

# Over this a packet is speech: the callers' recordings are clean.
LOUD = 120
# Speech of so long is told of before its end.
FIRST_WORDS_MS = 300
client = httpx.AsyncClient(base_url=os.environ["OPENAI_BASE_URL"])


async def transcript(audio):
    answer = await client.post("/audio/transcriptions", data={"model": "stub"}, files={"file": ("a.wav", bytes(audio))})
    return answer.json()["text"]


async def listen(socket):
    """Audio in, `Results` out."""
    asked = parse_qs(urlsplit(socket.request.path).query)
    rate, patience_ms = int(asked["sample_rate"][0]), int(asked["endpointing"][0])
    spoken, told, spoken_ms, silent_ms = bytearray(), False, 0, 0

    async def tell(audio, final):
        words = {"alternatives": [{"transcript": await transcript(audio), "confidence": 1.0}]}
        await socket.send(json.dumps({"type": "Results", "channel": words, "is_final": final, "speech_final": final}))

    async for message in socket:
        if isinstance(message, str):
            continue
        length_ms = len(message) * 500 / rate
        if audioop.rms(message, 2) > LOUD:
            silent_ms, spoken_ms = 0, spoken_ms + length_ms
        elif spoken_ms:
            silent_ms += length_ms
        if spoken_ms:
            spoken += message
        if spoken_ms >= FIRST_WORDS_MS and not told:
            told = True
            asyncio.create_task(tell(spoken, False))
        if silent_ms >= patience_ms:
            if told:
                asyncio.create_task(tell(spoken, True))
            spoken, told, spoken_ms, silent_ms = bytearray(), False, 0, 0


async def speak(socket):
    """Texts in, 24 kHz audio out."""
    async for message in socket:
        command = json.loads(message)
        task = command["header"]["task_id"]

        async def tell(event):
            await socket.send(json.dumps({"header": {"task_id": task, "event": event}}))

        match command["header"]["action"]:
            case "run-task":
                await tell("task-started")
            case "continue-task":
                wanted = {"model": "stub", "voice": "alloy", "response_format": "pcm",
                          "input": command["payload"]["input"]["text"]}
                async with client.stream("POST", "/audio/speech", json=wanted) as answer:
                    async for audio in answer.aiter_raw():
                        await socket.send(audio)
            case "finish-task":
                await tell("task-finished")


async def connected(socket):
    await (listen if socket.request.path.startswith("/v1/listen") else speak)(socket)


async def main():
    async with serve(connected, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        await server.serve_forever()


asyncio.run(main())
