// An edge made of memory, for working on the page: the same routes, the same messages, the same headers as the Worker.
// What a call looks like is in script.mjs; the real thing is tested in edge/tests/dashboard.test.mjs.
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { WebSocketServer } from "ws";
import { silence } from "./opus.mjs";

const dist = path.resolve(import.meta.dirname, "../dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json" };
const RATE = 833;

export class MockEdge {
  tokens = new Set();
  calls = new Map();
  events = new Map();
  recordings = new Map();
  nodes = [];
  versions = [];
  ledger = [];
  held = 0;
  profiles = [];
  apiKeys = [];
  commands = [];
  sockets = new Set();
  /** What /config.json says, and the hosts its scripts come from. */
  settings = {};
  scriptHosts = "";
  /** Pings stay unanswered, as when the line is cut somewhere. */
  deaf = false;
  /** False: whoever asks has not signed up yet. */
  signedUp = true;
  /** Each request as `GET /v1/calls`. */
  asked = [];

  async listen(port = 0) {
    this.server = createServer((request, response) => this.#serve(request, response));
    const webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => "tandem.v1" });
    this.server.on("upgrade", (request, socket, head) => {
      const token = /token\.([^\s,]+)/.exec(request.headers["sec-websocket-protocol"] ?? "")?.[1];
      if (request.url !== "/v1/live" || !this.#knows(token)) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
      return webSockets.handleUpgrade(request, socket, head, (feed) => {
        this.sockets.add(feed);
        feed.on("message", (data) => String(data) === "ping" && !this.deaf && feed.send("pong"));
        feed.on("close", () => this.sockets.delete(feed));
        feed.send(JSON.stringify({ type: "snapshot", calls: [...this.calls.values()].filter(isActive), nodes: this.nodes, balance: this.balance() }));
      });
    });
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async close() {
    this.dropSockets();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** As when the edge is deployed anew. */
  dropSockets() {
    for (const socket of this.sockets) socket.terminate();
  }

  send(message) {
    for (const socket of this.sockets) socket.send(JSON.stringify(message));
  }

  /** One fact of a call, told to everybody. `kind` has no envelope yet. */
  apply(call_id, call_started_at_ms, kind) {
    const events = this.events.get(call_id) ?? [];
    const event = { v: 1, call_id, seq: events.length, call_started_at_ms, ...kind };
    events.push(event);
    this.events.set(call_id, events);
    this.send({ type: "event", event });
    this.change(call_id, this.#after(event));
  }

  /** Something about a call that is no event of it: what it cost, that its recording is here. */
  change(call_id, changes) {
    const call = { ...this.calls.get(call_id), ...changes };
    this.calls.set(call_id, call);
    this.send({ type: "call", call });
  }

  settle(call_id) {
    const call = this.calls.get(call_id);
    const microcredits = Math.ceil(call.duration_ms / 1000) * RATE;
    this.ledger.push({ id: this.ledger.length + 1, at_ms: Date.now(), kind: "call_charge", microcredits: -microcredits, reference: call_id });
    this.change(call_id, { cost_microcredits: microcredits });
    this.send({ type: "balance", balance: this.balance() });
  }

  store(call_id, seconds = 3) {
    this.recordings.set(call_id, silence(seconds));
    this.change(call_id, { recorded: true });
  }

  balance() {
    const total_microcredits = this.ledger.reduce((sum, entry) => sum + entry.microcredits, 0);
    const active_calls = [...this.calls.values()].filter(isActive).length;
    const held_microcredits = active_calls * 300 * RATE;
    return { total_microcredits, held_microcredits, available_microcredits: total_microcredits - held_microcredits, active_calls };
  }

  #after(event) {
    const call = this.calls.get(event.call_id);
    const common = { duration_ms: Math.max(call?.duration_ms ?? 0, event.at_ms) };
    switch (event.type) {
      case "call_started":
        return {
          ...common,
          call_id: event.call_id,
          account_id: event.account_id ?? "acc_demo",
          status: "active",
          ...Object.fromEntries(["direction", "from", "to", "agent", "node", "codec"].map((name) => [name, event[name]])),
          started_at_ms: event.call_started_at_ms,
          turns: 0,
          last_text: "",
          latency: null,
          cause: null,
          quality: null,
          cost_microcredits: null,
          provider_microcredits: null,
          recorded: false,
        };
      case "prompt_started":
      case "turn_transcribed":
        return { ...common, last_text: event.text };
      case "turn_completed":
        return { ...common, turns: event.turn, last_text: event.heard_text, latency: event.latency };
      case "call_ended":
        return {
          ...common,
          status: "ended",
          cause: event.cause,
          quality: event.quality,
          turns: event.turns,
          provider_microcredits: (event.usage ?? []).reduce((sum, used) => sum + used.cost_microcredits, 0),
        };
      default:
        return common;
    }
  }

  #knows(token) {
    return this.tokens.has(token) || this.apiKeys.some(({ key }) => key === token);
  }

  async #serve(request, response) {
    const url = new URL(request.url, this.url);
    this.asked.push(`${request.method} ${url.pathname}`);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : null;
    const json = (value, status = 200) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    const refuse = (status, code, message) => json({ error: { code, message } }, status);
    if (url.pathname === "/dev/jwks.json") return json({ keys: [] });
    if (url.pathname === "/dev/token") {
      const token = `demo.${randomUUID()}`;
      this.tokens.add(token);
      return json({ token });
    }
    if (url.pathname.startsWith("/recordings/")) return this.#recording(request, response, url);
    if (url.pathname === "/config.json") return json(this.settings);
    if (!url.pathname.startsWith("/v1/")) return this.#asset(response, url.pathname);
    if (!this.#knows(request.headers.authorization?.replace("Bearer ", ""))) return refuse(401, "unauthorized", "the session is not known");
    if (url.pathname === "/v1/sign-up") this.signedUp = body;
    if (!this.signedUp) return refuse(403, "forbidden", "no account: sign up first");
    const answer = this.#answer(request.method, url, body);
    return answer === undefined ? refuse(404, "not_found", "there is nothing here") : json(answer);
  }

  #answer(method, url, body) {
    const [, , feature, id, verb] = url.pathname.split("/");
    const call = this.calls.get(id);
    switch (`${method} ${feature}${id ? "/…" : ""}${verb ? `/${verb}` : ""}`) {
      case "POST sign-up":
        return {};
      case "GET account":
        return { account_id: "acc_demo", name: "Blue Door Books", balance: this.balance() };
      case "GET account/…":
        return pageOf([...this.ledger].reverse(), url, ({ id }) => id, "entries");
      case "GET profiles":
        return { profiles: this.profiles };
      case "PUT profiles/…":
        this.profiles = this.profiles.map((profile) => (profile.profile_id === id ? { ...profile, ...body } : profile));
        return this.profiles.find(({ profile_id }) => profile_id === id);
      case "GET api-keys":
        return { api_keys: this.apiKeys.map(({ key: _, ...shown }) => shown) };
      case "POST api-keys": {
        const key = { key_id: `key_${randomUUID().slice(0, 8)}`, name: body.name, created_at_ms: Date.now(), key: `tk_${randomUUID().replaceAll("-", "")}` };
        this.apiKeys.push(key);
        return key;
      }
      case "DELETE api-keys/…":
        this.apiKeys = this.apiKeys.filter(({ key_id }) => key_id !== id);
        return {};
      case "GET calls":
        return pageOf([...this.calls.values()].filter((one) => !isActive(one)).sort((a, b) => b.started_at_ms - a.started_at_ms), url, ({ started_at_ms }) => started_at_ms, "calls");
      case "GET calls/…":
        return call && { summary: call, events: this.events.get(id) };
      case "GET calls/…/recording":
        return this.recordings.has(id) ? { url: `${this.url}/recordings/${id}?expires=1&signature=2`, expires_at_ms: Date.now() + 60_000 } : undefined;
      case "POST calls/…/hang-up":
        this.commands.push({ type: "hang_up", call_id: id });
        this.onHangUp?.(id);
        return {};
      case "GET nodes":
        return { nodes: this.nodes, versions: this.versions };
      default:
        return undefined;
    }
  }

