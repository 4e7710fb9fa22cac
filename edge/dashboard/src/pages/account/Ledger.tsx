// Every movement of money, the newest first. Asked for again when the total changes.
import { useState } from "react";
import { Link } from "wouter";
import { routes } from "../../api/routes";
import { useAsk, useEdge, useNow } from "../../app/context";
import { fineMoney } from "../../format/numbers";
import { fullMoment, moment } from "../../format/time";
import type { LedgerEntry } from "../../protocol/accounts";

const KINDS: Record<LedgerEntry["kind"], string> = { grant: "Credits added", call_charge: "Call", refund: "Refund", adjustment: "Correction" };

type Further = { entries: LedgerEntry[]; next: number | null };

export function Ledger({ balance }: { balance: number | null }) {
  const { client } = useEdge();
  const now = useNow();
  const first = useAsk("ledger", (client) => routes.ledger(client), String(balance));
  const [further, setFurther] = useState<Further | null>(null);
  const entries = [...new Map([...(first.data?.entries ?? []), ...(further?.entries ?? [])].map((entry) => [entry.id, entry])).values()];
  entries.sort((a, b) => b.id - a.id);
  const next = further ? further.next : (first.data?.next ?? null);

  async function more() {
    const page = await routes.ledger(client, next);
    setFurther((known) => ({ entries: [...(known?.entries ?? []), ...page.entries], next: page.next }));
  }

  return (
    <section className="card" aria-labelledby="ledger">
      <h2 id="ledger">Ledger</h2>
      {first.error && <p className="error">{first.error.message}</p>}
      {entries.length === 0 && first.data && <p className="muted">Nothing has moved yet. Credits that are added and calls that are charged appear here.</p>}
      {entries.length > 0 && (
        <div className="scroll">
          <table className="ledger">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col">Credits</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.id}>
                  <td className="number" title={fullMoment(entry.at_ms)}>
                    {moment(entry.at_ms, now)}
                  </td>
                  <td>{entry.kind === "call_charge" ? <Link href={`/calls/${entry.reference}`}>Call</Link> : <span title={entry.reference}>{KINDS[entry.kind]}</span>}</td>
                  <td className={entry.microcredits > 0 ? "number in" : "number"}>
                    {entry.microcredits > 0 ? "+" : ""}
                    {fineMoney(entry.microcredits)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next !== null && (
        <button type="button" className="more" onClick={() => void more()}>
          Earlier entries
        </button>
      )}
    </section>
  );
}
