// What every answer carries: security headers, cross-origin rules, a request id; pages get a policy of their own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect } from "node:net";
import { devSecrets } from "../dev/options.mjs";
import { signed, startEdge } from "./harness.mjs";

const dashboard = "https://dashboard.example.test";
let edge;
before(async () => (edge = await startEdge({ vars: { ALLOWED_ORIGINS: `${dashboard}, https://other.example.test` } })));
after(() => edge.dispose());

test("answers and refusals alike carry the security headers and an id of their own", async () => {
  const answers = await Promise.all([
    edge.request("/health"),
    edge.request("/v1/nothing"),
    edge.request("/health", { method: "DELETE" }),
    edge.request("/v1/me"),
    edge.request("/dev/token", { method: "POST", body: "{" }),
    edge.request("/dev/token", { method: "POST", body: "x".repeat(70_000) }),
    edge.request("/"),
  ]);
  assert.deepEqual(answers.map(({ status }) => status), [200, 404, 405, 401, 400, 413, 200]);
  for (const { headers } of answers) {
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "strict-origin-when-cross-origin");
    assert.match(headers.get("permissions-policy"), /camera=\(\)/);
    assert.match(headers.get("content-security-policy"), /frame-ancestors 'none'/);
    assert.match(headers.get("x-request-id"), /^req_[a-z2-7]{20}$/);
    assert.equal(headers.get("strict-transport-security"), null);
  }
  assert.equal(new Set(answers.map(({ headers }) => headers.get("x-request-id"))).size, answers.length);
});

test("outside development HTTPS is demanded", async () => {
  const staging = await startEdge({ vars: { ENVIRONMENT: "staging" } });
  try {
    assert.match((await staging.request("/health")).headers.get("strict-transport-security"), /max-age=31536000/);
  } finally {
    await staging.dispose();
  }
});

test("dev that is reached from elsewhere is no development", async () => {
  const reached = await startEdge({ vars: { PUBLIC_URL: "https://edge.example.com" } });
  try {
    assert.equal((await reached.request("/dev/jwks.json")).status, 404);
    assert.equal((await reached.request("/dev/token", { method: "POST", body: '{"subject":"ann","email":"a@b.test"}' })).status, 404);
  } finally {
    await reached.dispose();
  }
});

test("every page of the dashboard is the one page, and runs no inline script", async () => {
  for (const page of ["/", "/calls/3f0c", "/nodes"]) {
    const response = await edge.request(page);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /text\/html/);
    const policy = response.headers.get("content-security-policy");
    assert.match(policy, /script-src 'self';/);
    assert.ok(policy.includes(`connect-src 'self' ${edge.url.replace("http", "ws")};`), policy);
    assert.ok(!policy.includes("unsafe"));
  }
  const nothing = await edge.request("/v1/nothing");
  assert.match(nothing.headers.get("content-type"), /application\/json/);
  assert.match(nothing.headers.get("content-security-policy"), /^default-src 'none'; frame-ancestors 'none'$/);
});

test("the dashboard may load the sign-in service that is configured", async () => {
  const service = "https://clerk.example.test";
  const signing = await startEdge({ vars: { SIGN_IN_ORIGIN: service } });
  try {
    const policy = (await signing.request("/")).headers.get("content-security-policy");
    const naming = policy.split("; ").filter((directive) => directive.split(" ").includes(service)).map((directive) => directive.split(" ")[0]);
    assert.deepEqual(naming.sort(), ["connect-src", "frame-src", "img-src", "script-src"]);
  } finally {
    await signing.dispose();
  }
});

test("only pages of allowed origins may ask with credentials", async () => {
  const from = (origin, method = "GET") =>
    edge.request("/v1/profiles", { method, headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" } });
  for (const method of ["GET", "OPTIONS"]) {
    const allowed = (await from(dashboard, method)).headers;
    assert.equal(allowed.get("access-control-allow-origin"), dashboard);
    assert.equal(allowed.get("access-control-allow-credentials"), "true");
    assert.match(allowed.get("vary"), /origin/i);
    const refused = (await from("https://dashboard.example.test.evil.test", method)).headers;
    assert.equal(refused.get("access-control-allow-origin"), null);
    assert.equal(refused.get("access-control-allow-credentials"), null);
  }
  const preflight = await from(dashboard, "OPTIONS");
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-methods"), "GET, POST, OPTIONS");
  assert.match(preflight.headers.get("access-control-allow-headers"), /authorization.*x-tandem-account/);
  assert.equal((await edge.request("/v1/nothing", { method: "OPTIONS" })).status, 404);
});

/** Sends text as it is and nothing after it, and gives the status of what is answered. */
const raw = (text) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(edge.url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true }, () => socket.end(text));
    socket.on("data", (answer) => (resolve(Number(String(answer).split(" ")[1])), socket.destroy()));
    socket.on("error", reject).on("close", () => reject(new Error("no answer")));
  });
const head = (route, headers) => [`${route} HTTP/1.1`, "host: edge", ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");

test("a body that breaks off is no bad request: it may come again", async () => {
  assert.equal(await raw(`${head("POST /dev/token", { "content-length": 100 })}{"subject`), 503);
});

test("a body is not waited for if its signature cannot be good", async () => {
  const good = signed(devSecrets.ENGINE_SECRET, "x");
  const stale = signed(devSecrets.ENGINE_SECRET, "x", Date.now() - 6 * 60_000);
  for (const headers of [{}, stale, { ...good, "x-tandem-signature": "v1=0" }, { ...good, "x-tandem-timestamp": "soon" }]) {
    // Not a byte of the five million is sent.
    assert.equal(await raw(head("PUT /v1/engine/recordings/a/b/parts/1", { ...headers, "content-length": 5_000_000 })), 401);
  }
});

test("a body is read up to its limit, whatever length was declared", async () => {
  const text = JSON.stringify({ subject: "ann", email: "ann@example.test" });
  const stream = (bytes) =>
    new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < bytes.length; sent += 1000) controller.enqueue(bytes.subarray(sent, sent + 1000));
        controller.close();
      },
    });
  const post = (text) => edge.request("/dev/token", { method: "POST", duplex: "half", body: stream(Buffer.from(text)) });
  assert.equal((await post(text)).status, 200);
  assert.equal((await post(text.padEnd(64 * 1024))).status, 200);
  assert.equal((await post(text.padEnd(64 * 1024 + 1))).status, 413);
});
