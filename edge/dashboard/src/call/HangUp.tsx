// Ends a call, once somebody has said that they mean it.
import { useRef, useState } from "react";
import { routes } from "../api/routes";
import { useEdge } from "../app/context";
import { HangUpIcon } from "../app/icons";
import { party } from "../format/numbers";
import type { CallSummary } from "../protocol/live";

export function HangUp({ call }: { call: CallSummary }) {
  const { client } = useEdge();
  const dialog = useRef<HTMLDialogElement>(null);
  const [state, setState] = useState<"idle" | "asked" | { failed: string }>("idle");

  async function hangUp() {
    dialog.current?.close();
    setState("asked");
    await routes.hangUp(client, call.call_id).catch((error: unknown) => setState({ failed: (error as Error).message }));
  }

  return (
    <>
      <button type="button" className="danger" disabled={state === "asked"} onClick={() => dialog.current?.showModal()}>
        <HangUpIcon />
        {state === "asked" ? "Hanging up…" : "Hang up"}
      </button>
      {typeof state === "object" && (
        <p className="error" role="alert">
          {state.failed}
        </p>
      )}
      <dialog ref={dialog} aria-labelledby="hang-up-title">
        <h2 id="hang-up-title">Hang up on {party(call.from)}?</h2>
        <p>The call ends at once, without a goodbye.</p>
        <div className="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Keep the call
          </button>
          <button type="button" className="danger solid" onClick={() => void hangUp()}>
            Hang up
          </button>
        </div>
      </dialog>
    </>
  );
}
