// Every route times every credential: only the right cells pass. The routes are the Worker's own table
// (routes.json, held against it by a unit test), so that a new route is in here by itself.
import assert from "node:assert/strict";
import { createHash, createHmac, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { devSecrets } from "../dev/options.mjs";
import { signed, startEdge } from "./harness.mjs";

const routes = JSON.parse(readFileSync(new URL("routes.json", import.meta.url), "utf8")).map(
  ([id, method, path, access]) => ({ id, method, path, access }),
);
const issuerKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
const strangeKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = issuerKey.privateKey.export({ type: "pkcs8", format: "pem" });
const hour = 3600;

let edge;
before(async () => {
  edge = await startEdge({ vars: { DEV_JWT_KEY: pem } });
  await seed();
});
after(() => edge.dispose());

const keyOf = (name) => `tk_${name.padEnd(32, "a")}`;

async function seed() {
  const database = await edge.miniflare.getD1Database("DB");
  const now = Date.now();
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const account = (id, ips = "[]") =>
    database.prepare("INSERT INTO accounts (account_id, name, requests_per_minute, allowed_ips, created_at_ms) VALUES (?, ?, 1000000, ?, ?)").bind(id, id, ips, now);
  const person = (id, subject) =>
    database.prepare("INSERT INTO people (person_id, subject, email, created_at_ms) VALUES (?, ?, ?, ?)").bind(id, subject, `${subject}@example.test`, now);
  const member = (person, account) =>
    database.prepare("INSERT INTO memberships (person_id, account_id, created_at_ms) VALUES (?, ?, ?)").bind(person, account, now);
  const key = (id, account, revoked = null) =>
    database.prepare("INSERT INTO api_keys (key_id, account_id, name, sha256, created_at_ms, revoked_at_ms) VALUES (?, ?, ?, ?, ?, ?)").bind(id, account, id, sha256(keyOf(id)), now, revoked);
  await database.batch([
    account("acc_one"), account("acc_two"), account("acc_homebound", '["192.0.2.0/24","2001:db8::/32"]'), account("acc_misspelt", '["192.0.2.0/99"]'),
    ...["one", "two", "homebound"].map((name) =>
      database.prepare("INSERT INTO profiles (profile_id, account_id, name, profile, created_at_ms) VALUES (?, ?, 'Front desk', '{}', ?)").bind(`prf_${name}`, `acc_${name}`, now)),
    person("per_one", "one"), person("per_two", "two"), member("per_one", "acc_one"), member("per_two", "acc_two"),
    key("key_one", "acc_one"), key("key_revoked", "acc_one", now), key("key_homebound", "acc_homebound"), key("key_misspelt", "acc_misspelt"),
    database.prepare("INSERT INTO revoked_sessions VALUES ('ses_revoked', ?)").bind(now),
  ]);
}

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A session token; what is not said is right. */
function jwt({ alg = "ES256", kid = "development", key = issuerKey.privateKey, secret, ...claims } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: `${edge.url}/dev`, sub: "one", sid: "ses_1", email: "one@example.test", iat: now, exp: now + hour, ...claims };
  const text = `${base64url({ alg, kid, typ: "JWT" })}.${base64url(payload)}`;
  if (alg === "none") return `${text}.`;
  const signature = secret
    ? createHmac("sha256", secret).update(text).digest()
    : sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

function callToken({ secret = devSecrets.TOKEN_SECRET, alg = "HS256", aud = "call-session", life_s = 60 } = {}) {
  const exp = Math.floor(Date.now() / 1000) + life_s;
  const text = `${base64url({ alg, typ: "JWT" })}.${base64url({ aud, call_id: "3f0c", account_id: "acc_one", user_id: "per_one", exp })}`;
  return `${text}.${alg === "none" ? "" : createHmac("sha256", secret).update(text).digest("base64url")}`;
}

const bearer = (make) => () => ({ headers: { authorization: `Bearer ${make()}` } });
const inQuery = (make) => () => ({ query: `token=${make()}` });
let stamp = Date.now();
/** Signs what the request will carry; `shift_ms` moves its date. */
const signs = (secret, shift_ms = 0) => (payload) => ({ headers: signed(secret, payload, ++stamp + shift_ms) });
const publicForms = () => {
  const key = issuerKey.publicKey;
  return [key.export({ type: "spki", format: "pem" }), key.export({ type: "spki", format: "der" }), JSON.stringify(key.export({ format: "jwk" }))];
};

/** Who comes with it, how, and which kinds of routes let them in. */
const credentials = [
  { name: "nothing", give: () => ({}), opens: [] },
  { name: "a user", give: bearer(() => jwt()), opens: ["Person", "Owner", "Member"] },
  { name: "another account's user", give: bearer(() => jwt({ sub: "two", sid: "ses_2" })), opens: ["Person", "Owner", "Member"] },
  { name: "a user naming their account", give: () => ({ headers: { authorization: `Bearer ${jwt()}`, "x-tandem-account": "acc_one" } }), opens: ["Person", "Owner", "Member"] },
  { name: "a user naming another's account", give: () => ({ headers: { authorization: `Bearer ${jwt()}`, "x-tandem-account": "acc_two" } }), opens: [] },
  { name: "a user before sign-up", give: bearer(() => jwt({ sub: `new_${++stamp}`, sid: "ses_3" })), opens: ["Person"] },
  { name: "an API key", give: bearer(() => keyOf("key_one")), opens: ["Member"] },
  { name: "an API key from its own network", give: () => ({ headers: { authorization: `Bearer ${keyOf("key_homebound")}`, "cf-connecting-ip": "192.0.2.77" } }), opens: ["Member"] },
  { name: "an API key from elsewhere", give: () => ({ headers: { authorization: `Bearer ${keyOf("key_homebound")}`, "cf-connecting-ip": "198.51.100.1" } }), opens: [] },
  { name: "an API key whose networks cannot be read", give: () => ({ headers: { authorization: `Bearer ${keyOf("key_misspelt")}`, "cf-connecting-ip": "192.0.2.77" } }), opens: [] },
  { name: "a revoked API key", give: bearer(() => keyOf("key_revoked")), opens: [] },
  { name: "an unknown API key", give: bearer(() => keyOf("nobodys")), opens: [] },
  { name: "a call token", give: inQuery(() => callToken()), opens: ["CallToken"] },
  { name: "a call token as a bearer", give: bearer(() => callToken()), opens: [] },
  { name: "a session token in the query", give: inQuery(() => jwt()), opens: [] },
  { name: "an engine", give: signs(devSecrets.ENGINE_SECRET), opens: ["Engine"] },
  { name: "an admin", give: signs(devSecrets.ADMIN_SECRET), opens: ["Admin"] },
  { name: "somebody with the token secret", give: signs(devSecrets.TOKEN_SECRET), opens: [] },
  { name: "an expired session", give: bearer(() => jwt({ exp: Math.floor(Date.now() / 1000) - 60 })), opens: [] },
  { name: "a session of tomorrow", give: bearer(() => jwt({ nbf: Math.floor(Date.now() / 1000) + 60 })), opens: [] },
  { name: "a revoked session", give: bearer(() => jwt({ sid: "ses_revoked" })), opens: [] },
  { name: "a token without a session", give: bearer(() => jwt({ sid: undefined })), opens: [] },
  { name: "a token of another issuer", give: bearer(() => jwt({ iss: "https://issuer.test" })), opens: [] },
  { name: "a token of another key", give: bearer(() => jwt({ key: strangeKey.privateKey })), opens: [] },
  { name: "a token of an unknown key", give: bearer(() => jwt({ kid: "unknown" })), opens: [] },
  { name: "a token with alg none", give: bearer(() => jwt({ alg: "none" })), opens: [] },
  ...[0, 1, 2].map((form) => ({ name: `the public key as an HMAC secret, form ${form}`, give: bearer(() => jwt({ alg: "HS256", secret: publicForms()[form] })), opens: [] })),
  { name: "an expired call token", give: inQuery(() => callToken({ life_s: -1 })), opens: [] },
  { name: "a call token that lives too long", give: inQuery(() => callToken({ life_s: 3600 })), opens: [] },
  { name: "a call token of another secret", give: inQuery(() => callToken({ secret: "other" })), opens: [] },
  { name: "a call token for another audience", give: inQuery(() => callToken({ aud: "other" })), opens: [] },
  { name: "a call token with alg none", give: inQuery(() => callToken({ alg: "none" })), opens: [] },
  { name: "an engine from yesterday", give: signs(devSecrets.ENGINE_SECRET, -86_400_000), opens: [] },
  { name: "an engine from the future", give: signs(devSecrets.ENGINE_SECRET, 60_000), opens: [] },
  { name: "an admin from six minutes ago", give: signs(devSecrets.ADMIN_SECRET, -360_000), opens: [] },
  { name: "an admin from the future", give: signs(devSecrets.ADMIN_SECRET, 60_000), opens: [] },
  { name: "an engine's signature of something else", give: () => signs(devSecrets.ENGINE_SECRET)("something else"), opens: [] },
  { name: "an admin's signature of something else", give: () => signs(devSecrets.ADMIN_SECRET)("something else"), opens: [] },
];

const open = ["Public", "Dev"];
const kinds = [...open, "Engine", "Admin", "Person", "Owner", "Member", "CallToken"];

/** One cell of the table. */
async function ask(route, give) {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name) => (name === "part" ? "1" : `no-${name}`));
  const body = ["POST", "PUT", "PATCH"].includes(route.method) ? "{}" : undefined;
  // What a signature is over depends on the query, what the query is on the credential.
  const { query } = give("");
  const full = query ? `${path}?${query}` : path;
  const { headers } = give(body ?? full);
  return { init: { method: route.method, body, headers }, full };
}

