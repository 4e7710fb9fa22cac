// Turnstile's challenge, where the page is configured for it.
import { loadScript, readSettings } from "./settings";

type Turnstile = { render(into: HTMLElement, options: { sitekey: string; callback: (token: string) => void }): void };

declare global {
  interface Window {
    turnstile?: Turnstile;
  }
}

/** Draws the challenge and answers with its token; at once with `null` where there is none. */
export async function challenge(into: HTMLElement): Promise<string | null> {
  const { turnstile_site_key: sitekey } = await readSettings();
  if (!sitekey) return null;
  await loadScript("https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit");
  return new Promise((callback) => window.turnstile?.render(into, { sitekey, callback }));
}
