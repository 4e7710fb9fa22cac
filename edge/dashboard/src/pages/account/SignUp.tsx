// For somebody who is signed in and has no account yet.
import { type FormEvent, useEffect, useRef, useState } from "react";
import { routes } from "../../api/routes";
import { challenge } from "../../api/turnstile";
import { useEdge } from "../../app/context";
import "./account.css";

export function SignUp({ done }: { done: () => void }) {
  const { client } = useEdge();
  const [error, setError] = useState<string | null>(null);
  /** `undefined`: not solved yet. `null`: there is none to solve. */
  const [token, setToken] = useState<string | null | undefined>();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (box.current) challenge(box.current).then(setToken, (failure: Error) => setError(failure.message));
  }, []);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get("name")?.toString().trim() ?? "";
    routes.signUp(client, name, token ?? null).then(done, (failure: unknown) => setError((failure as Error).message));
  }

  return (
    <main className="page account sign-up">
      <header className="page-head">
        <h1>Create your account</h1>
        <p className="muted">You are signed in, and belong to no account yet.</p>
      </header>
      <form className="card form" onSubmit={submit}>
        <label htmlFor="account-name">Name of your business</label>
        <div className="field-row">
          <input id="account-name" name="name" required maxLength={100} autoComplete="organization" />
          <button type="submit" className="primary" disabled={token === undefined}>
            Create
          </button>
        </div>
        <div ref={box} />
        <p className="error" role="alert">
          {error}
        </p>
      </form>
    </main>
  );
}
