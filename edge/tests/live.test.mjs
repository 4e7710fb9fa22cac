// The live feed: a snapshot, then what changes, to every dashboard of the account and to nobody else.
// How fast it is with many sockets is printed; what is asserted leaves room for a slow machine.
import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { after, before, test } from "node:test";
import { deliver, journal } from "./call_events.mjs";
import { Crowd, cpuMs } from "./crowd.mjs";
import { eventually, FakeNode, Listener } from "./fake_node.mjs";
import { seedDemo, startEdge } from "./harness.mjs";

const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
let edge, demo, node;
before(async () => {
  edge = await startEdge({ vars: { DEV_JWT_KEY: key.export({ type: "pkcs8", format: "pem" }) } });
  demo = await seedDemo(edge);
  node = await new FakeNode("node-1").listen();
  await node.link(edge);
});
after(async () => {
  node.close();
  await edge.dispose();
});

const open = (token = demo.token) => new Listener(edge.url.replace("http", "ws") + "/v1/live", ["tandem.v1", `token.${token}`]);
const awake = async () => {
  const feeds = await edge.miniflare.getDurableObjectNamespace("LIVE_FEEDS");
  return (await feeds.get(feeds.idFromName(demo.account_id)).fetch("https://object/awake", { method: "POST", body: "{}" })).json();
};

test("a dashboard gets a snapshot, then events, the call and the balance as they change", async () => {
  const before = randomUUID();
  await deliver(edge, journal(before, { account: demo.account_id }).slice(0, 2));
  await eventually(async () => (await (await edge.as(demo.token, "GET", "/v1/calls")).json()).calls, (calls) => calls.some(({ call_id }) => call_id === before));
  const live = open();
  const snapshot = await live.next(() => true);
  assert.equal(live.ws.protocol, "tandem.v1");
  assert.equal(snapshot.type, "snapshot");
  assert.deepEqual(snapshot.calls.map(({ call_id }) => call_id), [before]);
  assert.equal(snapshot.nodes[0].node, "node-1");
  assert.equal(snapshot.balance.total_microcredits, 100_000_000);
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id });
  await deliver(edge, events);
  for (const event of events) {
    assert.deepEqual((await live.next(({ type }) => type === "event")).event.seq, event.seq);
  }
  const settled = await live.next(({ type, call }) => type === "call" && call.call_id === id && call.cost_microcredits !== null);
  assert.equal(settled.call.status, "ended");
  // The account tells its balance by itself, before the call does or after.
  await eventually(() => live.messages, (messages) => messages.some(({ type, balance }) => type === "balance" && balance.total_microcredits === 100_000_000 - settled.call.cost_microcredits));
  live.send("ping");
  assert.equal(await live.next((message) => message === "pong"), "pong");
  node.activeCalls = 3;
  node.beat();
  const { nodes } = await live.next(({ type }) => type === "nodes", 15000);
  assert.equal(nodes[0].active_calls, 3);
  live.ws.close();
});

test("without a WebSocket it is 426, without a token 401, and another account sees nothing of this one", async () => {
  assert.equal((await edge.as(demo.token, "GET", "/v1/live")).status, 426);
  const nobody = new Listener(edge.url.replace("http", "ws") + "/v1/live", ["tandem.v1"]);
  await eventually(() => nobody.refused, (status) => status === 401);
  const token = await edge.token("somebody_else");
  await edge.as(token, "POST", "/v1/sign-up", { name: "Other" });
  const other = open(token);
  assert.deepEqual((await other.next(() => true)).calls, []);
  const mine = open();
  await mine.opened;
  const id = randomUUID();
  await deliver(edge, journal(id, { account: demo.account_id }).slice(0, 2));
  await mine.next(({ call }) => call?.call_id === id);
  assert.ok(other.messages.every(({ type }) => type === "snapshot" || type === "nodes" || type === "balance"));
  mine.ws.close();
  other.ws.close();
});

test("a dashboard's socket ends with its credential, the others go on", async () => {
  const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  // Clocks may differ by 5 s: it is good for three more.
  const claims = { iss: `${edge.url}/dev`, sub: "demo", sid: "ses_short", email: "demo@example.test", iat: now - 60, exp: now - 2 };
  const text = `${base64url({ alg: "ES256", kid: "development", typ: "JWT" })}.${base64url(claims)}`;
  const token = `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  const [short, long] = [open(token), open()];
  await Promise.all([short, long].map((socket) => socket.next(({ type }) => type === "snapshot")));
  assert.equal((await short.closed).code, 4401);
  const id = randomUUID();
  await deliver(edge, journal(id, { account: demo.account_id }).slice(0, 1));
  await long.next(({ type, event }) => type === "event" && event.call_id === id);
  assert.equal(long.code, undefined);
  long.ws.close();
});

test("2,000 dashboards hear of an event, fast; when it is quiet the feed sleeps, and wakes for the next", { timeout: 180000 }, async () => {
  const count = 2000;
  assert.equal((await edge.admin("PATCH", `/v1/admin/accounts/${demo.account_id}`, { requests_per_minute: 10000 })).status, 200);
  const crowd = await Crowd.gather(edge.url, demo.token, count);
  const { sockets, woken_at_ms } = await awake();
  assert.ok(sockets >= count, `${sockets} sockets`);
  const id = randomUUID();
  const events = journal(id, { account: demo.account_id });
  // From the delivery's first byte until each of them has the event, ms.
  const broadcast = async (seq) => {
    const heard = crowd.hears(`"call_id":"${id}","seq":${seq},`);
    const sent = performance.timeOrigin + performance.now();
    await deliver(edge, [events[seq]]);
    return (await heard).map((at) => at - sent);
  };
  await broadcast(0);
  const before = cpuMs();
  const delays = [];
  for (let seq = 1; seq <= 5; seq++) delays.push(...(await broadcast(seq)));
  const spent = cpuMs();
  delays.sort((one, other) => one - other);
  const p = (share) => Math.round(delays[Math.floor(delays.length * share)]);
  const each = (whose) => Math.round((spent[whose] - before[whose]) / 5);
  console.log(`broadcast to ${count} sockets: p50 ${p(0.5)} ms, p95 ${p(0.95)} ms, worst ${Math.round(delays.at(-1))} ms; CPU each: edge ${each("edge")} ms, clients ${each("crowd")} ms`);
  assert.ok(p(0.95) < 1000);
  // Nothing can be awaited while it sleeps: asking would wake it. Quiet, it looks at the nodes every 30 s and sleeps after 10.
  let later;
  for (let look = 0; look < 2 && (later?.woken_at_ms ?? woken_at_ms) === woken_at_ms; look++) {
    await new Promise((resolve) => setTimeout(resolve, 56000));
    later = await awake();
  }
  assert.notEqual(later.woken_at_ms, woken_at_ms, "the feed never slept");
  assert.ok(later.sockets >= count, `${later.sockets} sockets after it slept`);
  assert.equal((await broadcast(6)).length, count);
  await crowd.leave();
});
