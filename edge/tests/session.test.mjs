// `/ws/call-session`: row by row the clients' messages, relayed to an engine node and back.
// The node is a stand-in that can be slow, refuse and die.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { eventually, FakeNode, Listener } from "./fake_node.mjs";
import { seedDemo, startEdge } from "./harness.mjs";

let edge, demo, node;
before(async () => {
  edge = await startEdge({ vars: { MAX_SESSION_S: "5" } });
  demo = await seedDemo(edge);
  node = await new FakeNode("node-1").listen();
});
beforeEach(async () => {
  node.behaviour = "echo";
  node.status = "ok";
  await node.link(edge);
  await eventually(async () => (await (await edge.as(demo.token, "GET", "/v1/nodes")).json()).nodes, (nodes) => nodes.some(({ node, linked, status }) => node === "node-1" && linked && status === "ok"));
});
after(async () => {
  node.close();
  await edge.dispose();
});

async function ticket(body = { number: "agent" }) {
  const response = await edge.as(demo.token, "POST", "/v1/call-tokens", body);
  assert.equal(response.status, 201);
  return response.json();
}
const start = (call_id, more = "") => `{"type":"start_call","callId":"${call_id}","userId":"user_1","metadata":{"phoneNumber":"agent","campaignId":"spring"}${more}}`;
async function session(body) {
  const { call_id, url } = await ticket(body);
  const client = new Listener(url);
  await client.opened;
  return { call_id, url, client };
}
const balance = async () => (await (await edge.as(demo.token, "GET", "/v1/account")).json()).balance;

test("a conversation in row E2's own words", async () => {
  const { call_id, url, client } = await session();
  client.send(start(call_id));
  assert.deepEqual(await client.next(() => true), { type: "status", status: "ready", message: "listening" });
  assert.deepEqual(await client.next(() => true), { type: "audio_response", audio: "//8=", text: "Hello, this is Tandem." });
  const call = node.calls.at(-1);
  assert.equal(call.start.call_id, call_id);
  assert.equal(call.start.from, "user_1");
  assert.equal(call.start.to, "agent");
  assert.equal(call.start.admitted.account_id, demo.account_id);
  assert.ok(call.start.admitted.max_call_s <= 5);
  client.send(`{"type":"audio","data":"f39/","format":"mulaw","sampleRate":8000}`);
  assert.deepEqual(await client.next(() => true), { type: "status", status: "processing", message: "thinking" });
  assert.deepEqual(await client.next(() => true), { type: "status", status: "ready", message: "listening" });
  assert.deepEqual(await client.next(() => true), { type: "audio_response", audio: "f39/", text: "" });
  client.send(`{"type":"ping"}`);
  assert.deepEqual(await client.next(() => true), { type: "pong" });
  client.send(`{"type":"end_call"}`);
  assert.deepEqual(await client.closed, { code: 1000, reason: "end_call" });
  await node.until(() => call.messages.at(-1).type === "hangup" && call.closed);
  const again = new Listener(url);
  await eventually(() => again.refused, (status) => status === 409);
});

test("malformed messages are answered and forgiven, five in a row are not", async () => {
  const { call_id, client } = await session();
  for (const bad of ["{", "[]", `{"type":"dance"}`, `{"type":"audio","data":"//8=","format":"mulaw","sampleRate":8000}`]) {
    client.send(bad);
    assert.equal((await client.next(() => true)).code, "INTERNAL_ERROR", bad);
  }
  client.send(start(call_id));
  await client.next(({ status }) => status === "ready");
  for (let at = 0; at < 5; at++) client.ws.send(Buffer.from([at]));
  assert.equal((await client.closed).code, 1008);
  await node.until(() => node.calls.at(-1).closed);
});

test("the session cap is a TIMEOUT, and the node is told", async () => {
  const { call_id, client } = await session();
  client.send(start(call_id));
  const error = await client.next(({ type }) => type === "error", 9000);
  assert.deepEqual(error, { type: "error", code: "TIMEOUT", message: "the call has lasted 5 seconds" });
  assert.deepEqual(await client.next(() => true), { type: "status", status: "error", message: error.message });
  assert.equal((await client.closed).code, 1008);
  await node.until(() => node.calls.at(-1).messages.at(-1).type === "hangup");
});

test("without start_call it is a TIMEOUT after ten seconds", async () => {
  const { client } = await session();
  assert.equal((await client.next(({ type }) => type === "error", 14000)).code, "TIMEOUT");
  await client.closed;
});

test("audio faster than twice real time is a RATE_LIMIT, and the call goes on", async () => {
  const { call_id, client } = await session();
  client.send(start(call_id));
  await client.next(({ status }) => status === "ready");
  const second = Buffer.alloc(8000, 0xff).toString("base64");
  for (let at = 0; at < 8; at++) client.send({ type: "audio", data: second, format: "mulaw", sampleRate: 8000 });
  assert.equal((await client.next(({ type }) => type === "error")).code, "RATE_LIMIT");
  client.send(`{"type":"ping"}`);
  await client.next(({ type }) => type === "pong");
  client.ws.close();
  await node.until(() => node.calls.at(-1).closed);
});

