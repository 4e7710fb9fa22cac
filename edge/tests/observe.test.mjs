// Health, metrics, the API's description, and who is told of a fault.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startEdge } from "./harness.mjs";

let edge, sentry;
const alerts = [];
before(async () => {
  sentry = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    alerts.push(body);
    response.end();
    sentry.emit("alert");
  }).listen(0, "127.0.0.1");
  await once(sentry, "listening");
  edge = await startEdge({ vars: { SENTRY_DSN: `http://key@127.0.0.1:${sentry.address().port}/1` } });
});
after(async () => {
  await edge.dispose();
  sentry.closeAllConnections();
  sentry.close();
});

test("health tells of every binding, and metrics count", async () => {
  const response = await edge.request("/health");
  assert.equal(response.status, 200);
  const health = await response.json();
  assert.equal(health.status, "ok");
  assert.equal(health.score, 100);
  assert.equal(health.activeCalls, 0);
  assert.equal(typeof health.uptime, "number");
  assert.match(health.version, /^\d+\.\d+\.\d+/);
  assert.ok(Math.abs(Date.now() - health.timestamp) < 60_000);
  assert.deepEqual(Object.keys(health.bindings).sort(), ["ACCOUNTS", "ANALYTICS", "CACHE", "DB", "JOBS", "NODES", "RECORDINGS"]);
  for (const [name, binding] of Object.entries(health.bindings)) assert.ok(binding.ok && binding.ms >= 0, name);

  const metrics = await (await edge.request("/metrics")).json();
  for (const name of ["totalCalls", "activeCalls", "averageCallDuration", "errorRate", "averageLatency"]) assert.equal(metrics[name], 0, name);
});

test("the API's description is the one in the repository", async () => {
  const response = await edge.request("/v1/openapi.json");
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), JSON.parse(readFileSync(new URL("../openapi.json", import.meta.url))));
});

test("a request answered 500 raises one alert that names it; a refusal raises none", async () => {
  await edge.request("/v1/webhook");
  const db = await edge.miniflare.getD1Database("DB");
  await db.prepare("ALTER TABLE failed_jobs RENAME TO away").run();
  const alerted = once(sentry, "alert");
  const response = await edge.admin("GET", "/v1/admin/failed-jobs");
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /failed_jobs/, "nothing of the inside is told");
  await alerted;
  await db.prepare("ALTER TABLE away RENAME TO failed_jobs").run();
  assert.equal(alerts.length, 1);
  const event = JSON.parse(alerts[0].split("\n")[2]);
  assert.equal(event.message.formatted, "a request was answered 500");
  assert.equal(event.extra.endpoint, "/v1/admin/failed-jobs");
  assert.equal(event.extra.request_id, response.headers.get("x-request-id"));
});
