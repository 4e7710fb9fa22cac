// A business in the middle of its day: nodes, money, agents, calls that ended, and calls that go on.
import { randomUUID } from "node:crypto";
import { bookshopCall, quality } from "./script.mjs";

const MINUTE = 60_000;

const node = (name, version, changes = {}) => ({
  v: 1,
  node: name,
  version,
  status: "ok",
  http_url: "http://127.0.0.1:8080",
  active_calls: 3,
  max_calls: 200,
  uptime_s: 93_211,
  late_slots: 0.0004,
  cpu_cores: 0.31,
  memory_bytes: 61_865_984,
  events_waiting: 0,
  recordings_waiting: 1,
  seen_at_ms: Date.now(),
  alive: true,
  linked: true,
  ...changes,
});

const PAST = [
  ["+4930123456", "agent_hung_up", 33_500, 4.21],
  ["+15550142", "caller_hung_up", 12_900, 4.38],
  ["+442079460123", "caller_hung_up", 184_200, 3.42],
  ["+15550177", "caller_silent", 41_000, 4.4],
  ["anonymous", "rtp_timeout", 22_700, 2.61],
  ["+4989555010", "max_duration", 300_000, 4.12],
];

/** Everything but calls going on. */
export function furnish(edge, past = 40) {
  const now = Date.now();
  edge.nodes = [
    node("node-1", "0.4.0"),
    node("node-2", "0.5.0", { active_calls: 164, cpu_cores: 1.72, memory_bytes: 214_865_984, late_slots: 0.013, uptime_s: 4211 }),
    node("node-3", "0.4.0", { status: "draining", active_calls: 1, cpu_cores: 0.05 }),
    node("node-4", "0.4.0", { alive: false, linked: false, active_calls: 0, events_waiting: 1204, seen_at_ms: now - 95_000 }),
  ];
  edge.versions = [
    { version: "0.4.0", weight: 90, nodes: 2, active_calls: 4, calls: 1812, error_rate: 0.0022, latency_p50_ms: 741, latency_p95_ms: 1104, mos: 4.31 },
    { version: "0.5.0", weight: 10, nodes: 1, active_calls: 164, calls: 203, error_rate: 0.0049, latency_p50_ms: 688, latency_p95_ms: 982, mos: 4.33 },
  ];
  edge.ledger = [{ id: 1, at_ms: now - 3 * 24 * 60 * MINUTE, kind: "grant", microcredits: 25_000_000, reference: "grant_welcome" }];
  edge.profiles = [
    {
      profile_id: "prf_reception",
      created_at_ms: now,
      name: "Reception",
      greeting: "Hello, this is Blue Door Books. How can I help you?",
      persona: "",
      prompt: "You are the receptionist of Blue Door Books, a small bookshop at 12 Mill Street.\nAnswer in one or two short spoken sentences.",
      voice: "nova",
    },
    { profile_id: "prf_night", created_at_ms: now, name: "Night desk", greeting: "", persona: "", prompt: "Take a message.", voice: null },
  ];
  edge.apiKeys = [{ key_id: "key_1", name: "Till", created_at_ms: now - 9 * 24 * 60 * MINUTE, key: "tk_till" }];
  for (let n = past - 1; n >= 0; n--) {
    const [who, cause, duration_ms, mos] = PAST[n % PAST.length];
    const call_id = randomUUID();
    const started = now - (n * 47 + 4) * MINUTE;
    for (const kind of bookshopCall({ from: `sip:${who}@carrier.example`, node: `node-${1 + (n % 3)}` })) {
      const end = kind.type === "call_ended" ? { cause, duration_ms, quality: { ...quality, mos } } : {};
      edge.apply(call_id, started, { ...kind, ...end });
    }
    edge.change(call_id, { duration_ms });
    edge.settle(call_id);
    edge.ledger.at(-1).at_ms = started + duration_ms;
    edge.store(call_id, 12);
  }
  return edge;
}

/** Starts a call whose events come when they are due. Answers with its id. */
export function play(edge, from, { since_ms = 0, node: on = "node-1", stop_at_ms = Infinity } = {}) {
  const call_id = randomUUID();
  const started = Date.now() - since_ms;
  const timers = bookshopCall({ from: `sip:${from}@carrier.example`, node: on })
    .filter(({ at_ms }) => at_ms < stop_at_ms)
    .map((kind) => {
      const tell = () => edge.apply(call_id, started, kind);
      return kind.at_ms <= since_ms ? tell() : setTimeout(tell, kind.at_ms - since_ms);
    });
  timers.push(setTimeout(() => edge.calls.get(call_id).status === "ended" && edge.settle(call_id), 34_000 - since_ms));
  timers.push(setTimeout(() => edge.calls.get(call_id).status === "ended" && edge.store(call_id, 33), 36_000 - since_ms));
  const hangUp = edge.onHangUp;
  edge.onHangUp = (id) => {
    if (id !== call_id) return hangUp?.(id);
    for (const timer of timers) clearTimeout(timer);
    const duration_ms = Date.now() - started;
    edge.apply(call_id, started, { at_ms: duration_ms, type: "call_ended", cause: "ended_by_edge", duration_ms, turns: edge.calls.get(id).turns, quality });
    return edge.settle(call_id);
  };
  return call_id;
}

/** New callers for as long as the mock runs. */
export function playCalls(edge) {
  const callers = ["+15550142", "+4930123456", "+442079460123", "+4989555010"];
  let n = 0;
  const next = () => play(edge, callers[n++ % callers.length], { node: `node-${1 + (n % 2)}` });
  play(edge, "+15550177", { since_ms: 17_000 });
  next();
  setInterval(next, 12_000);
}
