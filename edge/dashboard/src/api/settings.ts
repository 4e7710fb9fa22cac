// What the page is told about where it runs: /config.json, written when the page is deployed. Empty in development.
import * as v from "valibot";

const Settings = v.object({
  /** Sign-in through Clerk. */
  clerk_publishable_key: v.optional(v.nullable(v.string()), null),
  /** Turnstile's challenge before an account is created. */
  turnstile_site_key: v.optional(v.nullable(v.string()), null),
});
export type Settings = v.InferOutput<typeof Settings>;

export async function readSettings(): Promise<Settings> {
  const response = await fetch("/config.json").catch(() => null);
  const json: unknown = response?.ok ? await response.json().catch(() => ({})) : {};
  const settings = v.safeParse(Settings, json);
  return settings.success ? settings.output : { clerk_publishable_key: null, turnstile_site_key: null };
}

/** Adds a script of another host, once it is known to be needed. */
export function loadScript(src: string, data: Record<string, string> = {}): Promise<void> {
  const script = document.createElement("script");
  script.src = src;
  Object.assign(script.dataset, data);
  return new Promise((resolve, reject) => {
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${new URL(src).host} cannot be reached.`));
    document.head.append(script);
  });
}
