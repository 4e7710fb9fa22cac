// Credits of an account under haste, repetition and restarts: never overdrawn, and every microcredit accounted for.
// The rules themselves are tested natively, in src/accounts/credits/tests.rs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { startEdge } from "./harness.mjs";

const RATE = 833;

let edge;
before(async () => (edge = await startEdge()));
after(() => edge.dispose());

async function json(response, status = 200) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return JSON.parse(text);
}

/** An account with credits, and its object. */
async function account(microcredits = 0, fields = {}, where = edge) {
  const { account_id } = await json(await where.admin("POST", "/v1/admin/accounts", { name: "Test", ...fields }), 201);
  if (microcredits) await grant(account_id, microcredits, "first", where);
  return { account_id, ask: await asking(account_id, where) };
}

async function grant(account_id, microcredits, reference, where = edge) {
  return json(await where.admin("POST", `/v1/admin/accounts/${account_id}/grants`, { microcredits, reference }));
}

async function asking(account_id, where = edge) {
  const objects = await where.miniflare.getDurableObjectNamespace("ACCOUNTS");
  const stub = objects.get(objects.idFromName(account_id));
  return async (verb, question = {}, status = 200) => {
    const response = await stub.fetch(`https://object/${verb}`, { method: "POST", body: JSON.stringify(question) });
    return json(response, status);
  };
}

const hold = (call_id, more = {}) => ({
  call_id,
  max_call_s: 300,
  rate_microcredits_per_second: RATE,
  max_calls: 1000,
  ...more,
});

async function assertSettled(ask, total) {
  const balance = await ask("balance");
  const { entries } = await ask("ledger", { limit: 500 });
  assert.equal(entries.reduce((sum, entry) => sum + entry.microcredits, 0), balance.total_microcredits);
  assert.deepEqual(balance, {
    total_microcredits: total,
    held_microcredits: 0,
    available_microcredits: total,
    active_calls: 0,
  });
}

test("a call holds its longest time and pays its seconds", async () => {
  const { ask } = await account(1_000_000);
  assert.deepEqual(await ask("admit", hold("a")), { decision: "accept", max_call_s: 300 });
  assert.equal((await ask("balance")).held_microcredits, 300 * RATE);
  const settled = { charged_microcredits: 42 * RATE, uncollected_microcredits: 0 };
  assert.deepEqual(await ask("settle", { call_id: "a", duration_ms: 41_001 }), settled);
  // Late, repeated, and of another length: the first settlement stands.
  assert.deepEqual(await ask("settle", { call_id: "a", duration_ms: 99_000 }), settled);
  await ask("admit", hold("a"), 409);
  await assertSettled(ask, 1_000_000 - 42 * RATE);
});

test("two hundred holds at once against credits for fifty are fifty holds, and settle to nothing held", async () => {
  const { ask } = await account(50 * 300 * RATE);
  const calls = Array.from({ length: 200 }, (_, n) => `call-${n}`);
  // Everybody asks twice, as an engine that lost the answer does.
  const answers = await Promise.all([...calls, ...calls].map((call) => ask("admit", hold(call))));
  const accepted = calls.filter((_, n) => answers[n].decision === "accept");
  assert.equal(accepted.length, 50);
  const full = await ask("balance");
  assert.deepEqual([full.available_microcredits, full.active_calls], [0, 50]);
  const charges = await Promise.all(
    accepted.map((call_id, n) => ask("settle", { call_id, duration_ms: n * 1_234 + 1 })),
  );
  const charged = charges.reduce((sum, { charged_microcredits }) => sum + charged_microcredits, 0);
  await assertSettled(ask, 50 * 300 * RATE - charged);
});

test("a call that was let in without the edge pays what is available at the account's rate, no more", async () => {
  const { ask } = await account(25_000, { rate_microcredits_per_second: 1_000 });
  const settle = (call_id, duration_ms) => ask("settle", { call_id, duration_ms });
  assert.deepEqual(await settle("one", 20_000), { charged_microcredits: 20_000, uncollected_microcredits: 0 });
  assert.deepEqual(await settle("two", 20_000), { charged_microcredits: 5_000, uncollected_microcredits: 15_000 });
  assert.deepEqual(await settle("three", 20_000), { charged_microcredits: 0, uncollected_microcredits: 20_000 });
  await assertSettled(ask, 0);
});

