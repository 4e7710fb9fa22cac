// Where the time between the caller's last sound and the answer went: one bar, or a call's turns with their legend.
import type { TurnLatency } from "../protocol/events";
import { STAGES, axis, median, segments } from "./latency";
import type { TurnTiming } from "./transcript";

export function LatencyBar({ latency, scale_ms }: { latency: TurnLatency; scale_ms: number }) {
  const split = STAGES.map(({ stage, name }) => `${name} ${latency[`${stage}_ms`]} ms`).join(", ");
  return (
    <span className="latency-bar" title={split}>
      <svg width="100%" height="6" role="img" aria-label={`Heard after ${latency.caller_heard_ms} ms: ${split}`}>
        {segments(latency, scale_ms).map(({ stage, start, width }) => (
          <rect key={stage} className={`stage ${stage}`} x={`${start}%`} width={`${width}%`} height="6" />
        ))}
      </svg>
      <span className="number">{latency.caller_heard_ms} ms</span>
    </span>
  );
}

/** `summary` stands in until the turns themselves are known. */
export function LatencyCard({ turns, summary }: { turns: readonly TurnTiming[]; summary: TurnLatency | null }) {
  const latencies = turns.map(({ latency }) => latency);
  const middle = median(latencies) ?? summary;
  const scale = axis(latencies.length ? latencies : middle ? [middle] : []);
  return (
    <section className="card latency" aria-label="Latency">
      <h3>
        Heard after
        <span className="big number">{middle ? `${middle.caller_heard_ms} ms` : "–"}</span>
      </h3>
      {!middle && <p className="muted">Measured from the first answer on.</p>}
      {middle && (
        <>
          <dl className="legend">
            {STAGES.map(({ stage, name, meaning }) => (
              <div key={stage} title={meaning}>
                <dt>
                  <i className={`swatch ${stage}`} aria-hidden="true" />
                  {name}
                </dt>
                <dd className="number">{middle[`${stage}_ms`]} ms</dd>
              </div>
            ))}
          </dl>
          {turns.length > 0 && (
            <ol className="turns" aria-label="Turn by turn">
              {turns.map(({ turn, latency, caller_text }) => (
                <li key={turn}>
                  <span className="turn number" title={caller_text}>
                    {turn}
                  </span>
                  <LatencyBar latency={latency} scale_ms={scale} />
                </li>
              ))}
            </ol>
          )}
          <p className="muted small">{turns.length > 1 ? `Median of ${turns.length} turns.` : "Each turn, from the caller's last sound to the first of the answer."}</p>
        </>
      )}
    </section>
  );
}
