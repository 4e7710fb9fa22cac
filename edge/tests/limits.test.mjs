// Exactly so many requests a minute pass, from an address or of an account, whatever happens in between.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { startEdge } from "./harness.mjs";

const LIMIT = 100;
let edge;
let folder;
const vars = { REQUESTS_PER_MINUTE: String(LIMIT) };

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tandem-limits-"));
  edge = await startEdge({ persist: folder, vars });
});
after(async () => {
  await edge.dispose();
  await rm(folder, { recursive: true, force: true });
});

const health = (address) => edge.request("/health", { headers: { "cf-connecting-ip": address } });

/** What an answer says about its limit, held against its own headers. */
async function verdict(response) {
  const number = (name) => Number(response.headers.get(name));
  const said = { status: response.status, remaining: number("x-ratelimit-remaining"), reset_s: number("x-ratelimit-reset") };
  assert.equal(number("x-ratelimit-limit"), LIMIT);
  if (response.status !== 429) return said;
  const { error } = await response.json();
  assert.equal(error.code, "rate_limited");
  assert.equal(error.remaining, 0);
  assert.equal(said.remaining, 0);
  assert.equal(Math.ceil(error.reset_at_ms / 1000), said.reset_s);
  assert.ok(number("retry-after") >= 1 && number("retry-after") <= 60);
  return { ...said, reset_at_ms: error.reset_at_ms };
}

test("of 1,000 requests at once from one address exactly 100 pass, and still no more after a restart", async () => {
  const from_ms = Date.now();
  const answers = await Promise.all(Array.from({ length: 1000 }, async () => verdict(await health("192.0.2.1"))));
  const to_ms = Date.now();
  const passed = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 429);
  assert.equal(passed.length, LIMIT);
  assert.equal(refused.length, 900);
  assert.deepEqual(passed.map(({ remaining }) => remaining).sort((a, b) => a - b), Array.from({ length: LIMIT }, (_, n) => n));
  // All name the moment the first pass leaves the window.
  const [reset_at_ms] = new Set(refused.map(({ reset_at_ms }) => reset_at_ms));
  assert.ok(refused.every((answer) => answer.reset_at_ms === reset_at_ms));
  assert.ok(reset_at_ms >= from_ms + 60_000 && reset_at_ms <= to_ms + 60_000, `${reset_at_ms - from_ms}`);

  await edge.dispose();
  edge = await startEdge({ persist: folder, vars });
  const after = await verdict(await health("192.0.2.1"));
  assert.equal(after.status, 429);
  assert.equal(after.reset_at_ms, reset_at_ms);
});

test("another address has its own limit; the addresses of one IPv6 network share theirs", async () => {
  assert.equal((await verdict(await health("192.0.2.2"))).remaining, LIMIT - 1);
  assert.equal((await verdict(await health("2001:db8:0:7::1"))).remaining, LIMIT - 1);
  assert.equal((await verdict(await health("2001:db8:0:7::2"))).remaining, LIMIT - 2);
  assert.equal((await verdict(await health("2001:db8:0:8::1"))).remaining, LIMIT - 1);
});

test("what is refused for another reason counts too, what is signed does not, nor do pages", async () => {
  const from = { "cf-connecting-ip": "192.0.2.3" };
  const ask = (route, init = {}) => edge.request(route, { ...init, headers: { ...from, ...init.headers } });
  assert.equal((await verdict(await ask("/v1/nothing"))).remaining, LIMIT - 1);
  assert.equal((await verdict(await ask("/health", { method: "POST" }))).remaining, LIMIT - 2);
  assert.equal((await verdict(await ask("/v1/me"))).remaining, LIMIT - 3);
  assert.equal((await verdict(await ask("/v1/admin/accounts"))).remaining, LIMIT - 4);
  const forged = { "x-tandem-timestamp": String(Date.now()), "x-tandem-signature": `v1=${"0".repeat(64)}` };
  assert.equal((await verdict(await ask("/v1/admin/accounts", { headers: forged }))).remaining, LIMIT - 5);
  const page = await ask("/");
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("x-ratelimit-limit"), null);
  const preflight = await ask("/v1/me", { method: "OPTIONS" });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("x-ratelimit-limit"), null);
  const admin = await edge.admin("POST", "/v1/admin/sessions/revoke", { session_id: "ses_x" });
  assert.equal(admin.status, 200);
  assert.equal(admin.headers.get("x-ratelimit-limit"), null);
  assert.equal((await verdict(await ask("/health"))).remaining, LIMIT - 6);
});