  #recording(request, response, url) {
    const bytes = this.recordings.get(url.pathname.split("/")[2]);
    if (!bytes) return response.writeHead(404).end();
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
    const headers = { "content-type": "audio/ogg", "accept-ranges": "bytes" };
    if (from === undefined) return response.writeHead(200, { ...headers, "content-length": bytes.length }).end(bytes);
    const part = bytes.subarray(Number(from), to ? Number(to) + 1 : bytes.length);
    headers["content-range"] = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
    return response.writeHead(206, { ...headers, "content-length": part.length }).end(part);
  }

  #asset(response, pathname) {
    const file = path.join(dist, path.normalize(pathname));
    const found = file.startsWith(dist) && statSync(file, { throwIfNoEntry: false })?.isFile() ? file : path.join(dist, "index.html");
    response.writeHead(200, {
      "content-type": TYPES[path.extname(found)] ?? "application/octet-stream",
      // What the Worker puts on its pages, so that whatever it forbids fails here too.
      "content-security-policy": `default-src 'none'; script-src 'self' ${this.scriptHosts}; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' ${this.url.replace("http", "ws")}; media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
    });
    response.end(readFileSync(found));
  }
}

const isActive = ({ status }) => status === "active";

function pageOf(all, url, cursor, name) {
  const [limit, before] = [Number(url.searchParams.get("limit") ?? 25), Number(url.searchParams.get("before") ?? Infinity)];
  const entries = all.filter((entry) => cursor(entry) < before);
  const shown = entries.slice(0, limit);
  return { [name]: shown, next: entries.length > limit ? String(cursor(shown.at(-1))) : null };
}
