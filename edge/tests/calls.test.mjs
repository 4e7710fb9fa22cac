// Calls at the edge: events applied once whatever becomes of batches and of workerd, what they cause, and who sees it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { deliver, journal } from "./call_events.mjs";
import { eventually, FakeNode } from "./fake_node.mjs";
import { seedDemo, startEdge } from "./harness.mjs";

let edge, demo, node;
before(async () => {
  edge = await startEdge();
  demo = await seedDemo(edge);
  node = await new FakeNode("node-1").listen();
  await node.link(edge);
});
after(async () => {
  node.close();
  await edge.dispose();
});

const read = async (id, token = demo.token) => edge.as(token, "GET", `/v1/calls/${id}`);
const call = async (id) => (await read(id)).json();
const ledger = async () => (await (await edge.as(demo.token, "GET", "/v1/account/ledger?limit=100")).json()).entries;

test("a call's events become its summary, its transcript, a charge and a row of the list", async () => {
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id });
  const receipts = await deliver(edge, events);
  assert.deepEqual(receipts.get(id), { call_id: id, next_seq: events.length });
  const settled = await eventually(() => call(id), ({ summary }) => summary.cost_microcredits !== null);
  assert.deepEqual(settled.events, events);
  assert.deepEqual(settled.transcript.map(({ speaker, text }) => `${speaker}: ${text}`), [
    "agent: Hello, this is Tandem.", "caller: question 0", "agent: answer 0", "caller: question 1", "agent: answer 1",
  ]);
  assert.equal(settled.summary.status, "ended");
  assert.equal(settled.summary.latency.caller_heard_ms, 600);
  assert.equal(settled.summary.cost_microcredits, 5 * 833);
  const { calls } = await eventually(async () => (await edge.as(demo.token, "GET", "/v1/calls")).json(), ({ calls }) => calls.some((listed) => listed.call_id === id && listed.cost_microcredits));
  assert.equal(calls.filter((listed) => listed.call_id === id).length, 1);
  assert.equal((await ledger()).filter(({ reference }) => reference === id).length, 1);
});

test("what a call cost its providers is on its summary, and its margin is told to admins alone", async () => {
  const id = randomUUID();
  const used = (provider, stage, cost_microcredits) => ({ provider, stage, requests: 1, cost_microcredits });
  await deliver(edge, journal(id, { account: demo.account_id, usage: [used("main", "chat", 700), used("telephony", "telephony", 165)] }));
  const settled = await eventually(() => call(id), ({ summary }) => summary.cost_microcredits !== null);
  assert.equal(settled.summary.provider_microcredits, 865);
  const listed = async () => (await (await edge.as(demo.token, "GET", "/v1/calls")).json()).calls.find(({ call_id }) => call_id === id);
  const row = await eventually(listed, (row) => row?.cost_microcredits);
  assert.equal(row.provider_microcredits, 865);

  const path = `/v1/admin/accounts/${demo.account_id}/calls`;
  const page = await (await edge.admin("GET", path)).json();
  const margin = page.calls.find(({ call_id }) => call_id === id);
  assert.deepEqual([margin.charged_microcredits, margin.provider_microcredits, margin.margin_microcredits], [5 * 833, 865, 5 * 833 - 865]);
  assert.equal((await edge.as(demo.token, "GET", path)).status, 401);
});

test("the transcription of a call's recording is shown with it, to its account alone", async () => {
  const id = randomUUID();
  await deliver(edge, journal(id, { account: demo.account_id }));
  assert.equal((await call(id)).transcription, null);
  const database = await edge.miniflare.getD1Database("DB");
  const keep = (account) => database.prepare("INSERT OR REPLACE INTO transcripts (call_id, account_id, text, created_at_ms) VALUES (?, ?, 'Hello there.', 1)").bind(id, account).run();
  await keep("acc_other");
  assert.equal((await call(id)).transcription, null);
  await keep(demo.account_id);
  assert.equal((await call(id)).transcription, "Hello there.");
});

test("asking for calls nobody has leaves nothing behind", async () => {
  const persist = mkdtempSync(path.join(tmpdir(), "edge-unknown-"));
  const other = await startEdge({ persist });
  try {
    const owner = await seedDemo(other);
    const [known, unknown] = [randomUUID(), randomUUID()];
    await deliver(other, journal(known, { account: owner.account_id }).slice(0, 2));
    assert.equal((await other.as(owner.token, "GET", `/v1/calls/${known}`)).status, 200);
    assert.equal((await other.as(owner.token, "GET", `/v1/calls/${unknown}`)).status, 404);
    const calls = await other.miniflare.getDurableObjectNamespace("CALL_SESSIONS");
    const files = (id) => readdirSync(persist, { recursive: true }).filter((file) => file.includes(calls.idFromName(id).toString()));
    const tables = (id) => files(id).some((file) => readFileSync(path.join(persist, file)).includes("CREATE TABLE facts"));
    assert.deepEqual([tables(known), tables(unknown)], [true, false]);
  } finally {
    await other.dispose();
    rmSync(persist, { recursive: true, force: true });
  }
});

