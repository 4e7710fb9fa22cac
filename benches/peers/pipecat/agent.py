"""The peer: an agent made with Pipecat as its documentation makes one, over Twilio Media Streams at /ws.

Voice detection with Silero, turns by its shipped smart-turn model, OpenAI's services from OPENAI_BASE_URL.
"""

import os
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

# Its log is not what is measured.
logger.remove()
logger.add(sys.stderr, level="WARNING")
PROVIDER = {"api_key": "none", "base_url": os.environ["OPENAI_BASE_URL"]}
app = FastAPI()


@app.websocket("/ws")
async def call(socket: WebSocket):
    await socket.accept()
    # `connected`, then `start`.
    messages = socket.iter_json()
    await anext(messages)
    start = (await anext(messages))["start"]
    serializer = TwilioFrameSerializer(
        start["streamSid"], params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
    transport = FastAPIWebsocketTransport(websocket=socket, params=FastAPIWebsocketParams(
        audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=serializer))
    prompt = OpenAILLMService.Settings(system_instruction=os.environ["PROMPT"])
    user, assistant = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()))
    # The synthesis is 24 kHz whatever the line is: told so, Pipecat resamples it instead of playing it slowly.
    pipeline = Pipeline([
        transport.input(), OpenAISTTService(**PROVIDER), user, OpenAILLMService(**PROVIDER, settings=prompt),
        OpenAITTSService(**PROVIDER, sample_rate=24_000), transport.output(), assistant])
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000))

    @transport.event_handler("on_client_disconnected")
    async def gone(_transport, _client):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
