// Engine nodes: their links and heartbeats, draining, and two versions side by side.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { devSecrets } from "../dev/options.mjs";
import { deliver, journal } from "./call_events.mjs";
import { eventually, FakeNode } from "./fake_node.mjs";
import { seedDemo, signed, startEdge } from "./harness.mjs";

let edge, demo;
const nodes = [];
before(async () => {
  edge = await startEdge();
  demo = await seedDemo(edge);
});
after(async () => {
  nodes.forEach((node) => node.close());
  await edge.dispose();
});

async function linked(name, how) {
  const node = await new FakeNode(name, how).listen();
  nodes.push(node);
  await node.link(edge);
  await eventually(list, (all) => all.some(({ node, linked }) => node === name && linked));
  return node;
}
const list = async () => (await (await edge.as(demo.token, "GET", "/v1/nodes")).json()).nodes;
const rollout = async () => (await edge.admin("GET", "/v1/admin/rollout")).json();
const registry = async (verb, body) => {
  const objects = await edge.miniflare.getDurableObjectNamespace("NODES");
  return objects.get(objects.idFromName("nodes")).fetch(`https://object/${verb}`, { method: "POST", body: JSON.stringify(body) });
};

test("a node with a link is alive, and a second link replaces the first", async () => {
  const node = await linked("first");
  const [seen] = (await list()).filter(({ node }) => node === "first");
  assert.deepEqual([seen.alive, seen.linked, seen.version, seen.max_calls], [true, true, "0.1.0", 100]);
  assert.equal(seen.http_url, "", "where a node is reached is nobody's business");
  const old = node.socket;
  let code;
  old.on("close", (with_) => (code = with_));
  await node.link(edge);
  await eventually(() => code, (code) => code === 4000);
  assert.equal((await list()).find(({ node }) => node === "first").linked, true);
  node.socket.terminate();
  await eventually(list, (all) => !all.find(({ node }) => node === "first").linked);
  await node.link(edge);
});

test("of links of one node opened at once one stays, and the others end", async () => {
  const open = () => {
    const path = "/v1/engine/link?node=many";
    const link = new WebSocket(edge.url.replace("http", "ws") + path, { headers: signed(devSecrets.ENGINE_SECRET, path) });
    link.on("open", () => link.send(JSON.stringify(new FakeNode("many").heartbeat())));
    link.on("close", (code) => (link.code = code));
    link.on("error", () => {});
    return link;
  };
  const links = Array.from({ length: 12 }, open);
  await eventually(() => links.filter(({ code }) => code === 4000).length, (ended) => ended === links.length - 1);
  assert.equal(links.filter(({ readyState }) => readyState === WebSocket.OPEN).length, 1);
  assert.equal((await list()).find(({ node }) => node === "many").linked, true);
  const [last] = links.filter(({ readyState }) => readyState === WebSocket.OPEN);
  last.close(1000);
  await eventually(() => last.code, (code) => code === 1000);
  await eventually(list, (all) => !all.find(({ node }) => node === "many").linked);
});

test("a link that was replaced before it said a word ends at its first", async () => {
  const path = "/v1/engine/link?node=silent";
  const open = async () => {
    const link = new WebSocket(edge.url.replace("http", "ws") + path, { headers: signed(devSecrets.ENGINE_SECRET, path) });
    link.on("close", (code) => (link.code = code));
    await once(link, "open");
    return link;
  };
  const [older, newer] = [await open(), await open()];
  older.send(JSON.stringify(new FakeNode("silent").heartbeat()));
  await eventually(() => older.code, (code) => code === 4000);
  assert.equal((await list()).some(({ node }) => node === "silent"), false);
  newer.send(JSON.stringify(new FakeNode("silent").heartbeat()));
  await eventually(list, (all) => all.some(({ node, linked }) => node === "silent" && linked));
  newer.terminate();
});

