import { readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { expect, test } from "vitest";
import { CallEvent } from "../protocol/events";
import { shares } from "./costs";

const golden = path.resolve(import.meta.dirname, "../../../protocol/examples/events");
const event = (name: string) => v.parse(CallEvent, JSON.parse(readFileSync(path.join(golden, `${name}.json`), "utf8")));

test("the end of a call tells who took what, the dearest first", () => {
  const found = shares([event("call_started"), event("call_ended")]);
  expect(found.map(({ name, microcredits }) => [name, microcredits])).toEqual([
    ["Hearing and speaking (realtime)", 11200],
    ["Line", 5200],
    ["Speaking (main)", 4650],
    ["Thinking (claude)", 3869],
    ["Hearing (main)", 1070],
  ]);
  expect(found.map(({ amount }) => amount)).toEqual([
    "1052 tokens, 2 answers",
    "62 s",
    "310 characters, 4 requests, 5 kept from before",
    "9360 tokens, 8 requests",
    "21 s, 9 requests",
  ]);
});

test("before its end a call has no costs to show", () => {
  expect(shares([event("call_started")])).toEqual([]);
});
