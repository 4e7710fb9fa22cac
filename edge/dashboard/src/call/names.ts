// What calls are and did, in words.
import type { EndCause } from "../protocol/events";
import type { CallSummary } from "../protocol/live";
import type { Activity } from "./transcript";

export const CAUSES: Record<EndCause, string> = {
  caller_hung_up: "The caller hung up",
  agent_hung_up: "The agent said goodbye",
  caller_silent: "The caller was silent",
  max_duration: "Longest length reached",
  rtp_timeout: "No audio arrived any more",
  no_rtp: "No audio ever arrived",
  hold_timeout: "On hold for too long",
  dtls_failed: "No keys for the audio could be agreed on",
  node_stopped: "The node was stopped",
  ended_by_edge: "Hung up from here",
  ended_by_api: "Hung up by the node's API",
  peer_hung_up: "The other party hung up",
  transferred: "Transferred",
  busy: "Busy",
  no_answer: "Nobody answered",
  rejected: "The call was refused",
  unreachable: "The number cannot be reached",
  cancelled: "Given up before it was answered",
  speech_failed: "Speech services failed",
  signalling_failed: "Signalling failed",
  node_crashed: "The node crashed",
};

/** Ends nobody wanted. */
export function isFailure(cause: EndCause): boolean {
  return ["rtp_timeout", "no_rtp", "dtls_failed", "speech_failed", "signalling_failed", "node_crashed"].includes(cause);
}

export const ACTIVITIES: Record<Activity, string> = {
  listening: "Listening",
  caller_speaking: "Caller is speaking",
  thinking: "Thinking",
  agent_speaking: "Agent is speaking",
  ended: "Ended",
};

/** A summary's last words; what was no words is said in some. */
export function lastWords(text: string): string {
  if (text === "[unclear]") return "(not understood)";
  return text.replace(/^\[pressed (.*)\]$/, "Pressed $1");
}

/** Length of a call going on, ms. */
export function soFar(call: CallSummary, now_ms: number): number {
  // Before its first event a call is known by name alone.
  return call.started_at_ms ? now_ms - call.started_at_ms : 0;
}

export function quality(mos: number): { word: string; tone: "good" | "fair" | "poor" } {
  if (mos >= 4) return { word: "Good", tone: "good" };
  return mos >= 3.1 ? { word: "Fair", tone: "fair" } : { word: "Poor", tone: "poor" };
}
