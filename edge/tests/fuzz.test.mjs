// 10,000 random and mutated requests and WebSocket messages over all routes: never a 5xx, never silence.
// The same seed gives the same requests: FUZZ_SEED=… FUZZ_REQUESTS=… to look further.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { devSecrets } from "../dev/options.mjs";
import { signed, startEdge } from "./harness.mjs";

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 9_000);
const SOCKETS = Math.ceil(REQUESTS / 180);
const MESSAGES = 20;
const PATIENCE_MS = 3_000;
const AT_ONCE = 16;

const routes = JSON.parse(readFileSync(new URL("routes.json", import.meta.url), "utf8")).map(
  ([id, method, path, access]) => ({ id, method, path, access }),
);
const examples = exampleTexts();

function exampleTexts() {
  const folder = new URL("../protocol/examples/", import.meta.url);
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")));
}

/** A small, seeded generator (mulberry32). */
function chance(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { next, below, pick: (list) => list[below(list.length)], odds: (p) => next() < p };
}

const oddTexts = ["", " ", "0", "-1", "1e309", "9007199254740993", "null", "NaN", "true", "..", "%00", "%2e%2e", "%ff", "a".repeat(300), "日本語", "'; DROP TABLE accounts; --", "\u202e", "acc_one", "https://[", "\\", "{}", "[]"];
const oddValues = [null, true, false, 0, -1, 0.5, 1e308, 2 ** 53, -(2 ** 63), "", "x", "x".repeat(5_000), [], {}, [[]], [null], { "": {} }, "acc_one", "+15550100", "\u0000", "😀"];

/** Bodies the routes would like, before they are spoilt. */
const bodies = [
  { name: "Front desk", profile: examples.find((example) => example.agent)?.agent ?? {} },
  { name: "Acme", email: "a@example.test", account_name: "Acme", turnstile_token: "x" },
  { number: "+15550100", account_id: "acc_one", profile_id: "prf_one", address: "192.0.2.1" },
  { microcredits: 1_000_000, reference: "grant_1", reason: "welcome" },
  { url: "https://hooks.example.test/x", events: ["call.ended"] },
  { call_id: "5f0c2f70-6c1c-4b1e-9a39-1f7c6b9b6d11", profile_id: "prf_one" },
  { weights: [{ version: "0.1.0", weight: 90 }, { version: "0.2.0", weight: 10 }] },
  { subject: "one", email: "one@example.test" },
  { session_id: "ses_x" },
  ...examples,
];

function spoilt(random, value, depth = 0) {
  if (random.odds(0.15)) return random.pick(oddValues);
  if (Array.isArray(value)) {
    const list = value.map((item) => spoilt(random, item, depth + 1));
    if (random.odds(0.1)) list.push(...list.slice(0, 50));
    return list;
  }
  if (value && typeof value === "object") {
    const entries = Object.entries(value).filter(() => !random.odds(0.1));
    const changed = Object.fromEntries(entries.map(([key, item]) => [key, spoilt(random, item, depth + 1)]));
    if (random.odds(0.1)) changed[random.pick(oddTexts)] = random.pick(oddValues);
    return changed;
  }
  if (typeof value === "number") return random.odds(0.3) ? value * random.pick([-1, 0, 1e6, 1e15, 0.1]) : value;
  if (typeof value === "string") return random.odds(0.3) ? value.slice(0, random.below(value.length + 1)) + random.pick(oddTexts) : value;
  return value;
}

function bodyText(random) {
  const kind = random.next();
  if (kind < 0.05) return random.pick(["", "{", "[", '"', "[".repeat(20_000), '{"a":'.repeat(2_000), "\u0000", "not json"]);
  if (kind < 0.1) return Buffer.from(Array.from({ length: random.below(400) }, () => random.below(256))).toString("latin1");
  const text = JSON.stringify(kind < 0.25 ? random.pick(bodies) : spoilt(random, random.pick(bodies)));
  if (kind < 0.85 || !text) return text ?? "";
  const at = random.below(text.length);
  return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + random.below(5));
}

