// Money, bytes, shares and SIP addresses as people read them.

const credits = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const fineCredits = new Intl.NumberFormat(undefined, { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const grouped = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

/** Microcredits as credits: `9.75`. */
export function money(microcredits: number): string {
  return credits.format(microcredits / 1_000_000);
}

/** What a single call costs is often less than a hundredth of a credit. */
export function fineMoney(microcredits: number): string {
  return fineCredits.format(microcredits / 1_000_000).replace("-", "−");
}

export function count(n: number): string {
  return grouped.format(n);
}

export function bytes(n: number): string {
  if (n < 1024 ** 2) return `${Math.round(n / 1024)} KB`;
  return n < 1024 ** 3 ? `${Math.round(n / 1024 ** 2)} MB` : `${(n / 1024 ** 3).toFixed(1)} GB`;
}

/** A share of 1: `0 %`, `0.04 %`, `1.3 %`, `12 %`. */
export function percent(share: number): string {
  const value = share * 100;
  const digits = value === 0 || value >= 10 ? 0 : value >= 1 ? 1 : 2;
  return `${value.toFixed(digits)} %`;
}

/** The part of a SIP URI people know somebody by: `sip:+4930123456@carrier.example` is `+4930123456`. */
export function party(uri: string): string {
  const address = /<([^>]*)>/.exec(uri)?.[1] ?? uri;
  return address.replace(/^sips?:/i, "").split(/[@;?]/)[0] || address || "unknown";
}