test("grants and refunds are entered once, by admins only, and shown to the account", async () => {
  const token = await edge.token("payer");
  const { account_id } = await json(await edge.as(token, "POST", "/v1/sign-up", { name: "Payer" }));
  const balances = await Promise.all(Array.from({ length: 10 }, () => grant(account_id, 5_000, "invoice-1")));
  assert.ok(balances.every(({ total_microcredits }) => total_microcredits === 5_000));
  const refund = { microcredits: 70, reference: "call-1" };
  await json(await edge.admin("POST", `/v1/admin/accounts/${account_id}/refunds`, refund));
  const grants = `/v1/admin/accounts/${account_id}/grants`;
  await json(await edge.admin("POST", grants, { microcredits: 6_000, reference: "invoice-1" }), 409);
  for (const body of [
    { microcredits: 0, reference: "x" },
    { microcredits: -5, reference: "x" },
    { microcredits: 1.5, reference: "x" },
    { microcredits: 1e18, reference: "x" },
    { microcredits: 1e30, reference: "x" },
    { microcredits: "5", reference: "x" },
    { microcredits: 5, reference: "" },
    { microcredits: 5, reference: "x".repeat(129) },
  ]) {
    await json(await edge.admin("POST", grants, body), 400);
  }
  await json(await edge.admin("POST", "/v1/admin/accounts/acc_none/grants", { microcredits: 5, reference: "x" }), 404);
  await json(await edge.as(token, "POST", grants, { microcredits: 5, reference: "mine" }), 401);
  const { entries } = await json(await edge.as(token, "GET", "/v1/account/ledger"));
  assert.deepEqual(
    entries.map(({ id, kind, microcredits, reference }) => [id, kind, microcredits, reference]),
    [
      [2, "refund", 70, "call-1"],
      [1, "grant", 5_000, "invoice-1"],
    ],
  );
  const page = await json(await edge.as(token, "GET", "/v1/account/ledger?limit=1&before=2"));
  assert.deepEqual(page.entries.map(({ id }) => id), [1]);
  for (const query of ["limit=0", "limit=501", "limit=x", "before=-1", "before=99999999999999999999"]) {
    await json(await edge.as(token, "GET", `/v1/account/ledger?${query}`), 400);
  }
});

test("an adjustment takes at most what is free", async () => {
  const { ask } = await account(300 * RATE + 10);
  await ask("admit", hold("a"));
  await ask("adjust", { microcredits: -11, reference: "too much" }, 402);
  assert.equal((await ask("adjust", { microcredits: -10, reference: "just enough" })).available_microcredits, 0);
});

test("the largest amounts are kept to the microcredit", async () => {
  const { ask } = await account(999_999_999_999_999);
  assert.equal((await ask("balance")).total_microcredits, 999_999_999_999_999);
  assert.equal((await ask("grant", { microcredits: 1, reference: "last" })).total_microcredits, 1_000_000_000_000_000);
  await ask("grant", { microcredits: 1, reference: "one more" }, 409);
  const endless = { call_id: "endless", duration_ms: Number.MAX_SAFE_INTEGER };
  assert.equal((await ask("settle", endless)).charged_microcredits, 1_000_000_000_000_000);
  await assertSettled(ask, 0);
});

test("what the object cannot read or does not know is refused, and it goes on", async () => {
  const { ask } = await account(1_000_000);
  await ask("admit", { call_id: "x" }, 400);
  await ask("admit", hold("x", { max_call_s: -1 }), 400);
  await ask("admit", hold("x", { max_call_s: 86_401 }), 400);
  await ask("admit", hold("x", { rate_microcredits_per_second: -1 }), 400);
  await ask("dance", {}, 404);
  assert.equal((await ask("admit", hold("x"))).decision, "accept");
});

