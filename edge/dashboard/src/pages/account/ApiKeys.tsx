// Keys for programs that act for the account. A key is shown once, when it is made.
import { type FormEvent, useState } from "react";
import { type ApiKey, routes } from "../../api/routes";
import { useAsk, useEdge, useNow } from "../../app/context";
import { moment } from "../../format/time";

export function ApiKeys() {
  const { client } = useEdge();
  const now = useNow();
  const keys = useAsk("api-keys", (client) => routes.apiKeys(client));
  const [made, setMade] = useState<string | null>(null);
  const [asking, setAsking] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const failed = (failure: unknown) => setError((failure as Error).message);

  function create(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    setError(null);
    routes.createApiKey(client, new FormData(form).get("key-name")?.toString() ?? "").then(({ key }) => {
      form.reset();
      setMade(key);
      keys.again();
    }, failed);
  }

  function revoke({ key_id }: ApiKey) {
    setAsking(null);
    routes.deleteApiKey(client, key_id).then(keys.again, failed);
  }

  return (
    <section className="card" aria-labelledby="api-keys">
      <h2 id="api-keys">API keys</h2>
      {keys.data?.length === 0 && <p className="muted">None yet. A program uses a key in place of your sign-in.</p>}
      <ul className="rows">
        {keys.data?.map((key) => (
          <li key={key.key_id} className="row">
            <div>
              <h3>{key.name}</h3>
              <p className="muted small">Made {moment(key.created_at_ms, now)}</p>
            </div>
            {asking === key.key_id ? (
              <div className="buttons">
                <button type="button" onClick={() => setAsking(null)}>
                  Keep
                </button>
                <button type="button" className="danger solid" onClick={() => revoke(key)}>
                  Revoke for good
                </button>
              </div>
            ) : (
              <button type="button" onClick={() => setAsking(key.key_id)} aria-label={`Revoke ${key.name}`}>
                Revoke
              </button>
            )}
          </li>
        ))}
      </ul>
      {made && (
        <div className="made" role="status">
          <p>Copy it now, it is not shown again:</p>
          <code>{made}</code>
          <button type="button" onClick={() => void navigator.clipboard.writeText(made)}>
            Copy
          </button>
        </div>
      )}
      <form className="form" onSubmit={create}>
        <label htmlFor="key-name">New key</label>
        <div className="field-row">
          <input id="key-name" name="key-name" required maxLength={100} placeholder="What it is for" autoComplete="off" />
          <button type="submit">Create</button>
        </div>
      </form>
      <p className="error" role="alert">
        {error ?? keys.error?.message}
      </p>
    </section>
  );
}