test("batches twice, out of order and with gaps change nothing, and a different event with an old number is ignored", async () => {
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id, turns: 3 });
  assert.equal((await deliver(edge, events.slice(4, 8))).get(id).next_seq, 0);
  assert.equal((await deliver(edge, events.slice(0, 3))).get(id).next_seq, 3);
  assert.equal((await deliver(edge, events.slice(1, 6))).get(id).next_seq, 6);
  const forged = { ...events[2], type: "prompt_started", text: "something else" };
  assert.equal((await deliver(edge, [forged])).get(id).next_seq, 6);
  assert.equal((await deliver(edge, events.slice(8))).get(id).next_seq, 6);
  await Promise.all([1, 2, 3, 4].map(() => deliver(edge, events)));
  const { events: applied } = await call(id);
  assert.deepEqual(applied.map(({ seq }) => seq), events.map(({ seq }) => seq));
  assert.equal(applied[2].type, events[2].type);
  await eventually(ledger, (entries) => entries.some(({ reference }) => reference === id));
  await deliver(edge, events);
  assert.equal((await ledger()).filter(({ reference }) => reference === id).length, 1);
});

test("a live call is listed first and is nobody else's to see", async () => {
  const id = randomUUID();
  await deliver(edge, journal(id, { account: demo.account_id }).slice(0, 3));
  const listed = await eventually(async () => (await edge.as(demo.token, "GET", "/v1/calls?limit=1")).json(), ({ calls }) => calls[0]?.call_id === id);
  assert.equal(listed.calls[0].status, "active");
  const other = await edge.token("somebody_else");
  assert.equal((await edge.as(other, "POST", "/v1/sign-up", { name: "Other" })).ok, true);
  assert.equal((await read(id, other)).status, 404);
  assert.equal((await edge.as(other, "POST", `/v1/calls/${id}/hang-up`)).status, 404);
  assert.equal((await (await edge.as(other, "GET", "/v1/calls")).json()).calls.length, 0);
});

test("the list goes on where the page before ended, each call once", async () => {
  const startedAt = Date.now() - 3_600_000;
  const ids = Array.from({ length: 7 }, () => randomUUID());
  await deliver(edge, ids.flatMap((id, at) => journal(id, { account: demo.account_id, turns: 0, startedAt: startedAt + Math.floor(at / 2) })));
  await eventually(async () => (await (await edge.as(demo.token, "GET", "/v1/calls?limit=200")).json()).calls, (calls) => ids.every((id) => calls.some((listed) => listed.call_id === id && listed.status === "ended")));
  const seen = [];
  let before = "";
  do {
    const page = await (await edge.as(demo.token, "GET", `/v1/calls?limit=2${before}`)).json();
    seen.push(...page.calls.filter(({ status }) => status === "ended").map(({ call_id }) => call_id));
    before = page.next ? `&before=${page.next}` : "";
  } while (before);
  assert.deepEqual(ids.filter((id) => seen.filter((other) => other === id).length !== 1), []);
  for (const bad of ["limit=0", "limit=201", "limit=x", "before=x", "before=9_a/b"]) {
    assert.equal((await edge.as(demo.token, "GET", `/v1/calls?${bad}`)).status, 400, bad);
  }
});

test("keys reach the node as they are, and what is no key does not", async () => {
  const id = randomUUID();
  await deliver(edge, journal(id, { account: demo.account_id }).slice(0, 2));
  const press = (digits) => edge.as(demo.token, "POST", `/v1/calls/${id}/dtmf`, { digits });
  for (const wrong of ["", "12x", "1".repeat(65), "a"]) assert.equal((await press(wrong)).status, 400, wrong);
  const response = await press("12,3#");
  assert.equal(response.status, 202);
  const { command_id } = await response.json();
  await node.until(() => node.commands.some((command) => command.command_id === command_id));
  assert.deepEqual(node.commands.find((command) => command.command_id === command_id), { command_id, type: "press", call_id: id, digits: "12,3#" });
});

