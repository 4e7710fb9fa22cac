// What every page reaches for: the session, requests to the edge, the live feed and the time.
import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { Client } from "../api/client";
import { routes } from "../api/routes";
import { Session } from "../api/session";
import type { FeedState } from "../feed/state";
import { Feed } from "../feed/socket";

export class Edge {
  readonly session = new Session();
  readonly client = new Client(this.session);
  readonly feed = new Feed(this.session, () => routes.account(this.client));
}

export const EdgeContext = createContext<Edge | null>(null);

export function useEdge(): Edge {
  const edge = useContext(EdgeContext);
  if (!edge) throw new Error("used outside of EdgeContext");
  return edge;
}

export function useFeed(): FeedState {
  const { feed } = useEdge();
  return useSyncExternalStore(feed.subscribe, feed.state);
}

/** The edge's time, ms since the Unix epoch, renewed every second. */
export function useNow(): number {
  const { client } = useEdge();
  const [now, setNow] = useState(client.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(client.now()), 1000);
    return () => clearInterval(timer);
  }, [client]);
  return now;
}

export type Asked<T> = { data: T | null; error: Error | null; again: () => void };

/** Asks the edge, anew when `key` or `version` changes; a newer answer is never overtaken by an older one. The last
 * answer stays on show while it is asked for again, but not when `key` means something else. */
export function useAsk<T>(key: string, ask: (client: Client) => Promise<T>, version = ""): Asked<T> {
  const { client } = useEdge();
  const [round, setRound] = useState(0);
  const [answer, setAnswer] = useState<{ key: string; data: T | null; error: Error | null }>({ key, data: null, error: null });
  useEffect(() => {
    let current = true;
    ask(client).then(
      (data) => current && setAnswer({ key, data, error: null }),
      (error: unknown) => current && setAnswer((last) => ({ key, data: last.key === key ? last.data : null, error: error as Error })),
    );
    return () => {
      current = false;
    };
    // `ask` is made anew at every drawing; `key` says when it means something else.
  }, [client, key, version, round]);
  const again = useCallback(() => setRound((n) => n + 1), []);
  return answer.key === key ? { ...answer, again } : { data: null, error: null, again };
}
