// From a call's events to the lines of a conversation, and to what the agent is doing now. Pure: the same events in any
// number of pieces give the same lines. How they look is in Transcript.tsx.
import type { CallEvent, CallerIdentity, EndCause, TurnLatency } from "../protocol/events";

export type Line = { key: string; at_ms: number } & (
  | { kind: "caller"; text: string; state: "speaking" | "said" | "unclear" }
  | { kind: "agent"; text: string; unheard: string; state: "speaking" | "said" | "cut_off" }
  | { kind: "keys"; digits: string }
  | { kind: "barge_in"; heard_ms: number }
  | { kind: "note"; text: string; tone: "plain" | "warning" }
  | { kind: "ended"; cause: EndCause; duration_ms: number }
);

/** One turn's way to the caller's ear. */
export type TurnTiming = { turn: number; caller_text: string; latency: TurnLatency; interrupted: boolean };

export type Activity = "listening" | "caller_speaking" | "thinking" | "agent_speaking" | "ended";

export type Conversation = { lines: Line[]; turns: TurnTiming[]; activity: Activity; on_hold: boolean };

const STAGES = { transcription: "Transcription", chat: "The language model", synthesis: "Speech synthesis" };

const ATTESTED = { A: "in full (A)", B: "in part (B)", C: "as a gateway (C)" };

/** What is known of the caller's number. */
function vouched(identity: CallerIdentity): { text: string; tone: "plain" | "warning" } {
  switch (identity.verstat) {
    case "passed": {
      const how = identity.attestation ? ` ${ATTESTED[identity.attestation]}` : "";
      return { text: `The carrier vouches for the caller's number${how}`, tone: "plain" };
    }
    case "failed":
      return { text: `The caller's number is not to be trusted: ${identity.reason}`, tone: "warning" };
    case "absent":
      return { text: "Nobody vouches for the caller's number", tone: "plain" };
  }
}

