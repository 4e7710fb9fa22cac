// Requests to the edge: signed in, a refused token renewed once, errors as the edge words them.
// Which routes there are is in routes.ts.
import * as v from "valibot";
import type { Session } from "./session";

export class ApiFailure extends Error {
  constructor(
    /** HTTP status; 0: no answer came. */
    readonly status: number,
    /** The edge's, in snake case. */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const Refusal = v.object({ error: v.object({ code: v.string(), message: v.string() }) });

export type Method = "GET" | "POST" | "PUT" | "DELETE";

export class Client {
  /** The edge's clock minus this machine's, ms, where they are clearly apart. */
  clock_offset_ms = 0;

  constructor(readonly session: Session) {}

  now = () => Date.now() + this.clock_offset_ms;

  async request<S extends v.GenericSchema>(method: Method, path: string, answer: S, body?: unknown): Promise<v.InferOutput<S>> {
    const token = this.session.current()?.token ?? "";
    let response = await this.#send(token, method, path, body);
    if (response.status === 401) {
      if (await this.session.refresh(token)) response = await this.#send(this.session.current()?.token ?? "", method, path, body);
      if (response.status === 401) this.session.signOut();
    }
    const text = await response.text();
    const json = parse(text);
    if (!response.ok) {
      const refusal = v.safeParse(Refusal, json);
      if (refusal.success) throw new ApiFailure(response.status, refusal.output.error.code, refusal.output.error.message);
      throw new ApiFailure(response.status, "unknown", `The edge answered ${response.status}.`);
    }
    const read = v.safeParse(answer, json);
    if (!read.success) throw new ApiFailure(response.status, "unreadable", "The edge gave an answer this page cannot read. Reload it.");
    return read.output;
  }

  async #send(token: string, method: Method, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(path, init).catch(() => {
      throw new ApiFailure(0, "unreachable", "The edge cannot be reached.");
    });
    // The header counts whole seconds: only a clock that is clearly off is corrected.
    const offset = Date.parse(response.headers.get("date") ?? "") - Date.now();
    this.clock_offset_ms = Math.abs(offset) > 3000 ? offset : 0;
    return response;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
