// Keeps the live feed open: connects with the session's token, reads messages into the state, and after a loss begins
// anew, waiting longer each time.
import * as v from "valibot";
import type { Session } from "../api/session";
import { LiveMessage } from "../protocol/live";
import { type FeedState, apply, nothingYet } from "./state";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** How often the edge is asked whether it is there, and how long it may be silent, ms. The answer wakes nobody. */
const PING_MS = 20_000;
const SILENT_MS = 45_000;

/** How long to wait before try number `attempt` (from 0): doubled each time, spread so that many pages do not come at once. */
export function backOff(attempt: number, spread: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return Math.round(longest * (0.5 + spread / 2));
}

export class Feed {
  #state = nothingYet;
  #listeners = new Set<() => void>();
  #socket: WebSocket | null = null;
  #retry: number | undefined;
  #attempt = 0;
  #frame: number | undefined;
  #ping: number | undefined;
  #heard_ms = 0;
  #open = false;

  /** `ask` is any signed-in request: unlike a handshake it says why it is refused, and renews the session or ends it. */
  constructor(
    readonly session: Session,
    readonly ask: () => Promise<unknown>,
  ) {}

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  state = (): FeedState => this.#state;

  open() {
    this.#open = true;
    this.#attempt = 0;
    window.addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
    this.#connect();
  }

  close() {
    this.#open = false;
    window.removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    clearTimeout(this.#retry);
    clearInterval(this.#ping);
    this.#socket?.close();
    this.#socket = null;
    this.#set(nothingYet);
  }

  /** Somebody looks again, or the network is back: no use in waiting. */
  #now = () => {
    if (this.#socket || document.visibilityState !== "visible") return;
    clearTimeout(this.#retry);
    this.#connect();
  };

  #connect() {
    const url = new URL("/v1/live", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, ["tandem.v1", `token.${this.session.current()?.token ?? ""}`]);
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#heard_ms = Date.now();
      clearInterval(this.#ping);
      this.#ping = window.setInterval(() => this.#check(socket), PING_MS);
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      this.#heard_ms = Date.now();
      const message = v.safeParse(LiveMessage, read(data));
      // A kind of message this page does not know yet is not for it.
      if (!message.success) return;
      if (message.output.type === "snapshot") this.#attempt = 0;
      this.#set(apply(this.#state, message.output));
    };
    socket.onclose = () => this.#lost(socket, opened);
  }

  /** A line that was cut somewhere does not close by itself. */
  #check(socket: WebSocket) {
    if (Date.now() - this.#heard_ms < SILENT_MS) return socket.send("ping");
    socket.close();
    return this.#lost(socket, true);
  }

  #lost(socket: WebSocket, was_open: boolean) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    clearInterval(this.#ping);
    if (!this.#open) return;
    this.#set({ ...this.#state, phase: this.#state.snapshots ? "reconnecting" : "connecting" });
    this.#retry = window.setTimeout(() => void this.#again(was_open), backOff(this.#attempt++, Math.random()));
  }

  /** A refused handshake does not say why: the token may have run out. */
  async #again(was_open: boolean) {
    if (!was_open) await this.ask().catch(() => undefined);
    if (this.#open && !this.#socket) this.#connect();
  }

  /** Many messages in one frame are one drawing. A hidden page has no frames, and draws when it is seen again. */
  #set(state: FeedState) {
    this.#state = state;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      for (const listener of this.#listeners) listener();
    });
  }
}

function read(data: unknown): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return null;
  }
}
