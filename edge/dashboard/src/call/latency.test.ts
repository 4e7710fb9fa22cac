// The bar adds up, fits its axis, and the median is one of the measurements.
import { expect, test } from "vitest";
import { axis, median, segments } from "./latency";

const of = (endpointing_ms: number, caller_heard_ms = endpointing_ms + 160) => ({
  endpointing_ms,
  transcription_ms: 80,
  first_token_ms: 10,
  first_audio_ms: 60,
  playout_ms: 10,
  caller_heard_ms,
});

test("parts follow one another without a gap and never leave the bar", () => {
  const parts = segments(of(640), 1000);
  expect(parts.map(({ start }) => start)).toEqual([0, 64, 72, 73, 79]);
  const beyond = segments(of(5000), 1000);
  expect(beyond.reduce((end, { width }) => end + width, 0)).toBe(100);
  expect(segments(of(1), 0).every(({ width }) => width === 0)).toBe(true);
});

test("the axis is round and holds the longest turn", () => {
  expect(axis([of(400), of(560)])).toBe(750);
  expect(axis([of(1400)])).toBe(2000);
  expect(axis([of(9000)])).toBe(10_000);
  expect(axis([])).toBe(250);
});

test("the median of an even number is the lower of the middle ones; of nothing there is none", () => {
  expect(median([of(900), of(300), of(500), of(400)])?.endpointing_ms).toBe(400);
  expect(median([])).toBeNull();
});