test("holds survive a restart", async () => {
  const persist = mkdtempSync(path.join(tmpdir(), "tandem-credits-"));
  let first = await startEdge({ persist });
  let second;
  try {
    const { account_id, ask } = await account(1_000_000, {}, first);
    assert.equal((await ask("admit", hold("a"))).decision, "accept");
    const before = await ask("balance");
    await first.dispose();
    first = undefined;
    second = await startEdge({ persist });
    const askAgain = await asking(account_id, second);
    assert.deepEqual(await askAgain("balance"), before);
    assert.deepEqual(await askAgain("admit", hold("a")), { decision: "accept", max_call_s: 300 });
    assert.deepEqual(await askAgain("balance"), before);
    await askAgain("settle", { call_id: "a", duration_ms: 10_000 });
    await assertSettled(askAgain, 1_000_000 - 10 * RATE);
  } finally {
    await first?.dispose();
    await second?.dispose();
    rmSync(persist, { recursive: true });
  }
});

test("a hold whose call never ends expires by the alarm; a late end still pays", async () => {
  const hasty = await startEdge({ vars: { HOLD_GRACE_S: "0" } });
  try {
    const { ask } = await account(1_000_000, {}, hasty);
    await ask("admit", hold("long"));
    assert.equal((await ask("balance")).held_microcredits, 300 * RATE);
    // How long it is held depends on the machine; that it is no longer, and what is left then, does not.
    assert.deepEqual(await ask("admit", hold("short", { max_call_s: 1 })), { decision: "accept", max_call_s: 1 });
    const deadline = Date.now() + 20_000;
    while ((await ask("balance")).active_calls === 2) {
      assert.ok(Date.now() < deadline, "the hold did not expire");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal((await ask("balance")).held_microcredits, 300 * RATE);
    const settled = { charged_microcredits: 5 * RATE, uncollected_microcredits: 0 };
    assert.deepEqual(await ask("settle", { call_id: "short", duration_ms: 4_001 }), settled);
    await ask("settle", { call_id: "long", duration_ms: 0 });
    await assertSettled(ask, 1_000_000 - 5 * RATE);
  } finally {
    await hasty.dispose();
  }
});

test("calls that are over are forgotten after a while; what they cost is not", async () => {
  const forgetful = await startEdge({ vars: { HOLD_GRACE_S: "0", CALLS_KEPT_S: "0" } });
  try {
    const { ask } = await account(1_000_000, {}, forgetful);
    for (const call of ["paid", "free"]) await ask("admit", hold(call, { max_call_s: 1 }));
    await ask("settle", { call_id: "paid", duration_ms: 1_000 });
    await ask("settle", { call_id: "free", duration_ms: 0 });
    assert.equal((await ask("admit", hold("free"), 409)).error.code, "conflict");
    // The alarm of a later hold forgets them.
    await ask("admit", hold("next", { max_call_s: 1 }));
    const deadline = Date.now() + 20_000;
    while ((await ask("balance")).active_calls > 0) {
      assert.ok(Date.now() < deadline, "the hold did not expire");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(await ask("admit", hold("free")), { decision: "accept", max_call_s: 300 });
    await ask("settle", { call_id: "free", duration_ms: 0 });
    await assertSettled(ask, 1_000_000 - RATE);
  } finally {
    await forgetful.dispose();
  }
});

test("what goes wrong with admissions that are written together is everybody's answer", async () => {
  // A hold that would expire so late is no number SQLite is given.
  const endless = await startEdge({ vars: { HOLD_GRACE_S: "10000000000000" } });
  try {
    const { ask } = await account(1_000_000, {}, endless);
    const answers = await Promise.all(["a", "b", "c"].map((call) => ask("admit", hold(call), 400)));
    assert.deepEqual(answers.map(({ error }) => error.code), ["bad_request", "bad_request", "bad_request"]);
    await assertSettled(ask, 1_000_000);
  } finally {
    await endless.dispose();
  }
});
