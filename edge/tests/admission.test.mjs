// May this call start? Asked as engines ask: whose number, which hours, which caps, how many credits.
// How credits are kept is in credits.test.mjs.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { seedDemo, startEdge } from "./harness.mjs";

const RATE = 833;

let edge;
before(async () => (edge = await startEdge()));
after(() => edge.dispose());

async function json(response, status = 200) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return text && JSON.parse(text);
}

const request = (number, more = {}) => ({
  v: 1,
  call_id: randomUUID(),
  sip_call_id: "abc@10.0.0.1",
  node: "node-1",
  from: "sip:+15550000000@10.0.0.1",
  to: `sip:${number}@edge.example`,
  request_uri: `sip:${number}@edge.example`,
  trunk: "10.9.9.9",
  headers: [],
  ...more,
});

const ask = (body, status = 200) => edge.engine("POST", "/v1/engine/admissions", body).then((r) => json(r, status));

let count = 0;
/** An account of its own, with one number that its profile answers. */
async function business(profile = {}, fields = {}, microcredits = 100_000_000) {
  const subject = `owner-${(count += 1)}`;
  const token = await edge.token(subject);
  const { account_id, profile_id } = await json(await edge.as(token, "POST", "/v1/sign-up", { name: subject }));
  await json(await edge.as(token, "PUT", `/v1/profiles/${profile_id}`, { name: "Desk", greeting: "Hi.", ...profile }));
  const number = `555${count}`;
  await json(await edge.as(token, "POST", "/v1/numbers", { number, profile_id }), 201);
  if (Object.keys(fields).length) await change(account_id, fields);
  if (microcredits) {
    const grant = { microcredits, reference: "test" };
    await json(await edge.admin("POST", `/v1/admin/accounts/${account_id}/grants`, grant));
  }
  return { token, account_id, profile_id, number };
}

async function change(account_id, fields) {
  await json(await edge.admin("PATCH", `/v1/admin/accounts/${account_id}`, fields));
}

async function settle(account_id, call_id, duration_ms) {
  const objects = await edge.miniflare.getDurableObjectNamespace("ACCOUNTS");
  const body = JSON.stringify({ call_id, duration_ms });
  const stub = objects.get(objects.idFromName(account_id));
  return json(await stub.fetch("https://object/settle", { method: "POST", body }));
}

const balance = async ({ token }) => (await json(await edge.as(token, "GET", "/v1/account"))).balance;

test("the dialled number chooses account and agent, and the answer is all the engine needs", async () => {
  const demo = await seedDemo(edge);
  const answer = await ask(request("reception"));
  assert.equal(answer.decision, "accept");
  assert.equal(answer.account_id, demo.account_id);
  assert.equal(answer.profile_id, demo.profile_id);
  assert.equal(answer.agent.greeting, "Hello, this is Blue Door Books. How can I help you?");
  assert.match(answer.agent.instructions, /receptionist of Blue Door Books/);
  assert.deepEqual([answer.max_call_s, answer.record, answer.agent.rtp_timeout_s], [300, true, 15]);
});

test("number, then To, then trunk; separators do not matter", async () => {
  const [one, two] = [await business(), await business()];
  const accountOf = async (body) => (await ask(body)).account_id;
  const split = `sip:${one.number[0]}-${one.number.slice(1)}@x`;
  assert.equal(await accountOf(request("nobody", { request_uri: split })), one.account_id);
  assert.equal(await accountOf(request("nobody", { to: `"Two" <sip:${two.number}@x>;tag=1` })), two.account_id);
  const { account_id, profile_id } = two;
  await json(await edge.admin("POST", "/v1/admin/trunks", { address: "10.1.2.3", account_id, profile_id }), 201);
  assert.equal(await accountOf(request("nobody", { trunk: "10.1.2.3" })), two.account_id);
  assert.equal(await accountOf(request(one.number, { trunk: "10.1.2.3" })), one.account_id);
  assert.deepEqual(await ask(request("nobody")), { decision: "refuse", code: 404, reason: "unknown_number" });
  assert.equal(await accountOf(request("nobody", { trunk: "::ffff:10.1.2.3" })), two.account_id);
  const six = { address: "2001:DB8:0:0::A", account_id, profile_id };
  assert.equal((await json(await edge.admin("POST", "/v1/admin/trunks", six), 201)).address, "2001:db8::a");
  assert.equal(await accountOf(request("nobody", { trunk: "2001:0DB8::000A" })), two.account_id);
  await json(await edge.admin("POST", "/v1/admin/trunks", { address: "nowhere", account_id, profile_id }), 400);
});