const segments = { part: ["1", "0", "2"], name: ["retention", "x"], node: ["node-a"], number: ["+15550100", "%2B15550100"], call_id: ["5f0c2f70-6c1c-4b1e-9a39-1f7c6b9b6d11"], account_id: ["acc_one"], profile_id: ["prf_one"], key_id: ["key_one"], job_id: ["job_one"] };

function pathOf(random, route) {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name) => encoded(random.odds(0.7) ? random.pick(segments[name] ?? ["x"]) : random.pick(oddTexts)));
  const query = ["", "", "?limit=10", "?limit=-1&before=x", "?node=node-a", `?${encoded(random.pick(oddTexts))}=${encoded(random.pick(oddTexts))}`, "?expires=1&signature=00", "?token=x"];
  return (random.odds(0.05) ? `${path}/${encoded(random.pick(oddTexts))}` : path) + random.pick(query);
}

const encoded = (text) => (/^(%[0-9a-f]{2})+$/i.test(text) || text === ".." ? text : encodeURIComponent(text));

const apiKey = `tk_${"a".repeat(32)}`;
let edge;
let user;
const sockets = [];
before(async () => {
  edge = await startEdge();
  user = await edge.token("one");
  const signedUp = await (await edge.as(user, "POST", "/v1/sign-up", { name: "One" })).json();
  segments.account_id.push(signedUp.account_id);
  segments.profile_id.push(signedUp.profile_id);
  const database = await edge.miniflare.getD1Database("DB");
  await database.batch([
    database.prepare("UPDATE accounts SET requests_per_minute = 1000000"),
    database
      .prepare("INSERT INTO api_keys (key_id, account_id, name, sha256, created_at_ms) VALUES ('key_one', ?, 'x', ?, 0)")
      .bind(signedUp.account_id, createHash("sha256").update(apiKey).digest("hex")),
  ]);
});
after(async () => {
  for (const socket of sockets) socket.terminate();
  await edge.dispose();
});

let stamp = Date.now();

/** Mostly what the route wants, so that the body is looked at. */
function credentials(random, access, payload) {
  if (random.odds(0.1)) {
    return random.pick([{}, { authorization: "Bearer" }, { authorization: `Bearer ${user.slice(0, 40)}` }, { authorization: "Basic eDp5" }, { authorization: "Bearer tk_x" }, { "x-tandem-timestamp": "1", "x-tandem-signature": "v1=00" }]);
  }
  // A signature is good once: in time, but never the same stamp.
  if (access === "Engine") return signed(devSecrets.ENGINE_SECRET, payload, stamp++);
  if (access === "Admin") return signed(devSecrets.ADMIN_SECRET, payload, stamp++);
  const account = random.odds(0.05) ? { "x-tandem-account": encodeURIComponent(random.pick(oddTexts)) } : {};
  return { authorization: `Bearer ${access === "Member" && random.odds(0.8) ? apiKey : user}`, ...account };
}

function request(random) {
  const route = random.pick(routes);
  const method = random.odds(0.06) ? random.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]) : route.method;
  const path = pathOf(random, route);
  const body = ["POST", "PUT", "PATCH"].includes(method) ? Buffer.from(bodyText(random), "utf8") : undefined;
  const payload = body?.length ? body : new URL(path, edge.url).pathname + new URL(path, edge.url).search;
  const headers = { ...credentials(random, route.access, payload) };
  if (random.odds(0.1)) headers.range = random.pick(["bytes=0-", "bytes=-1", "bytes=5-1", "x", "bytes=0-99999999999999999999"]);
  if (random.odds(0.1)) headers.origin = random.pick(["null", edge.url, "https://x.test"]);
  if (random.odds(0.03)) headers["content-type"] = random.pick(["", "text/plain", "multipart/form-data; boundary=x"]);
  return { method, path, headers, body };
}

/** One request on a connection of its own; resolves to its status, or to why there is none. */
function send({ method, path, headers, body }) {
  return new Promise((resolve) => {
    const started = http.request(`${edge.url}`, { method, path, headers, agent: false, timeout: PATIENCE_MS }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
      response.on("error", (error) => resolve(error.message));
    });
    started.on("timeout", () => (started.destroy(), resolve(`no answer within ${PATIENCE_MS} ms`)));
    started.on("error", (error) => resolve(error.message));
    started.end(body);
  });
}

