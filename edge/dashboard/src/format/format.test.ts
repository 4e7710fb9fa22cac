// Lengths, money and names at their edges.
import { expect, test } from "vitest";
import { bytes, party, percent } from "./numbers";
import { length, uptime } from "./time";

test("a length has minutes and seconds, hours only when there are any, and is never negative", () => {
  expect([0, 999, 61_000, 3_725_000, -5].map(length)).toEqual(["0:00", "0:00", "1:01", "1:02:05", "0:00"]);
});

test("an uptime names its two largest units", () => {
  expect([42, 120, 4211, 273_600].map(uptime)).toEqual(["42 s", "2 min", "1 h 10 min", "3 d 4 h"]);
});

test("a party is the user part of its address, whatever surrounds it", () => {
  expect(party("sip:+4930123456@carrier.example;user=phone")).toBe("+4930123456");
  expect(party('"Ada" <sips:ada@example.test>;tag=1')).toBe("ada");
  expect(party("user_1")).toBe("user_1");
  expect(party("")).toBe("unknown");
});

test("shares keep a digit where it says something", () => {
  expect([0, 0.0004, 0.0131, 0.123].map(percent)).toEqual(["0 %", "0.04 %", "1.3 %", "12 %"]);
});

test("memory is in megabytes until it is in gigabytes", () => {
  expect([61_865_984, 3_221_225_472].map(bytes)).toEqual(["59 MB", "3.0 GB"]);
});