test("hanging up reaches the node once, not for a call that is over, and 503 without a link", async () => {
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id });
  await deliver(edge, events.slice(0, 2));
  const response = await edge.as(demo.token, "POST", `/v1/calls/${id}/hang-up`);
  assert.equal(response.status, 202);
  const { command_id } = await response.json();
  await node.until(() => node.commands.some((command) => command.command_id === command_id));
  assert.deepEqual(node.commands.find((command) => command.command_id === command_id), { command_id, type: "hang_up", call_id: id });
  await deliver(edge, events);
  assert.equal((await edge.as(demo.token, "POST", `/v1/calls/${id}/hang-up`)).status, 409);
  const lost = randomUUID();
  await deliver(edge, journal(lost, { account: demo.account_id, node: "nowhere" }).slice(0, 2));
  assert.equal((await edge.as(demo.token, "POST", `/v1/calls/${lost}/hang-up`)).status, 503);
});

test("batches that cannot be understood are refused whole", async () => {
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id });
  const send = async (batch) => (await edge.engine("POST", "/v1/engine/events", batch)).status;
  assert.equal(await send({ v: 2, node: "node-1", events }), 400);
  assert.equal(await send({ v: 1, node: "node-1", events: [events[0], { ...events[1], v: 2 }] }), 400);
  assert.equal(await send({ v: 1, node: "node-1", events: [{ ...events[0], call_id: "../x" }] }), 400);
  assert.equal(await send({ v: 1, node: "node-1", events: Array.from({ length: 501 }, (_, seq) => ({ ...events[1], seq })) }), 400);
  assert.equal((await read(id)).status, 404);
  assert.deepEqual(await (await edge.engine("POST", "/v1/engine/events", { v: 1, node: "node-1", events: [] })).json(), { receipts: [] });
});

test("a stored recording is noted on the call, after the end and before", async () => {
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id });
  await deliver(edge, events.slice(0, 2));
  const calls = await edge.miniflare.getDurableObjectNamespace("CALL_SESSIONS");
  const stored = () => calls.get(calls.idFromName(id)).fetch("https://object/recording_stored", { method: "POST", body: "{}" });
  assert.equal((await stored()).status, 200);
  await deliver(edge, events);
  await stored();
  const listed = await eventually(async () => (await edge.as(demo.token, "GET", "/v1/calls?limit=200")).json(), ({ calls }) => calls.some((listed) => listed.call_id === id && listed.recorded && listed.status === "ended"));
  assert.ok(listed);
});

test("workerd dies again and again in the middle of calls: nothing is lost, doubled or out of order", async () => {
  const persist = mkdtempSync(path.join(tmpdir(), "edge-calls-"));
  const count = 60;
  let other = await startEdge({ persist });
  try {
    const owner = await seedDemo(other);
    const journals = new Map(Array.from({ length: count }, () => randomUUID()).map((id) => [id, journal(id, { account: owner.account_id, turns: 4 })]));
    const next = new Map([...journals.keys()].map((id) => [id, 0]));
    for (let round = 0; ; round++) {
      const left = [...journals].filter(([id, events]) => next.get(id) < events.length);
      if (left.length === 0) break;
      const batches = [];
      for (let at = 0; at < left.length; at += 20) {
        // Each call a few events further, one sent before among them.
        batches.push(left.slice(at, at + 20).flatMap(([id, events]) => events.slice(Math.max(0, next.get(id) - 1), next.get(id) + 4)));
      }
      const sending = batches.map((batch) => deliver(other, batch).then((receipts) => receipts.forEach(({ next_seq, error }, id) => error === undefined && next.set(id, Math.max(next.get(id), next_seq))), () => {}));
      if (round < 5) {
        await Promise.race(sending);
        await other.dispose();
        await Promise.all(sending);
        other = await startEdge({ persist });
      } else await Promise.all(sending);
    }
    // A connection kept from before workerd died fails once.
    const token = await eventually(() => other.token("demo", "demo@example.test").catch(() => undefined), (token) => token);
    const get = async (route) => (await other.as(token, "GET", route)).json();
    for (const [id, events] of journals) {
      const { events: applied } = await get(`/v1/calls/${id}`);
      assert.deepEqual(applied.map(({ seq, type }) => [seq, type]), events.map(({ seq, type }) => [seq, type]));
    }
    const listed = await eventually(() => get("/v1/calls?limit=200"), ({ calls }) => calls.filter(({ status, cost_microcredits }) => status === "ended" && cost_microcredits !== null).length === count, 30000);
    assert.equal(new Set(listed.calls.map(({ call_id }) => call_id)).size, count);
    const { entries } = await get("/v1/account/ledger?limit=200");
    const charged = entries.filter(({ kind }) => kind === "call_charge").map(({ reference }) => reference).sort();
    assert.deepEqual(charged, [...journals.keys()].sort());
    const rollout = await (await other.admin("GET", "/v1/admin/rollout")).json();
    assert.equal(rollout.versions.reduce((sum, { calls }) => sum + calls, 0), count);
  } finally {
    await other.dispose();
    rmSync(persist, { recursive: true, force: true });
  }
});
