// The frame around every page: where to go, whether the feed is live, what is left to spend.
import type { ReactNode } from "react";
import { Link, useRoute } from "wouter";
import { activeCalls, type Phase } from "../feed/state";
import { money } from "../format/numbers";
import { useEdge, useFeed } from "./context";
import { AccountIcon, CallsIcon, LiveIcon, NodesIcon } from "./icons";
import "./shell.css";

const PHASES: Record<Phase, string> = { connecting: "Connecting…", live: "Connected", reconnecting: "Reconnecting…" };

export function Shell({ children }: { children: ReactNode }) {
  const { session } = useEdge();
  const feed = useFeed();
  const active = activeCalls(feed).length;
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="bar">
        <span className="brand">
          <img src="/icon.svg" alt="" width="26" height="26" />
          Tandem
        </span>
        <nav aria-label="Pages">
          <Tab to="/" pattern="/live/:call_id" icon={<LiveIcon />} name="Live" badge={active} />
          <Tab to="/calls" pattern="/calls/:call_id" icon={<CallsIcon />} name="Calls" />
          <Tab to="/nodes" icon={<NodesIcon />} name="Nodes" />
          <Tab to="/account" icon={<AccountIcon />} name="Account" />
        </nav>
        <div className="foot">
          <p className={`phase ${feed.phase}`} role="status">
            <span className="dot" aria-hidden="true" />
            {PHASES[feed.phase]}
          </p>
          {feed.balance && (
            <Link className="credits" href="/account">
              <span className="number">{money(feed.balance.available_microcredits)}</span> credits
            </Link>
          )}
          <button type="button" className="quiet sign-out" onClick={() => session.signOut()}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

type TabProps = { to: string; pattern?: string; icon: ReactNode; name: string; badge?: number };

function Tab({ to, pattern, icon, name, badge = 0 }: TabProps) {
  const [here] = useRoute(to);
  const [within] = useRoute(pattern ?? to);
  return (
    <Link href={to} className="tab" aria-current={here || within ? "page" : undefined}>
      {icon}
      <span>{name}</span>
      {badge > 0 && (
        <span className="badge" aria-label={`${badge} going on`}>
          {badge}
        </span>
      )}
    </Link>
  );
}
