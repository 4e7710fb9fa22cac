// What a call's summary says in words.
import { expect, test } from "vitest";
import type { CallSummary } from "../protocol/live";
import { CAUSES, isFailure, lastWords, quality, soFar } from "./names";

test("keys and what was not understood are said in words, words stay as they are", () => {
  expect(["[pressed 12#]", "[unclear]", "we are [almost] open"].map(lastWords)).toEqual(["Pressed 12#", "(not understood)", "we are [almost] open"]);
});

test("a call that has not told its start has no length yet", () => {
  expect(soFar({ started_at_ms: 0 } as CallSummary, 5000)).toBe(0);
  expect(soFar({ started_at_ms: 2000 } as CallSummary, 5000)).toBe(3000);
});

test("only ends nobody wanted are failures", () => {
  const failures = (Object.keys(CAUSES) as (keyof typeof CAUSES)[]).filter(isFailure);
  expect(failures).toEqual(["rtp_timeout", "no_rtp", "dtls_failed", "speech_failed", "signalling_failed", "node_crashed"]);
});

test("a mean opinion score is good from 4 on, poor below 3.1", () => {
  expect([4.5, 4, 3.99, 3.1, 3.09].map((mos) => quality(mos).tone)).toEqual(["good", "good", "fair", "fair", "poor"]);
});