test("two hundred calls at once against credits for fifty: exactly fifty start, and the ledger adds up after", async () => {
  const shop = await business({}, { max_calls: 1000 }, 50 * 300 * RATE);
  const requests = Array.from({ length: 200 }, () => request(shop.number));
  const answers = await Promise.all(requests.map((body) => ask(body)));
  const started = requests.filter((_, n) => answers[n].decision === "accept");
  assert.equal(started.length, 50);
  const refusals = answers.filter(({ decision }) => decision === "refuse");
  assert.ok(refusals.every(({ code, reason }) => code === 402 && reason === "insufficient_credits"));
  assert.equal((await balance(shop)).available_microcredits, 0);

  const ended = await Promise.all(
    started.map(({ call_id }, n) => settle(shop.account_id, call_id, 1_000 + n * 5_999)),
  );
  const charged = ended.reduce((sum, { charged_microcredits }) => sum + charged_microcredits, 0);
  const { entries } = await json(await edge.as(shop.token, "GET", "/v1/account/ledger?limit=500"));
  assert.equal(entries.length, 51);
  const total = 50 * 300 * RATE - charged;
  assert.equal(entries.reduce((sum, { microcredits }) => sum + microcredits, 0), total);
  assert.deepEqual(await balance(shop), {
    total_microcredits: total,
    held_microcredits: 0,
    available_microcredits: total,
    active_calls: 0,
  });
});

test("the same call asked twice, or ten times at once, holds once and is told the same", async () => {
  const shop = await business();
  const body = request(shop.number);
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(body)));
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
  const { held_microcredits, active_calls } = await balance(shop);
  assert.deepEqual([held_microcredits, active_calls], [300 * RATE, 1]);
});

test("the last credits give a shorter call, then none", async () => {
  const shop = await business({}, {}, 25 * RATE);
  assert.equal((await ask(request(shop.number))).max_call_s, 25);
  assert.equal((await ask(request(shop.number))).reason, "insufficient_credits");
});

test("an account has as many calls at once as it may", async () => {
  const shop = await business({}, { max_calls: 3 });
  const requests = Array.from({ length: 20 }, () => request(shop.number));
  const answers = await Promise.all(requests.map((body) => ask(body)));
  const started = requests.filter((_, n) => answers[n].decision === "accept");
  assert.equal(started.length, 3);
  assert.ok(answers.every(({ decision, code }) => decision === "accept" || code === 486));
  await settle(shop.account_id, started[0].call_id, 1_000);
  assert.equal((await ask(request(shop.number))).decision, "accept");
  assert.equal((await ask(request(shop.number))).reason, "account_call_limit");
});

test("a suspended account has no calls until it is active again", async () => {
  const shop = await business();
  assert.equal((await ask(request(shop.number))).decision, "accept");
  await change(shop.account_id, { status: "suspended" });
  assert.deepEqual(await ask(request(shop.number)), { decision: "refuse", code: 403, reason: "account_suspended" });
  await change(shop.account_id, { status: "active" });
  assert.equal((await ask(request(shop.number))).decision, "accept");
});

test("outside its hours a business refuses, or greets as it said it would", async () => {
  const shut = await business({ hours: { time_zone: "Europe/Berlin" } });
  assert.deepEqual(await ask(request(shut.number)), { decision: "refuse", code: 480, reason: "outside_hours" });
  const outside = { then: "greet", greeting: "We are closed." };
  const greets = await business({ hours: { time_zone: "America/New_York", outside } });
  assert.equal((await ask(request(greets.number))).agent.greeting, "We are closed.");
  const always = ["00:00-24:00"];
  const days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
  const week = Object.fromEntries(days.map((day) => [day, always]));
  const open = await business({ hours: { time_zone: "Asia/Kolkata", ...week, outside } });
  assert.equal((await ask(request(open.number))).agent.greeting, "Hi.");
});

test("a changed profile is heard in the next call", async () => {
  const shop = await business();
  await ask(request(shop.number));
  const profile = { name: "Desk", greeting: "New!", max_call_s: 60, record: false };
  await json(await edge.as(shop.token, "PUT", `/v1/profiles/${shop.profile_id}`, profile));
  const answer = await ask(request(shop.number));
  assert.deepEqual([answer.agent.greeting, answer.max_call_s, answer.record], ["New!", 60, false]);
});

test("a call that never began is withdrawn: its hold is free at once, and its admission comes too late", async () => {
  const owner = await business();
  const [held, late] = [request(owner.number), request(owner.number)];
  await ask(held);
  assert.equal((await balance(owner)).held_microcredits, 300 * RATE);
  const withdraw = (body) => edge.engine("POST", "/v1/engine/admissions/withdraw", body).then(json);
  for (const one of [held, late, held]) assert.deepEqual(await withdraw(one), {});
  assert.deepEqual(await balance(owner), { total_microcredits: 100_000_000, held_microcredits: 0, available_microcredits: 100_000_000, active_calls: 0 });
  assert.equal((await ask(late, 409)).error.code, "conflict");
  assert.deepEqual(await withdraw(request("nobodys")), {});
});

test("what is no admission request is refused with what is wrong", async () => {
  for (const body of [
    {},
    request("1", { v: 2 }),
    request("1", { call_id: "" }),
    request("1", { call_id: "x".repeat(65) }),
    request("1", { call_id: "../../other" }),
    request("1", { from: "x".repeat(2_049) }),
    request("1", { headers: Array.from({ length: 65 }, () => ["X-A", "b"]) }),
    request("1", { headers: "none" }),
  ]) {
    assert.equal((await ask(body, 400)).error.code, "bad_request");
  }
  assert.equal((await ask(request("%zz", { to: "not a uri", request_uri: "\u0000" }))).reason, "unknown_number");
});
