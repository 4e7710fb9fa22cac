// Where a session begins: the demo user of a development edge, Clerk where it is configured, or an API key.
import { type FormEvent, useEffect, useState } from "react";
import { clerkToken, goToClerk } from "../../api/clerk";
import { readSettings } from "../../api/settings";
import { useEdge } from "../../app/context";
import "./sign-in.css";

type Ways = { clerk: boolean; demo: boolean };

/** A development edge shows the keys of its own issuer; no other has them. */
async function findWays(): Promise<Ways> {
  const { clerk_publishable_key } = await readSettings();
  if (clerk_publishable_key) return { clerk: true, demo: false };
  const jwks = await fetch("/dev/jwks.json").catch(() => null);
  return { clerk: false, demo: jwks?.ok === true };
}

export function SignInPage() {
  const { session } = useEdge();
  const [ways, setWays] = useState<Ways | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => void findWays().then(setWays), []);
  useEffect(() => {
    // Somebody may be back from Clerk's page.
    if (ways?.clerk) clerkToken().then((token) => token && session.signInWithClerk(token), (failure: Error) => setError(failure.message));
  }, [ways, session]);

  async function attempt(signIn: () => Promise<void>) {
    setBusy(true);
    setError(null);
    await signIn().catch((failure: unknown) => setError((failure as Error).message));
    setBusy(false);
  }

  function withKey(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const key = new FormData(event.currentTarget).get("key")?.toString().trim() ?? "";
    if (key.startsWith("tk_")) session.signInWithKey(key);
    else setError("An API key begins with tk_.");
  }

  return (
    <main className="sign-in">
      <div className="card">
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1>Tandem</h1>
        <p className="muted">Your calls, as they happen: who is on the line, what is said, and how fast the answer came.</p>
        <div className="ways" aria-busy={ways === null}>
          {ways?.demo && (
            <button type="button" className="primary" disabled={busy} onClick={() => attempt(() => session.signInAsDemo())}>
              Continue as demo user
            </button>
          )}
          {ways?.clerk && (
            <button type="button" className="primary" disabled={busy} onClick={() => attempt(goToClerk)}>
              Sign in
            </button>
          )}
          <details open={ways !== null && !ways.demo && !ways.clerk}>
            <summary>Use an API key</summary>
            <form onSubmit={withKey}>
              <label htmlFor="key">API key</label>
              <div className="field-row">
                <input id="key" name="key" type="password" autoComplete="off" spellCheck={false} placeholder="tk_…" required />
                <button type="submit">Sign in</button>
              </div>
            </form>
          </details>
        </div>
        <p className="error" role="alert">
          {error}
        </p>
      </div>
    </main>
  );
}
