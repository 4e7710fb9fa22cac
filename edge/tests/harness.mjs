// Starts the built Worker in workerd for one test file, and speaks to it as engines, admins and people do.
// What is tested is in the *.test.mjs files.
import { Log, LogLevel, Miniflare } from "miniflare";
import { devSecrets, migrate, miniflareOptions } from "../dev/options.mjs";
import { seed } from "../dev/seed.mjs";
import { signed } from "../dev/signing.mjs";

export { signed };

process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";

/** Options as for `miniflareOptions`. Call `dispose` at the end. */
export async function startEdge(how = {}) {
  const options = { log: new Log(LogLevel.ERROR), ...how };
  const miniflare = new Miniflare(miniflareOptions(options));
  const url = (await miniflare.ready).origin;
  // Links and tokens name the address that was taken.
  const vars = { PUBLIC_URL: url, JWT_ISSUER: `${url}/dev`, JWKS_URL: `${url}/dev/jwks.json`, ALLOWED_ORIGINS: url, REQUESTS_PER_MINUTE: "1000000", ...how.vars };
  const settled = { ...options, port: Number(new URL(url).port), vars };
  await miniflare.setOptions(miniflareOptions(settled));
  await migrate(miniflare);
  return new Edge(miniflare, url, settled);
}

class Edge {
  constructor(miniflare, url, options) {
    this.miniflare = miniflare;
    this.url = url;
    this.options = options;
  }

  /** Goes on at the same address with other vars. */
  async change(vars) {
    this.options = { ...this.options, vars: { ...this.options.vars, ...vars } };
    await this.miniflare.setOptions(miniflareOptions(this.options));
  }

  /** A request that names its own headers. */
  request(path, init = {}) {
    return fetch(this.url + path, init);
  }

  #signed(secret, method, path, body) {
    const text = body === undefined ? undefined : body instanceof Uint8Array ? body : JSON.stringify(body);
    return this.request(path, { method, body: text, headers: signed(secret, text ?? path) });
  }

  engine(method, path, body) {
    return this.#signed(devSecrets.ENGINE_SECRET, method, path, body);
  }

  admin(method, path, body) {
    return this.#signed(devSecrets.ADMIN_SECRET, method, path, body);
  }

  /** A session token of the development issuer. */
  async token(subject = "user_1", email = `${subject}@example.test`) {
    const response = await this.request("/dev/token", { method: "POST", body: JSON.stringify({ subject, email }) });
    return (await response.json()).token;
  }

  /** A request of a person or an API key. */
  as(token, method, path, body, headers = {}) {
    return this.request(path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
  }

  dispose() {
    return this.miniflare.dispose();
  }
}

/** The account "Demo" with its agent, numbers, trunk and credits: see dev/seed.mjs. */
export function seedDemo(edge) {
  return seed(edge.url, devSecrets.ADMIN_SECRET);
}
