// One call, live or ended: who, what was said, how fast, how well, at what cost.
import type { ReactNode } from "react";
import { Link } from "wouter";
import { routes } from "../api/routes";
import { useAsk, useFeed, useNow } from "../app/context";
import { BackIcon, CloseIcon } from "../app/icons";
import { useEscape } from "../app/roving";
import { count, fineMoney, party, percent } from "../format/numbers";
import { fullMoment, length, moment } from "../format/time";
import type { CallSummary } from "../protocol/live";
import type { CallEvent, MediaQuality } from "../protocol/events";
import { type Share, shares } from "./costs";
import { HangUp } from "./HangUp";
import { LatencyCard } from "./Latency";
import { ACTIVITIES, CAUSES, isFailure, quality as judge, soFar } from "./names";
import { Recording } from "./Recording";
import { Transcript } from "./Transcript";
import { type Conversation, converse, merge } from "./transcript";
import "./call.css";

const NONE: readonly CallEvent[] = [];

/** What the edge stored, and what the feed told since. */
function useCall(call_id: string) {
  const feed = useFeed();
  const live = feed.calls.get(call_id);
  // Asked again when the feed was lost in between, and once more when the call has ended and was settled or stored.
  const version = `${feed.snapshots} ${live?.status} ${live?.cost_microcredits} ${live?.recorded}`;
  const stored = useAsk(call_id, (client) => routes.call(client, call_id), version);
  return { feed, live, stored };
}

type DetailProps = {
  call_id: string;
  /** Whether somebody listens in or looks back: what they want first. */
  shown: "live" | "ended";
  back: string;
  close: () => void;
};

export function CallDetail({ call_id, shown, back, close }: DetailProps) {
  const { feed, live, stored } = useCall(call_id);
  useEscape(close);
  const call = live ?? stored.data?.summary;
  if (!call) {
    return (
      <article className="detail">
        <Header back={back} title={stored.error ? "Not found" : "…"} />
        <p className="muted pad">{stored.error?.message}</p>
      </article>
    );
  }
  const events = merge(stored.data?.events ?? NONE, feed.events.get(call_id) ?? NONE);
  const conversation = converse(events);
  return (
    <article className="detail" aria-label={`Call from ${party(call.from)}`}>
      <Header back={back} title={party(call.from)}>
        <Status call={call} conversation={conversation} />
        {call.status === "active" && <HangUp call={call} />}
      </Header>
      <div className="columns">
        <Transcript conversation={conversation} waiting={!stored.data && !stored.error} follow={call.status === "active"} />
        <aside className="facts" aria-label="Measurements" tabIndex={0}>
          {shown === "ended" && <Recording call={call} />}
          <LatencyCard turns={conversation.turns} summary={call.latency} />
          <QualityCard quality={call.quality} ended={call.status === "ended"} />
          {shown === "live" && <Recording call={call} />}
          <Facts call={call} />
          <CostCard call={call} shares={shares(events)} />
        </aside>
      </div>
    </article>
  );
}

function Header({ back, title, children }: { back: string; title: string; children?: ReactNode }) {
  return (
    <header className="detail-head">
      <Link href={back} className="back" aria-label="Back to the list">
        <BackIcon />
      </Link>
      <h2>{title}</h2>
      {children}
      <Link href={back} className="close" aria-label="Close" title="Close (Esc)">
        <CloseIcon />
      </Link>
    </header>
  );
}

function Status({ call, conversation }: { call: CallSummary; conversation: Conversation }) {
  const now = useNow();
  if (call.status === "ended") {
    const tone = call.cause && isFailure(call.cause) ? "warning" : "plain";
    return (
      <p className={`status ${tone}`}>
        <span className="number">{length(call.duration_ms)}</span> · {call.cause ? CAUSES[call.cause] : "Ended"}
      </p>
    );
  }
  return (
    <p className="status going-on">
      <span className="number" aria-label="Length">
        {length(soFar(call, now))}
      </span>
      <span className={`activity ${conversation.activity}`}>{conversation.on_hold ? "On hold" : ACTIVITIES[conversation.activity]}</span>
    </p>
  );
}

function QualityCard({ quality, ended }: { quality: MediaQuality | null; ended: boolean }) {
  const verdict = quality && judge(quality.mos);
  const expected = quality ? quality.packets_received + quality.packets_lost : 0;
  return (
    <section className="card quality" aria-label="Quality">
      <h3>
        Sound
        {verdict && <span className={`verdict ${verdict.tone}`}>{verdict.word}</span>}
      </h3>
      {!quality && <p className="muted">{ended ? "Not measured." : "Measured over the whole call, shown at its end."}</p>}
      {quality && (
        <dl className="pairs">
          <Pair name="MOS" meaning="Mean opinion score, estimated: 1 to 4.5">{quality.mos.toFixed(2)}</Pair>
          <Pair name="Packet loss" meaning="Never came, or came too late">{percent(expected ? quality.packets_lost / expected : 0)}</Pair>
          <Pair name="Jitter">{quality.jitter_ms.toFixed(1)} ms</Pair>
          <Pair name="Made up" meaning="Sound made up for what was missing">{count(quality.concealed_ms)} ms</Pair>
        </dl>
      )}
    </section>
  );
}

function Facts({ call }: { call: CallSummary }) {
  const now = useNow();
  return (
    <section className="card" aria-label="Call">
      <h3>Call</h3>
      <dl className="pairs">
        <Pair name="Agent">{call.agent}</Pair>
        <Pair name="Started" meaning={fullMoment(call.started_at_ms)}>{moment(call.started_at_ms, now)}</Pair>
        <Pair name="Dialled" meaning={call.to}>{party(call.to)}</Pair>
        <Pair name="Node">{call.node}</Pair>
        <Pair name="Codec">{call.codec}</Pair>
        <Pair name="Turns">{call.turns}</Pair>
      </dl>
      <p className="id number" title="Call id">
        {call.call_id}
      </p>
    </section>
  );
}

function CostCard({ call, shares }: { call: CallSummary; shares: Share[] }) {
  const credits = (microcredits: number | null) => (microcredits === null ? "–" : `${fineMoney(microcredits)} credits`);
  return (
    <section className="card" aria-label="Cost">
      <h3>Cost</h3>
      <dl className="pairs">
        <Pair name="Charged" meaning="To the account, for the call's seconds">{credits(call.cost_microcredits)}</Pair>
        <Pair name="Providers" meaning="What speech providers and the line took, by the node's prices">{credits(call.provider_microcredits)}</Pair>
        {shares.map(({ name, amount, microcredits }) => (
          <Pair key={name} name={name} meaning={amount}>{credits(microcredits)}</Pair>
        ))}
      </dl>
    </section>
  );
}

function Pair({ name, meaning, children }: { name: string; meaning?: string; children: ReactNode }) {
  return (
    <div title={meaning}>
      <dt>{name}</dt>
      <dd className="number">{children}</dd>
    </div>
  );
}
