// Which page is shown: signing in, or one of the four within the shell.
import { useEffect, useSyncExternalStore } from "react";
import { Redirect, Route, Switch } from "wouter";
import { ApiFailure } from "../api/client";
import { routes } from "../api/routes";
import { AccountPage } from "../pages/account/AccountPage";
import { SignUp } from "../pages/account/SignUp";
import { CallsPage } from "../pages/calls/CallsPage";
import { LivePage } from "../pages/live/LivePage";
import { NodesPage } from "../pages/nodes/NodesPage";
import { SignInPage } from "../pages/sign-in/SignInPage";
import { useAsk, useEdge } from "./context";
import { Shell } from "./Shell";

export function App() {
  const { session } = useEdge();
  const signedIn = useSyncExternalStore(session.subscribe, session.current) !== null;
  return signedIn ? <SignedIn /> : <SignInPage />;
}

function SignedIn() {
  const { feed } = useEdge();
  const account = useAsk("account", routes.account);
  const stranger = account.error instanceof ApiFailure && account.error.status === 403;
  useEffect(() => {
    if (stranger) return undefined;
    feed.open();
    return () => feed.close();
  }, [feed, stranger]);
  if (stranger) return <SignUp done={account.again} />;
  return (
    <Shell>
      <Switch>
        <Route path="/">{() => <LivePage call_id={null} />}</Route>
        <Route path="/live/:call_id">{({ call_id }) => <LivePage call_id={call_id} />}</Route>
        <Route path="/calls">{() => <CallsPage call_id={null} />}</Route>
        <Route path="/calls/:call_id">{({ call_id }) => <CallsPage call_id={call_id} />}</Route>
        <Route path="/nodes" component={NodesPage} />
        <Route path="/account" component={AccountPage} />
        <Route>
          <Redirect to="/" replace />
        </Route>
      </Switch>
    </Shell>
  );
}
