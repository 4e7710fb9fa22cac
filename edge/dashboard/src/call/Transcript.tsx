// A conversation, line by line, read out as it grows. It follows its end unless somebody scrolled up.
import { useLayoutEffect, useRef } from "react";
import { CutIcon } from "../app/icons";
import { length } from "../format/time";
import { LatencyBar } from "./Latency";
import { axis } from "./latency";
import { CAUSES } from "./names";
import type { Conversation, Line, TurnTiming } from "./transcript";

/** Closer to the end than this, px, a reader wants to see what comes. */
const NEAR_END = 80;

type TranscriptProps = {
  conversation: Conversation;
  /** It may be there and is not read yet. */
  waiting: boolean;
  /** Begins at its end: somebody listens in. What is over is read from its beginning. */
  follow: boolean;
};

export function Transcript({ conversation, waiting, follow }: TranscriptProps) {
  const { lines, turns, activity } = conversation;
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(follow);
  useLayoutEffect(() => {
    const element = box.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [lines]);
  const timings = new Map(turns.map((timing) => [`agent ${timing.turn}`, timing]));
  const scale = axis(turns.map(({ latency }) => latency));
  return (
    <div
      className="transcript"
      ref={box}
      tabIndex={0}
      role="log"
      aria-label="Transcript"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
      }}
    >
      {lines.length === 0 && <p className="empty-line">{waiting ? "Loading what was said…" : "Nothing has been said yet."}</p>}
      <ol>
        {lines.map((line) => (
          <TranscriptLine key={line.key} line={line} timing={timings.get(line.key)} scale={scale} />
        ))}
        {activity === "thinking" && (
          <li className="line agent pending">
            <Dots label="The agent is thinking" />
          </li>
        )}
      </ol>
    </div>
  );
}

type LineProps = { line: Line; timing: TurnTiming | undefined; scale: number };

function TranscriptLine({ line, timing, scale }: LineProps) {
  const at = <time className="at number">{length(line.at_ms)}</time>;
  switch (line.kind) {
    case "caller":
      return (
        <li className={`line caller ${line.state}`}>
          <span className="who">Caller {at}</span>
          <p className="said">
            {line.state === "speaking" ? <Dots label="The caller is speaking" /> : line.state === "unclear" ? <em>not understood</em> : line.text}
          </p>
        </li>
      );
    case "agent":
      return (
        <li className={`line agent ${line.state}`}>
          <span className="who">Agent {at}</span>
          <p className="said">
            {line.state === "speaking" ? <Dots label="The agent is speaking" /> : line.text}
            {line.unheard && (
              <s title="Not heard: the caller cut in">
                <span className="hidden">Not heard: </span>
                {line.unheard}
              </s>
            )}
          </p>
          {timing && <LatencyBar latency={timing.latency} scale_ms={scale} />}
        </li>
      );
    case "keys":
      return (
        <li className="line aside keys">
          <span className="hidden">Keys pressed: </span>
          {[...line.digits].map((digit, at) => (
            <kbd key={at}>{digit}</kbd>
          ))}
          {at}
        </li>
      );
    case "barge_in":
      return (
        <li className="line aside barge-in">
          <CutIcon /> The caller cut in {(line.heard_ms / 1000).toFixed(1)} s into the answer
        </li>
      );
    case "note":
      return (
        <li className={`line aside ${line.tone}`}>
          {line.text} {at}
        </li>
      );
    case "ended":
      return (
        <li className="line aside end">
          {CAUSES[line.cause]} {at}
        </li>
      );
  }
}

function Dots({ label }: { label: string }) {
  return (
    <span className="dots" role="img" aria-label={label}>
      <i />
      <i />
      <i />
    </span>
  );
}