const passes = ({ status }) => status !== 401 && status !== 403;

test("every route is of a kind this table knows", () => {
  for (const route of routes) assert.ok(kinds.includes(route.access), `${route.id}: ${route.access}`);
  assert.ok(routes.length >= 50);
});

for (const { name, give, opens } of credentials) {
  test(`${name}: ${opens.join(", ") || "nothing but what is open to all"}`, async () => {
    const wrong = await Promise.all(
      routes.map(async (route) => {
        const { init, full } = await ask(route, give);
        const response = await edge.request(full, init);
        const text = await response.text();
        const said = `${route.method} ${full} (${route.access}): ${response.status} ${text}`;
        // A link to a recording carries a signature of its own, which nobody here has.
        if (route.id === "RecordingLink") return response.status >= 400 && response.status < 500 ? [] : [said];
        const expected = open.includes(route.access) || opens.includes(route.access);
        return passes(response) === expected && response.status !== 500 ? [] : [said];
      }),
    );
    assert.deepEqual(wrong.flat(), []);
  });
}

test("what is one account's is not there for another", async () => {
  const body = async (answer) => {
    const response = await answer;
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  };
  const owner = jwt({ sub: "owner", sid: "ses_o", email: "owner@example.test" });
  const stranger = jwt({ sub: "stranger", sid: "ses_s", email: "stranger@example.test" });
  const own = await body(edge.as(owner, "POST", "/v1/sign-up", { name: "Owner" }));
  const other = await body(edge.as(stranger, "POST", "/v1/sign-up", { name: "Stranger" }));
  assert.notEqual(own.account_id, other.account_id);
  const call_id = "01932f6e-8a40-7c3e-9d8a-3f1b2c4d5e6f";
  const database = await edge.miniflare.getD1Database("DB");
  const { call } = JSON.parse(readFileSync(new URL("../protocol/examples/live/call.json", import.meta.url), "utf8"));
  await database.batch([
    database.prepare("INSERT INTO numbers VALUES ('15550123', ?, ?)").bind(own.account_id, own.profile_id),
    database.prepare("INSERT INTO api_keys (key_id, account_id, name, sha256, created_at_ms) VALUES ('key_own', ?, 'x', ?, 0), ('key_other', ?, 'x', ?, 0)")
      .bind(own.account_id, createHash("sha256").update(keyOf("key_own")).digest("hex"), other.account_id, createHash("sha256").update(keyOf("key_other")).digest("hex")),
    database.prepare("INSERT INTO calls (call_id, account_id, started_at_ms, duration_ms, cause, summary) VALUES (?, ?, ?, 1, 'agent_hung_up', ?)")
      .bind(call_id, own.account_id, Date.now(), JSON.stringify({ ...call, call_id, account_id: own.account_id })),
    database.prepare("INSERT INTO recordings (call_id, account_id, object_key, bytes, sha256, content_type, duration_ms, stored_at_ms, delete_after_ms) VALUES (?, ?, 'recordings/x', 1, '00', 'audio/ogg', 1, 0, 9e15)")
      .bind(call_id, own.account_id),
  ]);
  const theirs = [
    ["GET", `/v1/profiles/${own.profile_id}`], ["PUT", `/v1/profiles/${own.profile_id}`, { name: "Taken", prompt: "x", greeting: "x" }], ["DELETE", `/v1/profiles/${own.profile_id}`],
    ["DELETE", "/v1/numbers/15550123"], ["DELETE", "/v1/api-keys/key_own"],
    ["GET", `/v1/calls/${call_id}`], ["GET", `/v1/calls/${call_id}/recording`], ["POST", `/v1/calls/${call_id}/hang-up`, {}],
    ["POST", `/v1/calls/${call_id}/dtmf`, { digits: "1" }],
  ];
  for (const who of [stranger, keyOf("key_other")]) {
    for (const [method, path, sent] of theirs) {
      const response = await edge.as(who, method, path, sent);
      assert.ok([403, 404].includes(response.status), `${method} ${path}: ${response.status} ${await response.text()}`);
      assert.equal((await edge.as(who, method, path, sent, { "x-tandem-account": own.account_id })).status, who === stranger ? 403 : response.status);
    }
    for (const list of ["/v1/profiles", "/v1/numbers", "/v1/calls", "/v1/account", "/v1/account/ledger"]) {
      const text = await (await edge.as(who, "GET", list)).text();
      for (const mine of [own.account_id, own.profile_id, call_id, "15550123"]) assert.ok(!text.includes(mine), `${list}: ${text}`);
    }
  }
  for (const who of [owner, keyOf("key_own")]) {
    assert.equal((await edge.as(who, "GET", `/v1/profiles/${own.profile_id}`)).status, 200);
    assert.equal((await edge.as(who, "GET", `/v1/calls/${call_id}/recording`)).status, 200);
    assert.match(await (await edge.as(who, "GET", "/v1/numbers")).text(), /15550123/);
  }
});

