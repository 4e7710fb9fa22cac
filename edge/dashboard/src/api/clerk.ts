// Signing in with Clerk, where the page is configured for it; nothing of Clerk's is loaded otherwise. People sign in on
// Clerk's own page and come back, so that nothing foreign is drawn here.
import { loadScript, readSettings } from "./settings";

type Clerk = {
  load(): Promise<void>;
  redirectToSignIn(options: { redirectUrl: string }): Promise<void>;
  signOut(): Promise<void>;
  session: { getToken(): Promise<string | null> } | null | undefined;
};

declare global {
  interface Window {
    Clerk?: Clerk;
  }
}

let loading: Promise<Clerk> | null = null;

async function load(publishable_key: string): Promise<Clerk> {
  // The key names the host: `pk_test_` and the host in base64, ended by `$`.
  const host = atob(publishable_key.split("_")[2] ?? "").replace(/\$$/, "");
  await loadScript(`https://${host}/npm/@clerk/clerk-js@5/dist/clerk.browser.js`, { clerkPublishableKey: publishable_key });
  if (!window.Clerk) throw new Error("The sign-in service did not start.");
  await window.Clerk.load();
  return window.Clerk;
}

async function clerk(): Promise<Clerk | null> {
  const { clerk_publishable_key } = await readSettings();
  if (!clerk_publishable_key) return null;
  loading ??= load(clerk_publishable_key).catch((error: unknown) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** A fresh token; `null` if nobody is signed in there. */
export async function clerkToken(): Promise<string | null> {
  return (await (await clerk())?.session?.getToken()) ?? null;
}

/** Goes to Clerk's page, which comes back here. */
export async function goToClerk(): Promise<void> {
  await (await clerk())?.redirectToSignIn({ redirectUrl: location.href });
}

export function signOutOfClerk() {
  void window.Clerk?.signOut();
}
