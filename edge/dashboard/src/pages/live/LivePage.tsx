// The calls going on now, and the one somebody listens in on, word by word.
import { useCallback } from "react";
import { useLocation } from "wouter";
import { useFeed, useNow } from "../../app/context";
import { CallDetail } from "../../call/CallDetail";
import { CallList, type Row } from "../../call/CallList";
import { lastWords, soFar } from "../../call/names";
import { activeCalls } from "../../feed/state";
import { party } from "../../format/numbers";
import { length } from "../../format/time";

export function LivePage({ call_id }: { call_id: string | null }) {
  const [, navigate] = useLocation();
  const feed = useFeed();
  const now = useNow();
  const close = useCallback(() => navigate("/"), [navigate]);
  const rows: Row[] = activeCalls(feed).map((call) => ({
    call_id: call.call_id,
    href: `/live/${call.call_id}`,
    title: party(call.from),
    aside: length(soFar(call, now)),
    detail: `${call.agent} · ${call.node}`,
    text: lastWords(call.last_text),
    live: true,
  }));
  return (
    <div className={`split ${call_id ? "with-detail" : ""}`}>
      <section className="list-pane" aria-label="Calls going on">
        <header className="page-head">
          <h1>Live</h1>
          <p className="muted number">{summary(rows.length, feed.phase === "connecting")}</p>
        </header>
        {rows.length ? <CallList rows={rows} selected={call_id} label="Calls going on" /> : <NoCalls />}
      </section>
      {call_id ? <CallDetail key={call_id} call_id={call_id} shown="live" back="/" close={close} /> : <p className="nothing-selected">{rows.length ? "Choose a call to listen in." : ""}</p>}
    </div>
  );
}

function summary(calls: number, connecting: boolean): string {
  if (connecting) return "Connecting…";
  return calls === 1 ? "1 call going on" : `${calls || "No"} calls going on`;
}

function NoCalls() {
  return (
    <div className="empty">
      <svg viewBox="0 0 120 40" width="120" height="40" aria-hidden="true" className="empty-wave">
        <path d="M2 20h30l6-10 8 22 8-28 8 24 6-8h50" />
      </svg>
      <h2>Nobody is on the line</h2>
      <p>
        Dial <code>sip:agent@127.0.0.1:5060</code> from a softphone, or let <code>make demo</code> call. It appears here as it is answered.
      </p>
    </div>
  );
}
