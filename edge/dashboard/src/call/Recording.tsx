// Plays a call's recording: asks for a link when somebody wants to hear it, and for a new one when that has run out.
import { useEffect, useRef, useState } from "react";
import { routes } from "../api/routes";
import { useEdge } from "../app/context";
import { PlayIcon } from "../app/icons";
import type { CallSummary } from "../protocol/live";

export function Recording({ call }: { call: CallSummary }) {
  const { client } = useEdge();
  const [url, setUrl] = useState<string | null>(null);
  const [state, setState] = useState<"idle" | "asking" | { failed: string }>("idle");
  const audio = useRef<HTMLAudioElement>(null);
  const renewed = useRef(false);

  async function ask() {
    setState("asking");
    try {
      const link = await routes.recording(client, call.call_id);
      // Links name the edge's public address; the page may be shown from another one that is the same edge.
      const { pathname, search } = new URL(link.url, location.href);
      setUrl(pathname + search);
      setState("idle");
    } catch (error) {
      setState({ failed: (error as Error).message });
    }
  }

  useEffect(() => {
    // A browser that wants a second press gets it on the player itself.
    if (url) void audio.current?.play().catch(() => undefined);
  }, [url]);

  return (
    <section className="card recording" aria-label="Recording">
      <h3>Recording</h3>
      {!call.recorded && <p className="muted">{call.status === "active" ? "Ready when the call has ended." : "There is none, or it is still on its way."}</p>}
      {call.recorded && !url && (
        <button type="button" disabled={state === "asking"} onClick={() => void ask()}>
          <PlayIcon />
          Play
        </button>
      )}
      {url && (
        <audio
          ref={audio}
          src={url}
          controls
          preload="auto"
          onPlaying={() => (renewed.current = false)}
          onError={() => {
            if (renewed.current) return setState({ failed: "The recording cannot be played." });
            renewed.current = true;
            return void ask();
          }}
        />
      )}
      {typeof state === "object" && (
        <p className="error" role="alert">
          {state.failed}
        </p>
      )}
    </section>
  );
}
