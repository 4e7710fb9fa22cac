// An account to try things with, made through the API alone: "Demo", its reception, numbers, a trunk and 100 credits.
// Run again it changes nothing: `node dev/seed.mjs --url http://127.0.0.1:8787`. Development only.
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse } from "smol-toml";
import { devSecrets, root } from "./options.mjs";
import { signed } from "./signing.mjs";

const numbers = ["agent", "reception"];
const microcredits = 100_000_000;

/** The reception of agents/reception.toml, as a business profile. */
export function receptionProfile() {
  const agent = parse(readFileSync(path.join(root, "..", "agents", "reception.toml"), "utf8"));
  const { voice, greeting, silence_prompts, goodbye, fallback, instructions } = agent;
  return { name: "Reception", prompt: instructions.trim(), voice, greeting, silence_prompts, goodbye, fallback };
}

/** @returns what was made: account_id, profile_id, person_id and a session `token` of the demo user. */
export async function seed(url, adminSecret) {
  async function send(method, route, body, headers) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(url + route, { method, body: text, headers: headers(text ?? route) });
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
    return response.json();
  }
  const { token } = await send("POST", "/dev/token", { subject: "demo", email: "demo@example.test" }, () => ({}));
  const user = (method, route, body) => send(method, route, body, () => ({ authorization: `Bearer ${token}` }));
  const admin = (method, route, body) => send(method, route, body, (text) => signed(adminSecret, text));

  const { person_id, account_id, profile_id } = await user("POST", "/v1/sign-up", { name: "Demo" });
  await user("PUT", `/v1/profiles/${profile_id}`, receptionProfile());
  for (const number of numbers) await user("POST", "/v1/numbers", { number, profile_id });
  await admin("POST", "/v1/admin/trunks", { address: "127.0.0.1", account_id, profile_id });
  await admin("POST", `/v1/admin/accounts/${account_id}/grants`, { microcredits, reference: "demo" });
  return { person_id, account_id, profile_id, token };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { url: { type: "string", default: "http://127.0.0.1:8787" } } });
  const { account_id } = await seed(values.url, devSecrets.ADMIN_SECRET);
  console.log(`edge: account Demo (${account_id}), numbers ${numbers.join(", ")}`);
}
