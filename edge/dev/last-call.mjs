// What the edge knows of the call that ended last, once all of it is settled: `node dev/last-call.mjs --url URL`;
// with `--recordings DIR`, where the node keeps its copy of the recording.
// For the end of `make demo`; exits 1 when the edge does not come to know it in time.
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

const { values } = parseArgs({
  options: { url: { type: "string", default: "http://127.0.0.1:8787" }, seconds: { type: "string", default: "20" }, recordings: { type: "string" } },
});

async function json(path, init) {
  const response = await fetch(values.url + path, init);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const { token } = await json("/dev/token", {
  method: "POST",
  body: JSON.stringify({ subject: "demo", email: "demo@example.test" }),
});
const as = { headers: { authorization: `Bearer ${token}` } };
const deadline = Date.now() + Number(values.seconds) * 1000;
const settled = (call) => call?.status === "ended" && call.recorded && call.cost_microcredits !== null;

let call;
do {
  const { calls } = await json("/v1/calls?limit=1", as);
  call = calls[0];
} while (!settled(call) && Date.now() < deadline && (await sleep(500, true)));

if (!settled(call)) {
  console.error(`the edge does not know all of the call yet: ${JSON.stringify(call)}`);
  process.exit(1);
}

const credits = (microcredits) => (microcredits / 1e6).toFixed(4);
const { balance } = await json("/v1/account", as);
const { url } = await json(`/v1/calls/${call.call_id}/recording`, as);
const range = await fetch(url, { headers: { range: "bytes=0-3" } });
const plays = range.status === 206 && (await range.text()) === "OggS";
console.log(`the edge      ${call.turns} turns in ${Math.round(call.duration_ms / 1000)} s, caller heard answers after ${call.latency?.caller_heard_ms} ms (median)`);
console.log(`credits       ${credits(call.cost_microcredits)} for the call, ${credits(balance.available_microcredits)} left, ${credits(balance.held_microcredits)} held`);
if (values.recordings) console.log(`recording     ${values.recordings}/${call.call_id}.ogg (caller left, agent right)`);
console.log(`              ${plays ? "plays from R2" : "DOES NOT PLAY"} by a link that expires: ${url}`);
process.exit(plays ? 0 : 1);
