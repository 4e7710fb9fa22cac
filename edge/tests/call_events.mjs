// The events of a call as an engine journals them: a greeting, turns, the end, the recording.
// Who sends them, in which batches and how often, is the test's.

/** The journal of one call with `turns` turns, in order. */
export function journal(callId, { account, node = "node-1", turns = 2, startedAt = Date.now() - 60_000, duration = 4_200, cause = "caller_hung_up", usage = [] } = {}) {
  const events = [];
  const add = (at_ms, event) => events.push({ v: 1, call_id: callId, seq: events.length, call_started_at_ms: startedAt, at_ms, ...event });
  add(0, {
    type: "call_started", direction: "inbound", from: "sip:caller@127.0.0.1", to: "sip:agent@127.0.0.1", sip_call_id: `sip-${callId}`,
    codec: "PCMU", agent: "Reception", node, headers: [], account_id: account,
  });
  add(100, { type: "prompt_started", text: "Hello, this is Tandem." });
  for (let turn = 0; turn < turns; turn++) {
    add(1000 + turn * 1000, { type: "speech_started", turn });
    add(1300 + turn * 1000, { type: "turn_transcribed", turn, text: `question ${turn}` });
    add(1600 + turn * 1000, { type: "answer_started", turn });
    const latency = { endpointing_ms: 200, transcription_ms: 100, first_token_ms: 100, first_audio_ms: 150, playout_ms: 20, caller_heard_ms: 600 + turn * 10 };
    add(1900 + turn * 1000, { type: "turn_completed", turn, caller_text: `question ${turn}`, agent_text: `answer ${turn}`, heard_text: `answer ${turn}`, heard_ms: 300, interrupted: false, latency });
  }
  const quality = { packets_received: 200, packets_sent: 200, packets_lost: 0, packets_ignored: 0, packets_unauthentic: 0, jitter_ms: 1, concealed_ms: 0, mos: 4.3 };
  add(duration, { type: "call_ended", cause, duration_ms: duration, turns, wasted_requests: 0, usage, quality });
  add(duration + 100, { type: "recording_ready", path: `/r/${callId}.ogg`, duration_ms: duration, bytes: 1000 });
  return events;
}

/** Sends a batch; the receipt of each call by its id. */
export async function deliver(edge, events, node = "node-1") {
  const response = await edge.engine("POST", "/v1/engine/events", { v: 1, node, events });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const { receipts } = await response.json();
  return new Map(receipts.map((receipt) => [receipt.call_id, receipt]));
}
