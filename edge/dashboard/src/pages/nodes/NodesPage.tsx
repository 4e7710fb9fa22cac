// The machines that hold the calls: their load, what waits on them, and how two versions compare during a rollout.
import { type Version, routes } from "../../api/routes";
import { useAsk, useFeed, useNow } from "../../app/context";
import { bytes, count, percent } from "../../format/numbers";
import { length, uptime } from "../../format/time";
import type { NodeSummary } from "../../protocol/live";
import "./nodes.css";

export function NodesPage() {
  const feed = useFeed();
  const tenSeconds = Math.floor(useNow() / 10_000);
  const asked = useAsk("nodes", (client) => routes.nodes(client), `${feed.snapshots} ${tenSeconds}`);
  const nodes = feed.snapshots ? feed.nodes : (asked.data?.nodes ?? []);
  const alive = nodes.filter((node) => node.alive);
  const calls = alive.reduce((sum, node) => sum + node.active_calls, 0);
  const room = alive.reduce((sum, node) => sum + node.max_calls, 0);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Nodes</h1>
        <p className="muted number">
          {nodes.length ? `${alive.length} of ${nodes.length} alive · ${count(calls)} of ${count(room)} calls` : "None yet"}
        </p>
      </header>
      {nodes.length === 0 && (
        <div className="empty">
          <h2>No node has reported</h2>
          <p>
            Start one with <code>tandem run</code> and the edge's address in its settings. It reports every few seconds.
          </p>
        </div>
      )}
      <ul className="node-grid" aria-label="Nodes">
        {nodes.map((node) => (
          <NodeCard key={node.node} node={node} />
        ))}
      </ul>
      <Versions versions={asked.data?.versions ?? []} />
    </div>
  );
}

/** How a node is, in one word, and how that looks. */
function standing(node: NodeSummary): { word: string; tone: "good" | "fair" | "poor" } {
  if (!node.alive) return { word: "Silent", tone: "poor" };
  if (node.status === "draining") return { word: "Draining", tone: "fair" };
  if (!node.linked) return { word: "Not linked", tone: "fair" };
  return node.status === "busy" ? { word: "Busy", tone: "fair" } : { word: "Taking calls", tone: "good" };
}

function NodeCard({ node }: { node: NodeSummary }) {
  const now = useNow();
  const { word, tone } = standing(node);
  return (
    <li className={`card node ${node.alive ? "" : "silent"}`}>
      <header>
        <h2>{node.node}</h2>
        <span className={`verdict ${tone}`}>{word}</span>
      </header>
      <Load calls={node.active_calls} room={node.max_calls} />
      <dl className="pairs">
        <Pair name="CPU">{node.cpu_cores.toFixed(2)} cores</Pair>
        <Pair name="Memory">{bytes(node.memory_bytes)}</Pair>
        <Pair name="Late slots" warn={node.late_slots > 0.01} meaning="20 ms media slots begun more than 5 ms late">{percent(node.late_slots)}</Pair>
        <Pair name="Events waiting" warn={node.events_waiting > 1000}>{count(node.events_waiting)}</Pair>
        <Pair name="Recordings waiting">{count(node.recordings_waiting)}</Pair>
        <Pair name="Version">{node.version}</Pair>
        <Pair name="Up for">{uptime(node.uptime_s)}</Pair>
        {!node.alive && <Pair name="Last heard" warn>{length(now - node.seen_at_ms)} ago</Pair>}
      </dl>
    </li>
  );
}

function Load({ calls, room }: { calls: number; room: number }) {
  const share = room ? Math.min(1, calls / room) : 0;
  return (
    <div className="load">
      <p>
        <span className="big number">{count(calls)}</span>
        <span className="muted number"> of {count(room)} calls</span>
      </p>
      <svg className="gauge" role="meter" aria-label="Load" aria-valuemin={0} aria-valuemax={room} aria-valuenow={calls} width="100%" height="8">
        <rect className={share > 0.8 ? "high" : undefined} width={`${share * 100}%`} height="8" rx="4" />
      </svg>
    </div>
  );
}

function Versions({ versions }: { versions: readonly Version[] }) {
  if (versions.length === 0) return null;
  const weights = versions.reduce((sum, { weight }) => sum + weight, 0);
  return (
    <section className="card versions" aria-labelledby="versions">
      <h2 id="versions">Versions side by side</h2>
      <div className="scroll" tabIndex={0} role="group" aria-labelledby="versions">
        <table>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Share</th>
              <th scope="col">Nodes</th>
              <th scope="col">Calls now</th>
              <th scope="col">Ended</th>
              <th scope="col">Failed</th>
              <th scope="col">Heard after</th>
              <th scope="col">95 %</th>
              <th scope="col">MOS</th>
            </tr>
          </thead>
          <tbody>
            {versions.map((version) => (
              <tr key={version.version}>
                <th scope="row" className="number">
                  {version.version}
                </th>
                <td>{weights ? percent(version.weight / weights) : "–"}</td>
                <td>{version.nodes}</td>
                <td>{count(version.active_calls)}</td>
                <td>{count(version.calls)}</td>
                <td>{version.calls ? percent(version.error_rate) : "–"}</td>
                <td>{version.latency_p50_ms === null ? "–" : `${count(version.latency_p50_ms)} ms`}</td>
                <td>{version.latency_p95_ms === null ? "–" : `${count(version.latency_p95_ms)} ms`}</td>
                <td>{version.mos?.toFixed(2) ?? "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Pair({ name, children, meaning, warn = false }: { name: string; children: React.ReactNode; meaning?: string; warn?: boolean }) {
  return (
    <div title={meaning} className={warn ? "warn" : undefined}>
      <dt>{name}</dt>
      <dd className="number">{children}</dd>
    </div>
  );
}
