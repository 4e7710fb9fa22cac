// The edge on this machine, until it is told to stop: `node dev/serve.mjs --port 8787 --persist ../var/edge`.
// Prints one line once it answers.
import { parseArgs } from "node:util";
import { Log, LogLevel, Miniflare } from "miniflare";
import { migrate, miniflareOptions } from "./options.mjs";

const { values } = parseArgs({
  options: { port: { type: "string", default: "8787" }, persist: { type: "string" }, var: { type: "string", multiple: true } },
});
const vars = Object.fromEntries((values.var ?? []).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
const url = `http://127.0.0.1:${values.port}`;
const miniflare = new Miniflare({
  ...miniflareOptions({
    port: Number(values.port),
    persist: values.persist,
    // Everybody on this machine has one address.
    vars: { REQUESTS_PER_MINUTE: "6000", PUBLIC_URL: url, JWT_ISSUER: `${url}/dev`, JWKS_URL: `${url}/dev/jwks.json`, ALLOWED_ORIGINS: url, ...vars },
    log: new Log(LogLevel.WARN),
  }),
});

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  // workerd waits for open sockets: do not wait for it for ever.
  setTimeout(() => process.exit(0), 3000).unref();
  await miniflare.dispose();
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);

await miniflare.ready;
await migrate(miniflare);
console.log(`edge: ${url}`);
