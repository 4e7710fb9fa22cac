// The live feed's messages and what lists show of calls and nodes: `edge_protocol::live`, field for field.
// How the socket is kept open is in feed/socket.ts.
import * as v from "valibot";
import { Balance } from "./accounts";
import { CallEvent, Direction, EndCause, MediaQuality, TurnLatency, whole } from "./events";

export const CallSummary = v.object({
  call_id: v.string(),
  account_id: v.string(),
  status: v.picklist(["active", "ended"]),
  direction: Direction,
  /** SIP URIs. */
  from: v.string(),
  to: v.string(),
  agent: v.string(),
  node: v.string(),
  codec: v.string(),
  /** Milliseconds since the Unix epoch. */
  started_at_ms: whole,
  /** Length so far, or in all. */
  duration_ms: whole,
  turns: whole,
  /** The last words of either side. */
  last_text: v.string(),
  /** Median of the turns' latencies, stage by stage. */
  latency: v.nullable(TurnLatency),
  cause: v.nullable(EndCause),
  quality: v.nullable(MediaQuality),
  /** Charged for the call once it is settled. */
  cost_microcredits: v.nullable(whole),
  /** What speech providers and the line cost for it, once it is over. */
  provider_microcredits: v.optional(v.nullable(whole), null),
  recorded: v.boolean(),
});
export type CallSummary = v.InferOutput<typeof CallSummary>;

export const NodeSummary = v.object({
  v: whole,
  node: v.string(),
  version: v.string(),
  status: v.picklist(["ok", "busy", "draining"]),
  http_url: v.string(),
  active_calls: whole,
  max_calls: whole,
  uptime_s: whole,
  /** Share of media slots begun more than 5 ms late, 0 to 1. */
  late_slots: v.number(),
  cpu_cores: v.number(),
  memory_bytes: whole,
  events_waiting: whole,
  recordings_waiting: whole,
  seen_at_ms: whole,
  alive: v.boolean(),
  linked: v.boolean(),
});
export type NodeSummary = v.InferOutput<typeof NodeSummary>;

export const LiveMessage = v.variant("type", [
  v.object({
    type: v.literal("snapshot"),
    calls: v.array(CallSummary),
    nodes: v.array(NodeSummary),
    balance: v.nullable(Balance),
  }),
  v.object({ type: v.literal("event"), event: CallEvent, call: v.optional(CallSummary) }),
  v.object({ type: v.literal("call"), call: CallSummary }),
  v.object({ type: v.literal("nodes"), nodes: v.array(NodeSummary) }),
  v.object({ type: v.literal("balance"), balance: Balance }),
]);
export type LiveMessage = v.InferOutput<typeof LiveMessage>;