for (const [who, secret, access] of [["engine", devSecrets.ENGINE_SECRET, "Engine"], ["admin", devSecrets.ADMIN_SECRET, "Admin"]]) {
  test(`a request of an ${who} sent again is refused on every route`, async () => {
    for (const route of routes.filter((route) => route.access === access)) {
      const { init, full } = await ask(route, signs(secret));
      const first = await edge.request(full, init);
      await first.text();
      assert.ok(passes(first), `${full}: ${first.status}`);
      const again = await edge.request(full, init);
      assert.equal(again.status, 401, full);
      assert.match(await again.text(), /sent before/);
    }
  });
}

test("the development issuer exists in development only", async () => {
  const staging = await startEdge({ vars: { ENVIRONMENT: "staging" } });
  try {
    for (const route of routes.filter((route) => route.access === "Dev")) {
      for (const method of [route.method, "OPTIONS", "PATCH"]) {
        assert.equal((await staging.request(route.path, { method, body: method === "POST" ? "{}" : undefined })).status, 404, `${method} ${route.path}`);
      }
    }
    // Nor is its well-known key believed, or itself asked for it.
    const token = await edge.token("one");
    assert.notEqual((await staging.as(token, "GET", "/v1/me")).status, 200);
    const me = await staging.as(token, "GET", "/v1/me");
    assert.ok([401, 503].includes(me.status), `${me.status}`);
  } finally {
    await staging.dispose();
  }
});