test("messages that cannot be read and other nodes' heartbeats change nothing", async () => {
  const node = await linked("strict");
  node.socket.send("{");
  node.socket.send(Buffer.from([1, 2, 3]));
  node.socket.send(JSON.stringify({ ...node.heartbeat(), node: "forged" }));
  node.socket.send(JSON.stringify({ ...node.heartbeat(), active_calls: 7 }));
  await eventually(list, (all) => all.find(({ node }) => node === "strict").active_calls === 7);
  assert.equal((await list()).some(({ node }) => node === "forged"), false);
});

test("draining is told down the link, kept over a restart of the node, and taken back", async () => {
  const node = await linked("drained");
  const answer = await edge.admin("POST", "/v1/admin/nodes/drained/drain", {});
  assert.equal(answer.status, 202);
  const { command_id, delivered } = await answer.json();
  assert.equal(delivered, true);
  await node.until(() => node.commands.length === 1);
  assert.deepEqual(node.commands[0], { command_id, type: "drain" });
  const result = async () => (await (await registry("command_result", { command_id })).json()).result;
  assert.equal(await eventually(result, (result) => result !== null), "done");
  node.status = "ok";
  await node.link(edge);
  await node.until(() => node.commands.length === 2);
  assert.deepEqual(node.commands[1], { command_id, type: "drain" });
  assert.equal((await rollout()).dispatcher.find((to) => to.node === "drained").weight, 0);
  await edge.admin("POST", "/v1/admin/nodes/drained/undrain", {});
  await node.until(() => node.commands.length === 3);
  node.beat();
  await eventually(rollout, ({ dispatcher }) => dispatcher.find((to) => to.node === "drained").weight > 0);
  assert.equal((await edge.admin("POST", "/v1/admin/nodes/nobody/drain", {})).status, 404);
  assert.equal((await edge.admin("POST", "/v1/admin/nodes/no%20body/drain", {})).status, 400);
});

test("a node is told to give a call away", async () => {
  const node = await linked("giving");
  const give = (order, where = "giving") => edge.admin("POST", `/v1/admin/nodes/${where}/calls/a-call/transfer`, order);
  const order = { to: "+15550199", mode: "attended", consult: "A customer for you." };
  const answer = await give(order);
  assert.equal(answer.status, 202);
  const { command_id } = await answer.json();
  await node.until(() => node.commands.length === 1);
  assert.deepEqual(node.commands[0], { command_id, type: "transfer", call_id: "a-call", ...order });
  for (const wrong of [{ mode: "blind" }, { to: "", mode: "blind" }, { to: "1", mode: "fling" }, { to: "1".repeat(5000), mode: "blind" }]) {
    assert.equal((await give(wrong)).status, 400, JSON.stringify(wrong));
  }
  assert.equal((await give(order, "no%20body")).status, 400);
  assert.equal((await give(order, "nobody")).status, 503);
});

test("undraining a node out of reach is told with its next reports, until it answers", async () => {
  const node = await linked("away");
  await edge.admin("POST", "/v1/admin/nodes/away/drain", {});
  await node.until(() => node.status === "draining");
  node.socket.terminate();
  await eventually(list, (all) => !all.find(({ node }) => node === "away").linked);
  const undrain = async () => (await edge.admin("POST", "/v1/admin/nodes/away/undrain", {})).json();
  const { command_id, delivered } = await undrain();
  assert.equal(delivered, false);
  assert.equal((await undrain()).command_id, command_id);
  node.commands = [];
  node.deaf = true;
  await node.link(edge);
  await node.until(() => node.commands.length === 1);
  node.beat();
  await node.until(() => node.commands.length === 2);
  assert.deepEqual(node.commands[1], { command_id, type: "undrain" });
  node.deaf = false;
  node.beat();
  await node.until(() => node.status === "ok");
  const result = async () => (await (await registry("command_result", { command_id })).json()).result;
  assert.equal(await eventually(result, (result) => result !== null), "done");
  for (const calls of [4, 5]) {
    // A report that was under way before the answer may still have brought one.
    node.commands = [];
    node.activeCalls = calls;
    node.beat();
    await eventually(list, (all) => all.find(({ node }) => node === "away").active_calls === calls);
  }
  // A command that is sent comes before the answer to one that is asked for later.
  const { command_id: last } = await (await edge.admin("POST", "/v1/admin/nodes/away/drain", {})).json();
  await node.until(() => node.commands.length > 0);
  assert.deepEqual(node.commands, [{ command_id: last, type: "drain" }]);
});

