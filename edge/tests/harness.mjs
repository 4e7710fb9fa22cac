// Starts the built Worker in workerd for one test file, and speaks to it as engines, admins and people do.
// What is tested is in the *.test.mjs files.
import { createHmac } from "node:crypto";
import { Log, LogLevel, Miniflare } from "miniflare";
import { devSecrets, migrate, miniflareOptions } from "../dev/options.mjs";

process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";

/** Options as for `miniflareOptions`. Call `dispose` at the end. */
export async function startEdge(how = {}) {
  const options = { log: new Log(LogLevel.ERROR), ...how };
  const miniflare = new Miniflare(miniflareOptions(options));
  const url = (await miniflare.ready).origin;
  // Links and tokens name the address that was taken.
  const vars = { PUBLIC_URL: url, JWT_ISSUER: `${url}/dev`, JWKS_URL: `${url}/dev/jwks.json`, ALLOWED_ORIGINS: url, REQUESTS_PER_MINUTE: "1000000", ...how.vars };
  await miniflare.setOptions(miniflareOptions({ ...options, port: Number(new URL(url).port), vars }));
  await migrate(miniflare);
  return new Edge(miniflare, url);
}

let lastStamp = 0;

/** Headers of a signed request. `body` is text or bytes; for GET and DELETE the path with its query. */
export function signed(secret, body, timestamp = (lastStamp = Math.max(lastStamp + 1, Date.now()))) {
  const mac = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
  return { "x-tandem-timestamp": String(timestamp), "x-tandem-signature": `v1=${mac}` };
}

class Edge {
  constructor(miniflare, url) {
    this.miniflare = miniflare;
    this.url = url;
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