test(`${REQUESTS} requests, good, spoilt and mad: each is answered in time, none with a 5xx`, async () => {
  const random = chance(SEED);
  const failed = [];
  const seen = new Map();
  let left = REQUESTS;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const made = request(random);
        const status = await send(made);
        seen.set(status, (seen.get(status) ?? 0) + 1);
        if (!(status < 500)) failed.push(`${status}: ${made.method} ${made.path} ${String(made.body ?? "").slice(0, 300)}`);
      }
    }),
  );
  assert.deepEqual(failed.slice(0, 20), [], `${failed.length} of ${REQUESTS}; seed ${SEED}`);
  // Else everything was refused at the door.
  assert.ok((seen.get(200) ?? 0) > REQUESTS / 50 && (seen.get(400) ?? 0) > REQUESTS / 50, JSON.stringify([...seen]));
  assert.equal(await send({ method: "GET", path: "/health", headers: {} }), 200);
});

function callToken(call_id) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ aud: "call-session", call_id, account_id: "acc_one", user_id: "per_one", exp: Math.floor(Date.now() / 1000) + 120 })}`;
  return `${text}.${createHmac("sha256", devSecrets.TOKEN_SECRET).update(text).digest("base64url")}`;
}

/** Opens a socket, sends spoilt messages, closes it. Resolves to what was wrong, or to nothing. */
function talk(random, n) {
  const link = `/v1/engine/link?node=node-${n}`;
  const [path, protocols, headers] = [
    [link, [], signed(devSecrets.ENGINE_SECRET, link, stamp++)],
    [`/ws/call-session?token=${callToken(`5f0c2f70-6c1c-4b1e-9a39-${String(n).padStart(12, "0")}`)}`, [], {}],
    ["/v1/live", ["tandem.v1", `token.${user}`], {}],
  ][n % 3];
  return new Promise((resolve) => {
    const socket = new WebSocket(edge.url.replace("http", "ws") + path, protocols, { headers, handshakeTimeout: PATIENCE_MS });
    sockets.push(socket);
    socket.on("unexpected-response", (_, response) => {
      response.resume();
      resolve(response.statusCode >= 500 ? `${path}: ${response.statusCode}` : undefined);
      socket.terminate();
    });
    socket.on("error", (error) => resolve(`${path}: ${error.message}`));
    socket.on("open", () => {
      const silence = setTimeout(() => (socket.terminate(), resolve(`${path}: no end within ${PATIENCE_MS} ms`)), PATIENCE_MS);
      socket.on("close", (code) => (clearTimeout(silence), resolve(code === 1011 ? `${path}: closed with 1011` : undefined)));
      for (let sent = 0; sent < MESSAGES && socket.readyState === WebSocket.OPEN; sent++) {
        socket.send(random.odds(0.1) ? Buffer.from(bodyText(random)) : bodyText(random));
      }
      socket.close(1000);
    });
  });
}

test(`${SOCKETS} sockets with ${MESSAGES} messages each: none is cut off by an error, the next request works`, async () => {
  const random = chance(SEED + 1);
  const failed = [];
  for (let n = 0; n < SOCKETS; n += AT_ONCE) {
    const talks = Array.from({ length: Math.min(AT_ONCE, SOCKETS - n) }, (_, offset) => talk(random, n + offset));
    failed.push(...(await Promise.all(talks)).filter(Boolean));
  }
  assert.deepEqual(failed.slice(0, 20), [], `${failed.length} of ${SOCKETS}; seed ${SEED}`);
  assert.equal(await send({ method: "GET", path: "/health", headers: {} }), 200);
  for (const path of ["/v1/live", "/v1/calls", "/v1/nodes"]) {
    const status = await send({ method: "GET", path, headers: { authorization: `Bearer ${user}` } });
    assert.ok(status < 500, `${path}: ${status}`);
  }
});