test("admins come from their own addresses if those are named", async () => {
  const strict = await startEdge({ vars: { ADMIN_ALLOWED_IPS: "192.0.2.0/24, 2001:db8::1" } });
  try {
    const body = JSON.stringify({ session_id: "ses_x" });
    const from = (address) =>
      strict.request("/v1/admin/sessions/revoke", { method: "POST", body, headers: { ...signed(devSecrets.ADMIN_SECRET, body), "cf-connecting-ip": address } });
    assert.equal((await from("192.0.2.9")).status, 200);
    assert.equal((await from("2001:db8::1")).status, 200);
    assert.equal((await from("198.51.100.1")).status, 403);
    assert.equal((await from("2001:db8::2")).status, 403);
  } finally {
    await strict.dispose();
  }
});

/** How an upgrade ends: 101, or the status it was refused with. */
function upgrade(path, protocols) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(edge.url.replace("http", "ws") + path, protocols);
    socket.on("open", () => (socket.close(), resolve(101)));
    socket.on("unexpected-response", (_, response) => (response.resume(), resolve(response.statusCode)));
    socket.on("error", reject);
  });
}

test("a browser's WebSocket brings its token as a subprotocol", async () => {
  const refused = [401, 403];
  for (const good of [jwt(), keyOf("key_one")]) {
    assert.ok(!refused.includes(await upgrade("/v1/live", ["tandem.v1", `token.${good}`])));
  }
  for (const bad of [jwt({ exp: 1 }), jwt({ alg: "none" }), keyOf("key_revoked"), callToken()]) {
    assert.ok(refused.includes(await upgrade("/v1/live", ["tandem.v1", `token.${bad}`])));
  }
  assert.ok(refused.includes(await upgrade("/v1/live", ["tandem.v1"])));
  assert.ok(refused.includes(await upgrade(`/ws/call-session?token=${callToken({ life_s: -1 })}`, [])));
  assert.ok(!refused.includes(await upgrade(`/ws/call-session?token=${callToken()}`, [])));
});
