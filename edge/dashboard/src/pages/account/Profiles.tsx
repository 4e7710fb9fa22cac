// The agents of the account: what they say first, what they are told, whose voice they have.
import { type FormEvent, useState } from "react";
import { type Profile, routes } from "../../api/routes";
import { useAsk, useEdge } from "../../app/context";

export function Profiles() {
  const profiles = useAsk("profiles", (client) => routes.profiles(client));
  const [open, setOpen] = useState<string | null>(null);
  return (
    <section className="card" aria-labelledby="profiles">
      <h2 id="profiles">Agents</h2>
      {profiles.error && <p className="error">{profiles.error.message}</p>}
      {profiles.data?.length === 0 && <p className="muted">There is none yet. Create one with POST /v1/profiles.</p>}
      <ul className="rows">
        {profiles.data?.map((profile) => (
          <li key={profile.profile_id}>
            {open === profile.profile_id ? (
              <Editor
                profile={profile}
                close={(changed) => {
                  setOpen(null);
                  if (changed) profiles.again();
                }}
              />
            ) : (
              <div className="row">
                <div>
                  <h3>{profile.name}</h3>
                  <p className="muted">{profile.greeting || "The caller speaks first."}</p>
                </div>
                <button type="button" onClick={() => setOpen(profile.profile_id)} aria-label={`Edit ${profile.name}`}>
                  Edit
                </button>
              </div>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Editor({ profile, close }: { profile: Profile; close: (changed: boolean) => void }) {
  const { client } = useEdge();
  const [state, setState] = useState<"idle" | "saving" | { failed: string }>("idle");

  function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => form.get(name)?.toString() ?? "";
    setState("saving");
    const changed = { ...profile, greeting: text("greeting"), prompt: text("prompt"), voice: text("voice").trim() || null };
    routes.changeProfile(changed, client).then(
      () => close(true),
      (failure: unknown) => setState({ failed: (failure as Error).message }),
    );
  }

  return (
    <form
      className="form"
      aria-label={`Edit ${profile.name}`}
      onSubmit={save}
      onKeyDown={(event) => {
        if (event.key === "Escape") close(false);
      }}
    >
      <h3>{profile.name}</h3>
      <label htmlFor="greeting">Greeting</label>
      <input id="greeting" name="greeting" defaultValue={profile.greeting} autoFocus placeholder="Empty: the caller speaks first" />
      <label htmlFor="prompt">Prompt</label>
      <textarea id="prompt" name="prompt" rows={6} defaultValue={profile.prompt} />
      <label htmlFor="voice">Voice</label>
      <input id="voice" name="voice" defaultValue={profile.voice ?? ""} placeholder="The node's own" />
      <p className="muted small">New calls use it at once; calls going on stay as they are.</p>
      {typeof state === "object" && (
        <p className="error" role="alert">
          {state.failed}
        </p>
      )}
      <div className="buttons">
        <button type="button" onClick={() => close(false)}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={state === "saving"}>
          {state === "saving" ? "Saving…" : "Save"}
        </button>
      </div>
    </form>
  );
}
