// Who is signed in, and the token that says so: in memory, and in sessionStorage for a reload of this tab.
// Where a token comes from: the development issuer, an API key typed in, or Clerk (clerk.ts).
import { clerkToken, signOutOfClerk } from "./clerk";

export type Credential = { kind: "demo" | "key" | "clerk"; token: string };

const KEY = "tandem.session";

export class Session {
  #credential: Credential | null = stored();
  #refreshing: Promise<boolean> | null = null;
  #listeners = new Set<() => void>();

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** `null`: nobody is signed in. */
  current = () => this.#credential;

  async signInAsDemo() {
    this.#set({ kind: "demo", token: await demoToken() });
  }

  signInWithKey(token: string) {
    this.#set({ kind: "key", token });
  }

  signInWithClerk(token: string) {
    this.#set({ kind: "clerk", token });
  }

  signOut() {
    if (this.#credential?.kind === "clerk") signOutOfClerk();
    this.#set(null);
  }

  /** A new token in place of one that was refused, once for all who were refused with it. False: there is none. */
  refresh(refused: string): Promise<boolean> {
    const token = this.#credential?.token;
    if (!this.#refreshing && token && token !== refused) return Promise.resolve(true);
    this.#refreshing ??= this.#renew().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #renew() {
    const kind = this.#credential?.kind;
    try {
      const token = kind === "demo" ? await demoToken() : kind === "clerk" ? await clerkToken() : null;
      if (!token || !kind) return false;
      this.#set({ kind, token });
      return true;
    } catch {
      return false;
    }
  }

  #set(credential: Credential | null) {
    this.#credential = credential;
    if (credential) sessionStorage.setItem(KEY, JSON.stringify(credential));
    else sessionStorage.removeItem(KEY);
    for (const listener of this.#listeners) listener();
  }
}

function stored(): Credential | null {
  try {
    const value = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Credential | null;
    return typeof value?.token === "string" ? value : null;
  } catch {
    return null;
  }
}

async function demoToken(): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: "demo", email: "demo@example.test" }),
  });
  if (!response.ok) throw new Error("This edge gives no demo tokens.");
  return ((await response.json()) as { token: string }).token;
}
