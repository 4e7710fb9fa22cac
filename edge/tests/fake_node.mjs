// An engine node as the edge sees one: its link with heartbeats, and `/ws/tandem` for one call a socket.
// How it behaves is said when it is made; what it was told is kept for tests to look at.
import { createServer } from "node:http";
import { once } from "node:events";
import { createHmac } from "node:crypto";
import { WebSocket, WebSocketServer } from "ws";
import { devSecrets } from "../dev/options.mjs";
import { signed } from "./harness.mjs";

export class FakeNode {
  /** behaviour: "echo" (answers audio with the same), "refuse" (no upgrade), "decline" and "leave" (upgrade, and say no or go at `start`), "silent" (never starts), "die" (closes at the first audio). */
  constructor(name, { version = "0.1.0", behaviour = "echo", maxCalls = 100 } = {}) {
    Object.assign(this, { name, version, behaviour, maxCalls, status: "ok", activeCalls: 0 });
    this.calls = [];
    /** Commands that came; a `deaf` node neither carries them out nor answers. */
    this.deaf = false;
    this.seen = new Set();
    this.commands = [];
    this.waiting = [];
  }

  async listen() {
    this.server = createServer((_, response) => response.writeHead(404).end());
    this.media = new WebSocketServer({ noServer: true });
    this.server.on("upgrade", (request, socket, head) => {
      const stamp = request.headers["x-tandem-timestamp"];
      const mac = createHmac("sha256", devSecrets.ENGINE_SECRET).update(`${stamp}.${request.url}`).digest("hex");
      const signature = request.headers["x-tandem-signature"];
      const good = /^\/ws\/tandem\?call_id=[\w-]+$/.test(request.url) && signature === `v1=${mac}` && !this.seen.has(signature);
      this.seen.add(signature);
      if (!good || this.behaviour === "refuse") {
        socket.end(`HTTP/1.1 ${good ? 503 : 401} no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      this.media.handleUpgrade(request, socket, head, (ws) => this.#call(ws));
    });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  #call(ws) {
    const call = { ws, messages: [], closed: false };
    this.calls.push(call);
    const say = (message) => ws.send(JSON.stringify(message));
    ws.on("close", () => {
      call.closed = true;
      this.#changed();
    });
    ws.on("message", (data) => {
      const message = JSON.parse(data);
      call.messages.push(message);
      if (message.type === "start") {
        call.start = message;
        if (this.behaviour === "decline") {
          say({ type: "error", message: "no more calls" });
          say({ type: "ended", cause: "node_stopped" });
          ws.close();
        } else if (this.behaviour === "leave") ws.terminate();
        else if (this.behaviour !== "silent") {
          say({ type: "started", call_id: message.call_id });
          say({ type: "agent_text", text: "Hello, this is Tandem." });
          say({ type: "audio", data: "//8=" });
        }
      } else if (message.type === "audio") {
        if (this.behaviour === "die") ws.terminate();
        else {
          say({ type: "thinking" });
          say({ type: "audio", data: message.data });
        }
      } else if (message.type === "hangup") {
        say({ type: "ended", cause: "caller_hung_up" });
        ws.close();
      }
      this.#changed();
    });
  }

  /** Opens the link and reports once. */
  async link(edge) {
    const path = `/v1/engine/link?node=${this.name}`;
    const link = new WebSocket(edge.url.replace("http", "ws") + path, { headers: signed(devSecrets.ENGINE_SECRET, path) });
    link.on("message", (data) => {
      const command = JSON.parse(data);
      this.commands.push(command);
      this.#changed();
      if (this.deaf) return;
      if (command.type === "drain") this.status = "draining";
      if (command.type === "undrain") this.status = "ok";
      link.send(JSON.stringify({ type: "command_result", command_id: command.command_id, error: null }));
      this.#changed();
    });
    link.on("close", (code) => {
      if (this.socket === link) this.closeCode = code;
      this.#changed();
    });
    link.on("error", () => {});
    await once(link, "open");
    this.socket = link;
    this.beat();
    clearInterval(this.timer);
    this.timer = setInterval(() => link.readyState === WebSocket.OPEN && this.beat(), 3000);
    return link;
  }

  heartbeat() {
    return {
      type: "heartbeat", v: 1, node: this.name, version: this.version, status: this.status, http_url: this.url ?? "http://127.0.0.1:9",
      active_calls: this.activeCalls, max_calls: this.maxCalls, uptime_s: 1, late_slots: 0, cpu_cores: 0.5, memory_bytes: 1000,
      events_waiting: 0, recordings_waiting: 0,
    };
  }

  beat() {
    this.socket.send(JSON.stringify(this.heartbeat()));
  }

  #changed() {
    for (const check of this.waiting.splice(0)) check();
  }

  /** Until `condition` holds; looked at whenever something happened here. */
  async until(condition, ms = 5000) {
    const deadline = Date.now() + ms;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`${this.name}: it did not happen: ${condition}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now() + 1);
        this.waiting.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  close() {
    clearInterval(this.timer);
    this.socket?.terminate();
    this.media?.clients.forEach((client) => client.terminate());
    this.server?.close();
  }
}

/** Asks until the answer satisfies, for what happens in the background. */
export async function eventually(ask, satisfied, ms = 10000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (satisfied(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`it did not become so: ${JSON.stringify(answer)?.slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A WebSocket that keeps its messages; `next(predicate)` waits for one. */
export class Listener {
  constructor(url, protocols, options) {
    this.messages = [];
    this.seen = 0;
    this.ws = new WebSocket(url, protocols, options);
    this.waiting = [];
    const changed = () => this.waiting.splice(0).forEach((check) => check());
    this.ws.on("message", (data) => {
      this.messages.push(data.toString().startsWith("{") ? JSON.parse(data) : data.toString());
      changed();
    });
    this.ws.on("unexpected-response", (_, response) => {
      this.refused = response.statusCode;
      changed();
    });
    this.ws.on("error", () => changed());
    this.closed = new Promise((resolve) => this.ws.on("close", (code, reason) => {
      this.code = code;
      changed();
      resolve({ code, reason: reason.toString() });
    }));
    this.opened = once(this.ws, "open").then(() => this);
    this.opened.catch(() => {});
  }

  send(message) {
    this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async next(predicate, ms = 10000) {
    const deadline = Date.now() + ms;
    for (;;) {
      while (this.seen < this.messages.length) {
        const message = this.messages[this.seen++];
        if (predicate(message)) return message;
      }
      const left = deadline - Date.now();
      if (left <= 0 || this.code !== undefined) throw new Error(`no such message: ${predicate}; had ${JSON.stringify(this.messages).slice(0, 800)}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }
}