test("calls are split by version as weighed, and a version without nodes leaves its share", async () => {
  nodes.forEach((node) => node.socket.close());
  for (const name of ["first", "many", "silent", "strict", "drained", "giving", "away"]) await edge.admin("POST", `/v1/admin/nodes/${name}/drain`, {});
  await linked("old", { version: "1.0.0", maxCalls: 100000 });
  const young = await linked("new", { version: "1.1.0", maxCalls: 100000 });
  const put = await edge.admin("PUT", "/v1/admin/rollout", { versions: { "1.0.0": 90, "1.1.0": 10 } });
  assert.equal(put.status, 200);
  const routed = await Promise.all(Array.from({ length: 300 }, async () => (await (await registry("route", {})).json()).node));
  const share = routed.filter((node) => node === "new").length;
  assert.ok(share >= 8 && share <= 70, `${share} of 300 went to the tenth`);
  const { dispatcher } = await rollout();
  assert.deepEqual(Object.fromEntries(dispatcher.map(({ node, attributes }) => [node, attributes])).old, "weight=90;rweight=90;duid=old");
  young.status = "busy";
  young.beat();
  await eventually(list, (all) => all.find(({ node }) => node === "new").status === "busy");
  const rest = await Promise.all(Array.from({ length: 50 }, async () => (await (await registry("route", {})).json()).node));
  assert.deepEqual([...new Set(rest)], ["old"]);
  assert.equal((await registry("route", { exclude: ["old"] })).status, 503);
  for (const bad of [{ versions: { x: -1 } }, { versions: { x: 1001 } }, { versions: { "": 1 } }, {}, { other: 1 }]) {
    assert.equal((await edge.admin("PUT", "/v1/admin/rollout", bad)).status, 400, JSON.stringify(bad));
  }
});

test("both versions are counted side by side, each call once", async () => {
  const send = (node, cause) => {
    const events = journal(randomUUID(), { account: demo.account_id, node, cause, startedAt: Date.now() });
    return deliver(edge, events, node).then(() => deliver(edge, events, node));
  };
  await Promise.all([send("old", "caller_hung_up"), send("old", "caller_hung_up"), send("new", "agent_hung_up"), send("new", "speech_failed")]);
  const of = ({ versions }, name) => versions.find(({ version }) => version === name);
  const seen = await eventually(rollout, (seen) => of(seen, "1.0.0").calls === 2 && of(seen, "1.1.0").calls === 2);
  assert.deepEqual([of(seen, "1.0.0").error_rate, of(seen, "1.1.0").error_rate], [0, 0.5]);
  for (const version of ["1.0.0", "1.1.0"]) {
    const { latency_p50_ms, latency_p95_ms, mos } = of(seen, version);
    assert.ok(Math.abs(latency_p50_ms - 600) < 25 && Math.abs(latency_p95_ms - 610) < 25, `${latency_p50_ms} ${latency_p95_ms}`);
    assert.ok(Math.abs(mos - 4.3) < 0.01);
  }
  const metrics = await (await edge.request("/metrics")).json();
  assert.equal(metrics.totalCalls, 4);
  assert.equal(metrics.errorRate, 0.25);
  assert.equal(metrics.averageCallDuration, 4200);
  assert.equal(metrics.averageLatency, 605);
});
