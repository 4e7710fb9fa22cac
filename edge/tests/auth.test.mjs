// People, API keys and call tokens are who they say; replays, revoked sessions and foreign keys are refused.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Miniflare } from "miniflare";
import { devSecrets, miniflareOptions } from "../dev/options.mjs";
import { eventually } from "./fake_node.mjs";
import { signed, startEdge } from "./harness.mjs";

let edge;
before(async () => (edge = await startEdge()));
after(() => edge.dispose());

test("the development issuer's token is a person's, until the session is revoked", async () => {
  const response = await edge.request("/dev/token", { method: "POST", body: JSON.stringify({ subject: "ann", email: "ann@example.test" }) });
  const { token, session_id } = await response.json();
  assert.notEqual((await edge.as(token, "GET", "/v1/me")).status, 401);
  const revoked = await edge.admin("POST", "/v1/admin/sessions/revoke", { session_id });
  assert.equal(revoked.status, 200, await revoked.text());
  assert.equal((await edge.as(token, "GET", "/v1/me")).status, 401);
  assert.notEqual((await edge.as(await edge.token("ann"), "GET", "/v1/me")).status, 401);
});

test("a signed request is taken once", async () => {
  const body = JSON.stringify({ session_id: "ses_once" });
  const init = { method: "POST", body, headers: signed(devSecrets.ADMIN_SECRET, body) };
  assert.equal((await edge.request("/v1/admin/sessions/revoke", init)).status, 200);
  const again = await edge.request("/v1/admin/sessions/revoke", init);
  assert.equal(again.status, 401);
  assert.match((await again.json()).error.message, /sent before/);
});

