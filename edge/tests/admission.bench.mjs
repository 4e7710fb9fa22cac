// How long an admission takes at 200 calls a second, from the engine's side and back: `node tests/admission.bench.mjs`.
// Prints, asserts nothing; build with `./build.sh` (release) first.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { devSecrets } from "../dev/options.mjs";
import { seedDemo, signed, startEdge } from "./harness.mjs";

const { values } = parseArgs({
  options: { rate: { type: "string", default: "200" }, seconds: { type: "string", default: "20" } },
});
const rate = Number(values.rate);
const total = rate * Number(values.seconds);

const persist = mkdtempSync(path.join(tmpdir(), "tandem-bench-"));
const edge = await startEdge({ persist });
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const { account_id } = await seedDemo(edge);
await edge.admin("PATCH", `/v1/admin/accounts/${account_id}`, { max_calls: 100_000, rate_microcredits_per_second: 1 });

let failed = 0;

/** The answer; "{}" for none. */
function post(route, body) {
  return new Promise((resolve) => {
    const text = JSON.stringify(body);
    const headers = { "content-length": Buffer.byteLength(text), ...signed(devSecrets.ENGINE_SECRET, text) };
    const sent = request(edge.url + route, { method: "POST", agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
    });
    sent.on("error", () => {
      failed += 1;
      resolve("{}");
    });
    sent.end(text);
  });
}

const admission = () => ({
  v: 1,
  call_id: randomUUID(),
  sip_call_id: randomUUID(),
  node: "node-1",
  from: "sip:+15550000000@127.0.0.1",
  to: "sip:reception@127.0.0.1",
  request_uri: "sip:reception@127.0.0.1",
  trunk: "127.0.0.1",
});

/** Sends `count` at `perSecond`, each at its time whatever became of those before it: milliseconds each took. */
async function openLoop(count, perSecond, send) {
  const began = performance.now();
  const sent = [];
  for (let n = 0; n < count; n += 1) {
    const due = began + (n * 1000) / perSecond;
    while (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    sent.push(send().then(() => performance.now() - due));
  }
  return Promise.all(sent);
}

function print(what, times) {
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(1);
  console.log(`${what}: n ${times.length}, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
}

try {
  let accepted = 0;
  const admit = async () => {
    if (JSON.parse(await post("/v1/engine/admissions", admission())).decision === "accept") accepted += 1;
  };
  await openLoop(rate, rate / 2, admit);
  accepted = 0;
  const began = performance.now();
  print(`admission at ${rate}/s`, await openLoop(total, rate, admit));
  console.log(`accepted ${accepted} of ${total}, ${failed} without an answer, in ${((performance.now() - began) / 1000).toFixed(1)} s`);

  const objects = await edge.miniflare.getDurableObjectNamespace("ACCOUNTS");
  const account = objects.get(objects.idFromName(account_id));
  const ask = async (verb, question) => {
    const began = performance.now();
    await (await account.fetch(`https://object/${verb}`, { method: "POST", body: JSON.stringify(question) })).text();
    return performance.now() - began;
  };
  for (const [verb, question] of [
    ["balance", () => ({})],
    ["admit", () => ({ call_id: randomUUID(), max_call_s: 300, rate_microcredits_per_second: 1, max_calls: 100_000 })],
  ]) {
    const times = [];
    for (let n = 0; n < 500; n += 1) times.push(await ask(verb, question()));
    print(`the account object alone, through the test proxy: ${verb}`, times);
  }
} finally {
  agent.destroy();
  await edge.dispose();
  rmSync(persist, { recursive: true });
}