/** Reads events in their order. */
export function converse(events: readonly CallEvent[]): Conversation {
  const lines: Line[] = [];
  const turns: TurnTiming[] = [];
  let activity: Activity = "listening";
  let on_hold = false;

  const find = (key: string) => lines.findIndex((line) => line.key === key);
  /** Puts a line where one of the same key stands, or at the end. */
  const put = (line: Line) => {
    const at = find(line.key);
    if (at < 0) lines.push(line);
    else lines[at] = { ...line, at_ms: lines[at]?.at_ms ?? line.at_ms };
  };
  const drop = (key: string) => {
    const at = find(key);
    if (at >= 0) lines.splice(at, 1);
  };

  for (const event of events) {
    const { at_ms, seq } = event;
    switch (event.type) {
      case "call_started":
        lines.push({ key: `${seq}`, at_ms, kind: "note", tone: "plain", text: `${event.agent} answered on ${event.node}` });
        if (event.identity) lines.push({ key: `${seq} identity`, at_ms, kind: "note", ...vouched(event.identity) });
        break;
      case "prompt_started":
        lines.push({ key: `${seq}`, at_ms, kind: "agent", text: event.text, unheard: "", state: "said" });
        activity = "agent_speaking";
        break;
      case "speech_started":
        put({ key: `caller ${event.turn}`, at_ms, kind: "caller", text: "", state: "speaking" });
        activity = "caller_speaking";
        break;
      case "turn_transcribed":
        activity = "thinking";
        // The keys themselves are already there, one by one.
        if (/^\[pressed [^\]]*\]$/.test(event.text)) drop(`caller ${event.turn}`);
        else put(callerLine(event.turn, at_ms, event.text));
        break;
      case "answer_started":
        put({ key: `agent ${event.turn}`, at_ms, kind: "agent", text: "", unheard: "", state: "speaking" });
        activity = "agent_speaking";
        break;
      case "turn_completed": {
        const { turn, caller_text, agent_text, heard_text, interrupted, latency } = event;
        if (find(`caller ${turn}`) >= 0) put(callerLine(turn, at_ms, caller_text));
        const heard = interrupted ? heard_text : agent_text;
        if (heard || agent_text) {
          const unheard = agent_text.startsWith(heard) ? agent_text.slice(heard.length) : "";
          const state = interrupted ? "cut_off" : "said";
          const line: Line = { key: `agent ${turn}`, at_ms, kind: "agent", text: heard, unheard, state };
          put(line);
        } else drop(`agent ${turn}`);
        turns.push({ turn, caller_text, latency, interrupted });
        if (activity === "agent_speaking" || activity === "thinking") activity = "listening";
        break;
      }
      case "barge_in":
        lines.push({ key: `${seq}`, at_ms, kind: "barge_in", heard_ms: event.heard_ms });
        activity = "caller_speaking";
        break;
      case "dtmf": {
        const last = lines.at(-1);
        if (last?.kind === "keys") lines[lines.length - 1] = { ...last, digits: last.digits + event.digit };
        else lines.push({ key: `${seq}`, at_ms, kind: "keys", digits: event.digit });
        break;
      }
      case "speech_failed":
        lines.push({ key: `${seq}`, at_ms, kind: "note", tone: "warning", text: `${STAGES[event.stage]} failed: ${event.error}` });
        break;
      case "media_problem":
        lines.push({ key: `${seq}`, at_ms, kind: "note", tone: "warning", text: `Audio: ${event.detail}` });
        break;
      case "media_changed":
        if (event.on_hold !== on_hold) {
          on_hold = event.on_hold;
          lines.push({ key: `${seq}`, at_ms, kind: "note", tone: "plain", text: on_hold ? "On hold" : "Back from hold" });
        } else {
          lines.push({ key: `${seq}`, at_ms, kind: "note", tone: "plain", text: `Audio is now ${event.codec}` });
        }
        break;
      case "call_ended":
        // What was still being said when the line went dead has no words to show.
        for (let at = lines.length - 1; at >= 0; at--) {
          const line = lines[at];
          if (line && "state" in line && line.state === "speaking") lines.splice(at, 1);
        }
        lines.push({ key: `${seq}`, at_ms, kind: "ended", cause: event.cause, duration_ms: event.duration_ms });
        activity = "ended";
        break;
      case "ringing":
      case "answered":
      case "bridged":
      case "unbridged":
      case "transfer_started":
      case "transfer_failed":
      case "tool_called":
      case "tool_finished":
      case "instructions_added": {
        const failed = event.type === "transfer_failed" || (event.type === "tool_finished" && event.failed);
        lines.push({ key: `${seq}`, at_ms, kind: "note", tone: failed ? "warning" : "plain", text: note(event) });
        break;
      }
      case "ssrc_changed":
      case "recording_ready":
        break;
    }
  }
  return { lines, turns, activity, on_hold };
}

type NoteEvent = Extract<
  CallEvent,
  {
    type:
      | "ringing"
      | "answered"
      | "bridged"
      | "unbridged"
      | "transfer_started"
      | "transfer_failed"
      | "tool_called"
      | "tool_finished"
      | "instructions_added";
  }
>;

function note(event: NoteEvent): string {
  switch (event.type) {
    case "ringing":
      return "Ringing";
    case "answered":
      return "Answered";
    case "bridged":
      return "Connected with another party";
    case "unbridged":
      return "The other party is gone";
    case "transfer_started":
      return `Transfer to ${event.to}`;
    case "transfer_failed":
      return `Transfer to ${event.to} failed: ${event.sip.code} ${event.sip.reason}`;
    case "tool_called":
      return `${event.tool} ${event.arguments}`;
    case "tool_finished":
      return `${event.tool}, ${event.took_ms} ms: ${event.result}`;
    case "instructions_added":
      return `The agent was told: ${event.text}`;
  }
}

function callerLine(turn: number, at_ms: number, text: string): Line {
  const unclear = text === "[unclear]";
  return { key: `caller ${turn}`, at_ms, kind: "caller", text: unclear ? "" : text, state: unclear ? "unclear" : "said" };
}

/** Both lists as one: in order, each event once. */
export function merge(known: readonly CallEvent[], more: readonly CallEvent[]): readonly CallEvent[] {
  const last = known.at(-1);
  // The usual case: one new event behind the others.
  if (more.length === 1 && more[0] && (!last || more[0].seq === last.seq + 1)) return [...known, more[0]];
  const bySeq = new Map([...known, ...more].map((event) => [event.seq, event]));
  if (bySeq.size === known.length) return known;
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
