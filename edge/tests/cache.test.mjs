// Misses that come at once are one reading; what is forgotten is read anew.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startEdge } from "./harness.mjs";

let edge, db, fills, kv;
before(async () => {
  edge = await startEdge();
  db = await edge.miniflare.getD1Database("DB");
  fills = await edge.miniflare.getDurableObjectNamespace("CACHE_FILLS");
  kv = await edge.miniflare.getKVNamespace("CACHE");
});
after(() => edge.dispose());

/** Asks the object of an entry. */
async function ask(key, verb, source) {
  const stub = fills.get(fills.idFromName(key));
  const response = await stub.fetch(`https://object/${verb}`, { method: "POST", body: JSON.stringify(source) });
  assert.equal(response.status, 200);
  return response.json();
}

const keep = (id, summary) => db.prepare("INSERT OR REPLACE INTO calls VALUES (?, 'acc_1', 0, 1, 'caller_hung_up', ?)").bind(id, JSON.stringify(summary)).run();
const source = (call_id) => ({ source: "call_summary", call_id });

test("a hundred misses at once ask the source once", async () => {
  await keep("c1", { call_id: "c1", turns: 3 });
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask("v1/call/c1", "fill", source("c1"))));
  for (const { entry, readings } of answers) {
    assert.deepEqual(entry.value, { call_id: "c1", turns: 3 });
    assert.equal(readings, 1);
  }
  assert.deepEqual((await kv.get("v1/call/c1", "json")).value, { call_id: "c1", turns: 3 });
});

test("what was forgotten is read anew", async () => {
  await keep("c2", { turns: 1 });
  assert.deepEqual((await ask("v1/call/c2", "fill", source("c2"))).entry.value, { turns: 1 });
  await keep("c2", { turns: 2 });
  assert.deepEqual((await ask("v1/call/c2", "fill", source("c2"))).entry.value, { turns: 1 });
  await ask("v1/call/c2", "forget", source("c2"));
  assert.deepEqual(await ask("v1/call/c2", "fill", source("c2")), { entry: (await kv.get("v1/call/c2", "json")), readings: 2 });
  assert.deepEqual((await kv.get("v1/call/c2", "json")).value, { turns: 2 });
});

test("what the source does not have is not kept", async () => {
  assert.equal((await ask("v1/call/c3", "fill", source("c3"))).entry, null);
  await keep("c3", { turns: 1 });
  assert.deepEqual((await ask("v1/call/c3", "fill", source("c3"))).entry.value, { turns: 1 });
});