test("a client that goes away is hung up on the node at once", async () => {
  const { call_id, client } = await session();
  client.send(start(call_id));
  await client.next(({ status }) => status === "ready");
  client.ws.terminate();
  await node.until(() => node.calls.at(-1).messages.at(-1).type === "hangup");
});

test("a node that dies is an INTERNAL_ERROR and the end", async () => {
  node.behaviour = "die";
  const { call_id, client } = await session();
  client.send(start(call_id));
  await client.next(({ status }) => status === "ready");
  client.send(`{"type":"audio","data":"//8=","format":"mulaw","sampleRate":8000}`);
  assert.deepEqual(await client.next(({ type }) => type === "error"), { type: "error", code: "INTERNAL_ERROR", message: "the engine node is gone" });
  assert.equal((await client.closed).code, 1011);
});

for (const behaviour of ["refuse", "decline", "leave"]) {
  test(`a node that does not take the call (${behaviour}) is passed over, and with no other the held credits are free again`, async () => {
    const nodes = async () => (await (await edge.as(demo.token, "GET", "/v1/nodes")).json()).nodes;
    const before = await balance();
    node.behaviour = behaviour;
    const { call_id, client } = await session();
    client.send(start(call_id));
    assert.deepEqual(await client.next(({ type }) => type === "error"), { type: "error", code: "INTERNAL_ERROR", message: "no engine node is available" });
    assert.equal((await client.closed).code, 1011);
    assert.deepEqual(await balance(), before);
    const asked = node.calls.length;
    const other = await new FakeNode("node-2").listen();
    try {
      other.activeCalls = 50;
      await other.link(edge);
      await eventually(nodes, (nodes) => nodes.some(({ node, linked, status, active_calls }) => node === "node-2" && linked && status === "ok" && active_calls === 50));
      const next = await session();
      next.client.send(start(next.call_id));
      assert.equal((await next.client.next(() => true)).status, "ready");
      assert.equal(other.calls.length, 1);
      assert.equal(node.calls.length, behaviour === "refuse" ? asked : asked + 1);
      assert.equal((await balance()).active_calls, before.active_calls + 1);
      next.client.send(`{"type":"end_call"}`);
      await next.client.closed;
    } finally {
      other.status = "draining";
      other.beat();
      await eventually(nodes, (nodes) => nodes.some(({ node, status }) => node === "node-2" && status === "draining"));
      other.close();
    }
  });
}

test("a client that goes before its call began leaves no hold", async () => {
  const before = await balance();
  node.behaviour = "silent";
  const { call_id, client } = await session();
  client.send(start(call_id));
  await node.until(() => node.calls.at(-1)?.start?.call_id === call_id);
  assert.equal((await balance()).active_calls, before.active_calls + 1);
  client.ws.terminate();
  await eventually(balance, ({ active_calls }) => active_calls === before.active_calls);
});

test("a number or profile the account does not have is nobody's: no other agent answers in its place", async () => {
  const named = async (body) => {
    const response = await edge.as(demo.token, "POST", "/v1/call-tokens", body);
    return [response.status, (await response.json()).error?.code];
  };
  const profile = demo.profile_id;
  for (const body of [{ number: "+4930999" }, { number: "no number/" }, { profile: "prf_nobody" }, { profile: "" }, { number: "agent", profile: "prf_nobody" }]) {
    assert.deepEqual(await named(body), [404, "not_found"], JSON.stringify(body));
  }
  for (const body of [{ number: "agent", profile: "x".repeat(65) }, { number: "1".repeat(65), profile }]) {
    assert.deepEqual(await named(body), [400, "bad_request"], JSON.stringify(body));
  }
  for (const body of [{}, { profile }, { number: "agent", profile }]) assert.deepEqual(await named(body), [201, undefined]);
  const { call_id, client } = await session({});
  client.send(start(call_id).replace(`"agent"`, `"+4930999"`));
  assert.deepEqual((await client.closed).code, 1008);
  // A profile named by the token answers whatever number the client says.
  const other = await session({ profile });
  other.client.send(start(other.call_id).replace(`"agent"`, `"+4930999"`));
  await other.client.next(({ status }) => status === "ready");
  other.client.send(`{"type":"end_call"}`);
  await other.client.closed;
});

test("an account at its cap is a RATE_LIMIT", async () => {
  await edge.admin("PATCH", `/v1/admin/accounts/${demo.account_id}`, { max_calls: 1 });
  const refusal = await eventually(async () => {
    const one = await session();
    one.client.send(start(one.call_id));
    return one.client.next(({ type, status }) => type === "error" || status === "ready");
  }, ({ type }) => type === "error", 30000);
  assert.equal(refusal.code, "RATE_LIMIT");
});

test("a token for another call, a wrong one and none open nothing", async () => {
  const { client } = await session();
  client.send(start("another"));
  assert.equal((await client.next(() => true)).code, "INTERNAL_ERROR");
  client.ws.close();
  for (const query of ["", "?token=x"]) {
    const refused = new Listener(`${edge.url.replace("http", "ws")}/ws/call-session${query}`);
    await eventually(() => refused.refused, (status) => status === 401);
  }
  const { token } = await ticket();
  assert.equal((await edge.request(`/ws/call-session?token=${token}`)).status, 426);
  assert.equal((await edge.as(demo.token, "POST", "/v1/call-tokens", { other: 1 })).status, 400);
});
