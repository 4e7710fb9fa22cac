// What the page knows from the live feed, as a pure function of its messages.
// How they come is in socket.ts.
import { merge } from "../call/transcript";
import type { Balance } from "../protocol/accounts";
import type { CallEvent } from "../protocol/events";
import type { CallSummary, LiveMessage, NodeSummary } from "../protocol/live";

export type Phase = "connecting" | "live" | "reconnecting";

export type FeedState = {
  phase: Phase;
  /** Counts snapshots: what was read elsewhere may be out of date when it changes. */
  snapshots: number;
  calls: ReadonlyMap<string, CallSummary>;
  events: ReadonlyMap<string, readonly CallEvent[]>;
  nodes: readonly NodeSummary[];
  balance: Balance | null;
};

/** Calls that ended are kept for the page that shows one of them, and forgotten beyond so many. */
const ENDED_KEPT = 20;

export const nothingYet: FeedState = {
  phase: "connecting",
  snapshots: 0,
  calls: new Map(),
  events: new Map(),
  nodes: [],
  balance: null,
};

export function apply(state: FeedState, message: LiveMessage): FeedState {
  switch (message.type) {
    case "snapshot": {
      const calls = new Map(message.calls.map((call) => [call.call_id, call]));
      const events = new Map([...state.events].filter(([call_id]) => calls.has(call_id)));
      return { phase: "live", snapshots: state.snapshots + 1, calls, events, nodes: message.nodes, balance: message.balance };
    }
    case "event": {
      const { call_id } = message.event;
      const known = state.events.get(call_id) ?? [];
      const merged = merge(known, [message.event]);
      if (merged === known) return state;
      const next = { ...state, events: new Map(state.events).set(call_id, merged) };
      return message.call ? withCall(next, message.call) : next;
    }
    case "call":
      return withCall(state, message.call);
    case "nodes":
      return { ...state, nodes: message.nodes };
    case "balance":
      return { ...state, balance: message.balance };
  }
}

function withCall(state: FeedState, call: CallSummary): FeedState {
  // A call that ended does not live again.
  if (state.calls.get(call.call_id)?.status === "ended" && call.status === "active") return state;
  return forget({ ...state, calls: new Map(state.calls).set(call.call_id, call) });
}

function forget(state: FeedState): FeedState {
  const ended = [...state.calls.values()].filter((call) => call.status === "ended");
  if (ended.length <= ENDED_KEPT) return state;
  const [calls, events] = [new Map(state.calls), new Map(state.events)];
  for (const { call_id } of ended.slice(0, ended.length - ENDED_KEPT)) {
    calls.delete(call_id);
    events.delete(call_id);
  }
  return { ...state, calls, events };
}

/** Calls going on, the newest first. */
export function activeCalls(state: FeedState): CallSummary[] {
  return [...state.calls.values()]
    .filter((call) => call.status === "active")
    .sort((a, b) => b.started_at_ms - a.started_at_ms || (a.call_id < b.call_id ? 1 : -1));
}
