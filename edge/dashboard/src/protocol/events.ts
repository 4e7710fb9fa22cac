// What happened in a call: `CallEvent` of edge/protocol, field for field.
// examples.test.ts holds these shapes against the golden examples both sides read.
import * as v from "valibot";

/** Whole numbers: counts, milliseconds, microcredits. */
export const whole = v.pipe(v.number(), v.integer());

/** Where the time of a turn went, ms. The caller feels only `caller_heard_ms`. */
export const TurnLatency = v.object({
  endpointing_ms: whole,
  transcription_ms: whole,
  first_token_ms: whole,
  first_audio_ms: whole,
  playout_ms: whole,
  caller_heard_ms: whole,
});
export type TurnLatency = v.InferOutput<typeof TurnLatency>;

/** Media quality over a whole call. */
export const MediaQuality = v.object({
  packets_received: whole,
  packets_sent: whole,
  packets_lost: whole,
  packets_ignored: whole,
  /** SRTP that could not be authenticated. */
  packets_unauthentic: v.optional(whole, 0),
  jitter_ms: v.number(),
  concealed_ms: whole,
  /** Mean opinion score estimate, 1.0 to 4.5. */
  mos: v.number(),
});
export type MediaQuality = v.InferOutput<typeof MediaQuality>;

/** What a call used of one provider at one stage; `telephony` is the line. */
export const ProviderUsage = v.object({
  provider: v.string(),
  stage: v.picklist(["transcription", "chat", "synthesis", "realtime", "telephony"]),
  requests: whole,
  /** Times that no request was needed, because the node had kept what was wanted. */
  kept: v.optional(whole, 0),
  audio_ms: v.optional(whole, 0),
  input_tokens: v.optional(whole, 0),
  cached_tokens: v.optional(whole, 0),
  output_tokens: v.optional(whole, 0),
  characters: v.optional(whole, 0),
  cost_microcredits: whole,
});
export type ProviderUsage = v.InferOutput<typeof ProviderUsage>;

export const Direction = v.picklist(["inbound", "outbound"]);

export const EndCause = v.picklist([
  "caller_hung_up",
  "agent_hung_up",
  "caller_silent",
  "max_duration",
  "rtp_timeout",
  "no_rtp",
  "hold_timeout",
  "dtls_failed",
  "node_stopped",
  "ended_by_edge",
  "ended_by_api",
  "peer_hung_up",
  "transferred",
  "busy",
  "no_answer",
  "rejected",
  "unreachable",
  "cancelled",
  "speech_failed",
  "signalling_failed",
  "node_crashed",
]);
export type EndCause = v.InferOutput<typeof EndCause>;

/** A final SIP answer that says no. */
const SipStatus = v.object({ code: whole, reason: v.string() });

/** Who vouches for a caller's number (STIR/SHAKEN). */
export const CallerIdentity = v.variant("verstat", [
  v.object({
    verstat: v.literal("passed"),
    attestation: v.optional(v.picklist(["A", "B", "C"])),
    origid: v.optional(v.string()),
  }),
  v.object({ verstat: v.literal("failed"), code: whole, reason: v.string() }),
  v.object({ verstat: v.literal("absent") }),
]);
export type CallerIdentity = v.InferOutput<typeof CallerIdentity>;

const TransferMode = v.picklist(["blind", "attended", "bridge"]);

const fact = {
  v: whole,
  call_id: v.string(),
  /** Position within the call, from 0, without gaps. */
  seq: whole,
  /** Milliseconds since the Unix epoch. */
  call_started_at_ms: whole,
  /** Milliseconds since the call was accepted. */
  at_ms: whole,
};

export const CallEvent = v.variant("type", [
  v.object({
    ...fact,
    type: v.literal("call_started"),
    direction: Direction,
    from: v.string(),
    to: v.string(),
    sip_call_id: v.string(),
    codec: v.string(),
    agent: v.string(),
    node: v.string(),
    headers: v.array(v.tuple([v.string(), v.string()])),
    account_id: v.optional(v.string()),
    profile_id: v.optional(v.string()),
    identity: v.optional(CallerIdentity),
  }),
  v.object({ ...fact, type: v.literal("prompt_started"), text: v.string() }),
  v.object({ ...fact, type: v.literal("speech_started"), turn: whole }),
  v.object({ ...fact, type: v.literal("turn_transcribed"), turn: whole, text: v.string() }),
  v.object({ ...fact, type: v.literal("answer_started"), turn: whole }),
  v.object({
    ...fact,
    type: v.literal("turn_completed"),
    turn: whole,
    caller_text: v.string(),
    /** What the agent meant to say. */
    agent_text: v.string(),
    /** What the caller heard of it. */
    heard_text: v.string(),
    heard_ms: whole,
    interrupted: v.boolean(),
    latency: TurnLatency,
  }),
  v.object({ ...fact, type: v.literal("barge_in"), heard_ms: whole }),
  v.object({ ...fact, type: v.literal("dtmf"), digit: v.string(), duration_ms: whole }),
  v.object({
    ...fact,
    type: v.literal("speech_failed"),
    turn: whole,
    stage: v.picklist(["transcription", "chat", "synthesis"]),
    error: v.string(),
  }),
  v.object({ ...fact, type: v.literal("ssrc_changed"), ssrc: whole }),
  v.object({ ...fact, type: v.literal("media_problem"), problem: v.string(), detail: v.string() }),
  v.object({ ...fact, type: v.literal("media_changed"), codec: v.string(), on_hold: v.boolean() }),
  v.object({ ...fact, type: v.literal("ringing"), code: whole }),
  v.object({ ...fact, type: v.literal("answered") }),
  v.object({ ...fact, type: v.literal("bridged"), with: v.string() }),
  v.object({ ...fact, type: v.literal("unbridged"), with: v.string() }),
  v.object({ ...fact, type: v.literal("transfer_started"), to: v.string(), mode: TransferMode }),
  v.object({ ...fact, type: v.literal("transfer_failed"), to: v.string(), mode: TransferMode, sip: SipStatus }),
  v.object({ ...fact, type: v.literal("tool_called"), turn: whole, run: whole, tool: v.string(), arguments: v.string() }),
  v.object({
    ...fact,
    type: v.literal("tool_finished"),
    turn: whole,
    run: whole,
    tool: v.string(),
    result: v.string(),
    failed: v.boolean(),
    took_ms: whole,
  }),
  v.object({ ...fact, type: v.literal("instructions_added"), text: v.string() }),
  v.object({ ...fact, type: v.literal("recording_ready"), path: v.string(), duration_ms: whole, bytes: whole }),
  v.object({
    ...fact,
    type: v.literal("call_ended"),
    cause: EndCause,
    duration_ms: whole,
    turns: whole,
    quality: MediaQuality,
    sip: v.optional(SipStatus),
    wasted_requests: v.optional(whole, 0),
    usage: v.optional(v.array(ProviderUsage), []),
  }),
]);
export type CallEvent = v.InferOutput<typeof CallEvent>;
