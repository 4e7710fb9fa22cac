// What the page knows after each message of the live feed, and how patiently it comes back.
import { readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { expect, test } from "vitest";
import { LiveMessage } from "../protocol/live";
import { backOff } from "./socket";
import { activeCalls, apply, nothingYet } from "./state";

function golden<T extends LiveMessage["type"]>(type: T): Extract<LiveMessage, { type: T }> {
  const file = path.resolve(import.meta.dirname, `../../../protocol/examples/live/${type}.json`);
  return v.parse(LiveMessage, JSON.parse(readFileSync(file, "utf8"))) as Extract<LiveMessage, { type: T }>;
}

const { call } = golden("call");
const active = { ...call, status: "active" as const, cause: null };
const { event } = golden("event");

test("a snapshot replaces what was known, and the page is live", () => {
  const before = apply(apply(nothingYet, { type: "call", call: { ...active, call_id: "gone" } }), golden("event"));
  const after = apply({ ...before, phase: "reconnecting" }, golden("snapshot"));
  expect(after.phase).toBe("live");
  expect([...after.calls.keys()]).toEqual([call.call_id]);
  expect(after.balance?.available_microcredits).toBe(9_750_000);
  // Facts of a call that is still there stay facts.
  expect(after.events.get(call.call_id)).toEqual([event]);
});

test("an event told twice is there once, and costs no drawing", () => {
  const once = apply(nothingYet, golden("event"));
  expect(apply(once, golden("event"))).toBe(once);
});

test("an event brings the call as it stands after it", () => {
  const message = golden("event");
  expect(message.call).toBeDefined();
  const after = apply(apply(nothingYet, { type: "call", call: { ...active, turns: 0 } }), message);
  expect(after.calls.get(call.call_id)).toEqual(message.call);
  expect(apply(apply(nothingYet, { type: "call", call }), message).calls.get(call.call_id)).toBe(call);
});

test("calls going on come newest first, and leave when they end", () => {
  const older = { ...active, call_id: "older", started_at_ms: active.started_at_ms - 1000 };
  const both = [older, active].reduce((state, call) => apply(state, { type: "call", call }), nothingYet);
  expect(activeCalls(both).map(({ call_id }) => call_id)).toEqual([active.call_id, "older"]);
  const one = apply(both, { type: "call", call });
  expect(activeCalls(one).map(({ call_id }) => call_id)).toEqual(["older"]);
  expect(one.calls.get(call.call_id)?.cause).toBe("agent_hung_up");
});

test("a call that ended does not live again when messages cross", () => {
  const ended = apply(nothingYet, { type: "call", call });
  expect(apply(ended, { type: "call", call: active })).toBe(ended);
});

test("a day of ended calls does not fill the memory", () => {
  let state = nothingYet;
  for (let n = 0; n < 100; n++) {
    state = apply(state, { type: "event", event: { ...event, call_id: `${n}` } });
    state = apply(state, { type: "call", call: { ...call, call_id: `${n}` } });
  }
  expect(state.calls.size).toBe(20);
  expect([...state.events.keys()].at(-1)).toBe("99");
  expect(state.events.size).toBe(20);
});

test("waits double up to fifteen seconds, and are never the same for everybody", () => {
  expect([0, 1, 2, 3].map((attempt) => backOff(attempt, 1))).toEqual([500, 1000, 2000, 4000]);
  expect(backOff(30, 1)).toBe(15_000);
  expect(backOff(0, 0)).toBe(250);
});
