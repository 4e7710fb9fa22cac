// The types of this page against the golden examples of edge/protocol: a field added, renamed or taken away fails here.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { LedgerEntry } from "./accounts";
import { CallEvent } from "./events";
import { LiveMessage } from "./live";

const examples = path.resolve(import.meta.dirname, "../../../protocol/examples");

function golden(folder: string): [string, unknown][] {
  return readdirSync(path.join(examples, folder)).map((file) => [
    file,
    JSON.parse(readFileSync(path.join(examples, folder, file), "utf8")),
  ]);
}

/** What a schema does not name is dropped by it: equality proves that it names every field. */
function reads(schema: v.GenericSchema, folder: string) {
  describe(folder, () => {
    test.each(golden(folder))("%s is read whole", (_file, example) => {
      expect(v.parse(schema, example)).toEqual(example);
    });
  });
}

reads(CallEvent, "events");
reads(LiveMessage, "live");
reads(LedgerEntry, "ledger_entry");

test("every kind of event and message has an example", () => {
  const kinds = (schema: { options: readonly { entries: { type: { literal: string } } }[] }) =>
    schema.options.map((option) => option.entries.type.literal).sort();
  const files = (folder: string) =>
    [...new Set(golden(folder).map(([, example]) => (example as { type: string }).type))].sort();
  expect(files("events")).toEqual(kinds(CallEvent));
  expect(files("live")).toEqual(kinds(LiveMessage));
});

test("a message of a later version is refused, not misread", () => {
  expect(v.safeParse(LiveMessage, { type: "weather", degrees: 21 }).success).toBe(false);
  expect(v.safeParse(LiveMessage, { type: "call", call: {} }).success).toBe(false);
});
