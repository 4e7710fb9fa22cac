// A call to a bookshop, as events with their times: what the mock plays, and what the pictures show.

const latency = (endpointing_ms, transcription_ms, first_token_ms, first_audio_ms, playout_ms) => ({
  endpointing_ms,
  transcription_ms,
  first_token_ms,
  first_audio_ms,
  playout_ms,
  caller_heard_ms: endpointing_ms + transcription_ms + first_token_ms + first_audio_ms + playout_ms,
});

const turn = (number, start_ms, end_ms, caller_text, agent_text, split, cut = null) => {
  const heard_at = end_ms + split.caller_heard_ms;
  const done_at = heard_at + (cut?.heard_ms ?? agent_text.length * 55);
  const events = [
    { at_ms: start_ms, type: "speech_started", turn: number },
    { at_ms: end_ms + split.endpointing_ms + split.transcription_ms, type: "turn_transcribed", turn: number, text: caller_text },
    { at_ms: heard_at, type: "answer_started", turn: number },
  ];
  if (cut) events.push({ at_ms: done_at, type: "barge_in", heard_ms: cut.heard_ms });
  events.push({
    at_ms: done_at,
    type: "turn_completed",
    turn: number,
    caller_text,
    agent_text,
    heard_text: cut?.heard_text ?? agent_text,
    heard_ms: done_at - heard_at,
    interrupted: cut !== null,
    latency: split,
  });
  return events;
};

export const quality = {
  packets_received: 2310,
  packets_sent: 2308,
  packets_lost: 7,
  packets_ignored: 0,
  jitter_ms: 1.8,
  concealed_ms: 140,
  mos: 4.21,
};

/** The kinds of a whole call, in order. */
export function bookshopCall({ from = "sip:+4930123456@carrier.example", node = "node-1", agent = "Blue Door Books" } = {}) {
  return [
    {
      at_ms: 0,
      type: "call_started",
      direction: "inbound",
      from,
      to: "sip:agent@127.0.0.1",
      sip_call_id: "a84b4c76e66710@carrier.example",
      codec: "PCMU",
      agent,
      node,
      headers: [],
      account_id: "acc_demo",
      profile_id: "prf_reception",
    },
    { at_ms: 40, type: "prompt_started", text: "Hello, this is Blue Door Books. How can I help you?" },
    ...turn(1, 4200, 5400, "what time is it", "It is 3:54 p.m.", latency(520, 85, 12, 60, 9)),
    ...turn(2, 8600, 10_100, "when are you open", "We are open Monday to Friday from 9 a.m. to 6 p.m., and Saturday from 10 to 2.", latency(610, 92, 18, 71, 10), {
      heard_ms: 1780,
      heard_text: "We are open Monday to",
    }),
    ...turn(3, 12_700, 14_900, "and on sundays", "On Sundays we are closed. May I take a message?", latency(540, 88, 140, 180, 8)),
    { at_ms: 21_000, type: "dtmf", digit: "4", duration_ms: 100 },
    { at_ms: 21_300, type: "dtmf", digit: "2", duration_ms: 100 },
    { at_ms: 21_600, type: "dtmf", digit: "#", duration_ms: 100 },
    { at_ms: 22_300, type: "turn_transcribed", turn: 4, text: "[pressed 42#]" },
    { at_ms: 22_700, type: "answer_started", turn: 4 },
    {
      at_ms: 25_900,
      type: "turn_completed",
      turn: 4,
      caller_text: "[pressed 42#]",
      agent_text: "You pressed four, two. Your order is ready to be collected.",
      heard_text: "You pressed four, two. Your order is ready to be collected.",
      heard_ms: 3200,
      interrupted: false,
      latency: latency(0, 4, 15, 66, 9),
    },
    ...turn(5, 27_500, 29_000, "wonderful thank you goodbye", "Thank you for calling. Goodbye!", latency(480, 80, 11, 55, 9)),
    { at_ms: 33_500, type: "call_ended", cause: "agent_hung_up", duration_ms: 33_500, turns: 5, quality },
    { at_ms: 33_500, type: "recording_ready", path: "var/recordings/call.wav", duration_ms: 33_500, bytes: 1_072_044 },
  ];
}
