// Calls that ended, the newest first, further back on demand; and one of them in full.
import { useCallback, useState } from "react";
import { useLocation } from "wouter";
import { type CallPage, routes } from "../../api/routes";
import { useAsk, useEdge, useFeed, useNow } from "../../app/context";
import { CallDetail } from "../../call/CallDetail";
import { CallList, type Row } from "../../call/CallList";
import { CAUSES, isFailure, lastWords } from "../../call/names";
import { fineMoney, party } from "../../format/numbers";
import { length, moment } from "../../format/time";
import type { CallSummary } from "../../protocol/live";

export function CallsPage({ call_id }: { call_id: string | null }) {
  const [, navigate] = useLocation();
  const now = useNow();
  const close = useCallback(() => navigate("/calls"), [navigate]);
  const { calls, more, loading, error } = useEndedCalls();
  const rows: Row[] = calls.map((call) => ({
    call_id: call.call_id,
    href: `/calls/${call.call_id}`,
    title: party(call.from),
    aside: moment(call.started_at_ms, now),
    detail: [length(call.duration_ms), call.cause && CAUSES[call.cause], call.cost_microcredits !== null && `${fineMoney(call.cost_microcredits)} cr`]
      .filter(Boolean)
      .join(" · "),
    text: lastWords(call.last_text),
    live: false,
    failed: call.cause !== null && isFailure(call.cause),
  }));
  return (
    <div className={`split ${call_id ? "with-detail" : ""}`}>
      <section className="list-pane" aria-label="Ended calls">
        <header className="page-head">
          <h1>Calls</h1>
          <p className="muted">{error ? error.message : "The newest first"}</p>
        </header>
        {rows.length > 0 && <CallList rows={rows} selected={call_id} label="Ended calls" />}
        {rows.length === 0 && !loading && !error && (
          <div className="empty">
            <h2>No call has ended yet</h2>
            <p>
              Dial <code>sip:agent@127.0.0.1:5060</code>, say something, hang up. The call is kept here with its transcript and its recording.
            </p>
          </div>
        )}
        {more && (
          <button type="button" className="more" disabled={loading} onClick={more}>
            {loading ? "Loading…" : "Earlier calls"}
          </button>
        )}
      </section>
      {call_id ? <CallDetail key={call_id} call_id={call_id} shown="ended" back="/calls" close={close} /> : <p className="nothing-selected">{rows.length ? "Choose a call to read it." : ""}</p>}
    </div>
  );
}

/** The pages read so far, with what the feed told of calls that ended since. */
function useEndedCalls() {
  const { client } = useEdge();
  const feed = useFeed();
  const first = useAsk("calls", (client) => routes.calls(client), String(feed.snapshots));
  const [further, setFurther] = useState<CallPage[]>([]);
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const pages = first.data ? [first.data, ...further] : [];
  const next = pages.at(-1)?.next ?? null;

  const byId = new Map<string, CallSummary>();
  for (const call of [...pages.flatMap((page) => page.calls), ...feed.calls.values()]) {
    if (call.status === "ended") byId.set(call.call_id, call);
  }
  const calls = [...byId.values()].sort((a, b) => b.started_at_ms - a.started_at_ms || (a.call_id < b.call_id ? 1 : -1));

  const more = () => {
    setLoading(true);
    routes
      .calls(client, next)
      .then(
        (page) => {
          setError(null);
          setFurther((known) => [...known, page]);
        },
        (failure: unknown) => setError(failure as Error),
      )
      .finally(() => setLoading(false));
  };
  return { calls, more: next === null ? null : more, loading: loading || (!first.data && !first.error), error: error ?? first.error };
}
