"""The peer: an agent made with Pipecat as its documentation makes one, over Twilio Media Streams at /ws.

Voice detection with Silero, turns by its shipped smart-turn model, OpenAI's services from OPENAI_BASE_URL.
"""

import os
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

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
    context = LLMContext([{"role": "system", "content": "You are on the telephone. Be brief."}])
    user, assistant = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()))
    pipeline = Pipeline([
        transport.input(), OpenAISTTService(**PROVIDER), user, OpenAILLMService(**PROVIDER), OpenAITTSService(**PROVIDER),
        transport.output(), assistant])
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000))

    @transport.event_handler("on_client_disconnected")
    async def gone(_transport, _client):
        await worker.cancel()

    await PipelineRunner(handle_sigint=False).run(worker)


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