test("of many copies sent at the same time one is taken", async () => {
  const body = JSON.stringify({ session_id: "ses_race" });
  const init = { method: "POST", body, headers: signed(devSecrets.ADMIN_SECRET, body) };
  const answers = await Promise.all(Array.from({ length: 20 }, () => edge.request("/v1/admin/sessions/revoke", init)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});

/** A server on this machine that answers as it is told; counts what it was asked. */
async function serverThat(answer) {
  const asked = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => (asked.push(body), answer(response, body)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${server.address().port}`, asked, close };
}

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function rs256(key, kid, claims) {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: "https://issuer.test", aud: ["tandem"], sub: "remote", sid: "ses_remote", iat: now, exp: now + 60, ...claims };
  const text = `${base64url({ alg: "RS256", kid, typ: "JWT" })}.${base64url(payload)}`;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}

const jwkOf = (pair, kid) => ({ ...pair.publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" });

test("keys of an issuer are fetched, kept while it is away, and fetched again for a new key", async () => {
  const [first, second] = [generateKeyPairSync("rsa", { modulusLength: 2048 }), generateKeyPairSync("rsa", { modulusLength: 2048 })];
  let keys = [jwkOf(first, "first")];
  const issuer = await serverThat((response) => response.end(JSON.stringify({ keys })));
  const vars = { JWT_ISSUER: "https://issuer.test", JWT_AUDIENCE: "tandem", JWKS_URL: issuer.url };
  const remote = await startEdge({ vars });
  try {
    const status = async (token) => (await remote.as(token, "GET", "/v1/me")).status;
    const good = rs256(first.privateKey, "first");
    // The public key is an RSA key everybody can read: it must not do as an HMAC secret.
    const text = `${base64url({ alg: "HS256", kid: "first" })}.${good.split(".")[1]}`;
    for (const form of [first.publicKey.export({ type: "spki", format: "pem" }), first.publicKey.export({ type: "pkcs1", format: "der" })]) {
      assert.equal(await status(`${text}.${createHmac("sha256", form).update(text).digest("base64url")}`), 401);
    }
    assert.equal(issuer.asked.length, 0);
    assert.notEqual(await status(good), 401);
    assert.equal(issuer.asked.length, 1);
    for (let n = 0; n < 5; n++) assert.notEqual(await status(good), 401);
    assert.equal(await status(rs256(first.privateKey, "first", { aud: "other" })), 401);
    assert.equal(await status(rs256(second.privateKey, "first")), 401);
    assert.equal(issuer.asked.length, 1);
    // A key not known is looked for once in half a minute; the first look was just now.
    keys = [jwkOf(first, "first"), jwkOf(second, "second")];
    for (let n = 0; n < 5; n++) assert.equal(await status(rs256(second.privateKey, "second")), 401);
    assert.equal(issuer.asked.length, 1);
    // Another isolate finds the keys in KV, even while the issuer is away, and the new one when it is back.
    await issuer.close();
    const kv = await remote.miniflare.getKVNamespace("CACHE");
    const stored = JSON.parse(await kv.get(`jwks:${issuer.url}`));
    assert.deepEqual(JSON.parse(stored.document).keys.map(({ kid }) => kid), ["first"]);
    assert.notEqual(await status(good), 401);
  } finally {
    await issuer.close();
    await remote.dispose();
  }
});

for (const [how, answer] of [
  ["is gone", null],
  ["is slow", () => {}],
  ["answers nonsense", (response) => response.end("<html>")],
  ["answers an error", (response) => response.writeHead(500).end("{}")],
  ["answers too much", (response) => response.end(JSON.stringify({ keys: [], more: "x".repeat(100_000) }))],
]) {
  test(`an issuer that ${how} lets nobody in and is said to be the reason`, async () => {
    const issuer = await serverThat(answer ?? ((response) => response.destroy()));
    if (!answer) await issuer.close();
    const remote = await startEdge({ vars: { JWT_ISSUER: "https://issuer.test", JWKS_URL: issuer.url } });
    try {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const response = await remote.as(rs256(privateKey, "any"), "GET", "/v1/me");
      assert.equal(response.status, 503);
      assert.equal((await response.json()).error.code, "unavailable");
    } finally {
      await issuer.close();
      await remote.dispose();
    }
  });
}

test("what was seen is still refused after a restart: an admin's at once, an engine's once it is written down", async () => {
  const persist = mkdtempSync(path.join(tmpdir(), "tandem-replay-"));
  const kept = await startEdge({ persist });
  const written = (signature) =>
    readdirSync(persist, { recursive: true })
      .filter((file) => /ReplayGuard.*sqlite(-wal)?$/.test(file))
      .some((file) => readFileSync(path.join(persist, file)).includes(signature.slice(3)));
  try {
    const nothing = "/v1/engine/events";
    const batch = JSON.stringify({ v: 1, node: "node-1", events: [] });
    const engine = { method: "POST", body: batch, headers: signed(devSecrets.ENGINE_SECRET, batch) };
    assert.equal((await kept.request(nothing, engine)).status, 200);
    assert.equal((await kept.request(nothing, engine)).status, 401);
    await eventually(() => written(engine.headers["x-tandem-signature"]), Boolean);
    const body = JSON.stringify({ session_id: "ses_kept" });
    const admin = { method: "POST", body, headers: signed(devSecrets.ADMIN_SECRET, body) };
    assert.equal((await kept.request("/v1/admin/sessions/revoke", admin)).status, 200);
    assert.ok(written(admin.headers["x-tandem-signature"]), "not written down when it was answered");
    await kept.change({});
    assert.equal((await kept.request(nothing, engine)).status, 401);
    assert.equal((await kept.request("/v1/admin/sessions/revoke", admin)).status, 401);
  } finally {
    await kept.dispose();
    rmSync(persist, { recursive: true });
  }
});

test("of many who send the same signed request at once, one is served", async () => {
  const batch = JSON.stringify({ v: 1, node: "node-1", events: [] });
  const init = { method: "POST", body: batch, headers: signed(devSecrets.ENGINE_SECRET, batch) };
  const answers = await Promise.all(Array.from({ length: 20 }, () => edge.request("/v1/engine/events", init)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(19).fill(401)]);
});

test("without its replay guard the edge refuses signed requests and says why", async () => {
  const options = miniflareOptions({ vars: { REQUESTS_PER_MINUTE: "1000000" } });
  delete options.durableObjects.REPLAY_GUARDS;
  const unguarded = new Miniflare(options);
  try {
    const url = (await unguarded.ready).origin;
    const body = JSON.stringify({ session_id: "ses_x" });
    const response = await fetch(`${url}/v1/admin/sessions/revoke`, { method: "POST", body, headers: signed(devSecrets.ADMIN_SECRET, body) });
    assert.equal(response.status, 503);
    assert.match((await response.json()).error.message, /sent before/);
  } finally {
    await unguarded.dispose();
  }
});

const passed = (response) => response.end(JSON.stringify({ success: true, "error-codes": [], hostname: "localhost" }));
const failed = (...codes) => (response) => response.end(JSON.stringify({ success: false, "error-codes": codes }));
for (const [how, answer, status] of [
  ["says a person", passed, 200],
  ["says a program", failed("invalid-input-response"), 403],
  ["has seen the token before", failed("timeout-or-duplicate"), 403],
  ["does not know our secret", failed("invalid-input-secret"), 503],
  ["answers nonsense", (response) => response.writeHead(502).end("<html>"), 503],
  ["is slow", () => {}, 503],
  ["is gone", (response) => response.destroy(), 503],
]) {
  test(`a sign-up while Turnstile ${how} is answered ${status}`, async () => {
    const siteverify = await serverThat(answer);
    const guarded = await startEdge({ vars: { TURNSTILE_SECRET: "turnstile-secret", TURNSTILE_URL: `${siteverify.url}/siteverify` } });
    try {
      const token = await guarded.token("ann");
      const signUp = (body) => guarded.as(token, "POST", "/v1/sign-up", body, { "cf-connecting-ip": "192.0.2.7" });
      for (const without of [{ name: "Ann" }, { name: "Ann", turnstile_token: "" }, { turnstile_token: "x".repeat(2049) }]) {
        assert.equal((await signUp(without)).status, 403);
      }
      assert.equal(siteverify.asked.length, 0);
      const response = await signUp({ name: "Ann", turnstile_token: "t&k=1" });
      assert.equal(response.status, status, await response.text());
      const [form] = siteverify.asked.map((text) => Object.fromEntries(new URLSearchParams(text)));
      assert.deepEqual(form, { secret: "turnstile-secret", response: "t&k=1", remoteip: "192.0.2.7" });
    } finally {
      await siteverify.close();
      await guarded.dispose();
    }
  });
}
