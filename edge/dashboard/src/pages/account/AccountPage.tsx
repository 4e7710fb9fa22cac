// The account: what is left to spend and where it went, how the agents speak, and the keys of programs.
import { routes } from "../../api/routes";
import { useAsk, useEdge, useFeed } from "../../app/context";
import { fineMoney, money } from "../../format/numbers";
import { ApiKeys } from "./ApiKeys";
import { Ledger } from "./Ledger";
import { Profiles } from "./Profiles";
import "./account.css";

export function AccountPage() {
  const { session } = useEdge();
  const feed = useFeed();
  const account = useAsk("account", (client) => routes.account(client));
  const balance = feed.balance ?? account.data?.balance ?? null;
  return (
    <div className="page account">
      <header className="page-head">
        <h1>{account.data?.name ?? "Account"}</h1>
        <p className="muted number">{account.error?.message ?? account.data?.account_id ?? " "}</p>
      </header>
      <section className="balances" aria-label="Balance">
        <Amount name="Available" microcredits={balance?.available_microcredits} main />
        <Amount name="Held by calls" microcredits={balance?.held_microcredits} note={balance ? calls(balance.active_calls) : ""} />
        <Amount name="Total" microcredits={balance?.total_microcredits} />
      </section>
      <Ledger balance={balance?.total_microcredits ?? null} />
      <Profiles />
      {session.current()?.kind !== "key" && <ApiKeys />}
      <button type="button" className="sign-out-here" onClick={() => session.signOut()}>
        Sign out
      </button>
    </div>
  );
}

function calls(n: number): string {
  return n === 1 ? "1 call" : `${n} calls`;
}

type AmountProps = { name: string; microcredits: number | undefined; note?: string; main?: boolean };

function Amount({ name, microcredits, note, main = false }: AmountProps) {
  return (
    <div className={main ? "card amount main" : "card amount"}>
      <h2>{name}</h2>
      <p className="big number" title={microcredits === undefined ? undefined : `${fineMoney(microcredits)} credits`}>
        {microcredits === undefined ? "–" : money(microcredits)}
      </p>
      <p className="muted small">{note || "credits"}</p>
    </div>
  );
}
