// What a call cost: charged to the account, and what providers and the line took, as its end tells.
import type { CallEvent, ProviderUsage } from "../protocol/events";

const STAGES: Record<ProviderUsage["stage"], string> = {
  transcription: "Hearing",
  chat: "Thinking",
  synthesis: "Speaking",
  realtime: "Hearing and speaking",
  telephony: "Line",
};

export type Share = {
  name: string;
  /** What it was for, in the provider's own measure. */
  amount: string;
  microcredits: number;
};

const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;

function amount({ stage, requests, kept, audio_ms, input_tokens, output_tokens, characters }: ProviderUsage): string {
  const parts = {
    transcription: [`${Math.round(audio_ms / 1000)} s`, plural(requests, "request")],
    chat: [plural(input_tokens + output_tokens, "token"), plural(requests, "request")],
    synthesis: [plural(characters, "character"), plural(requests, "request")],
    realtime: [plural(input_tokens + output_tokens, "token"), plural(requests, "answer")],
    telephony: [`${Math.round(audio_ms / 1000)} s`],
  }[stage];
  return [...parts, ...(kept > 0 ? [`${kept} kept from before`] : [])].join(", ");
}

/** Who took what, the dearest first; nothing before the call's end. */
export function shares(events: readonly CallEvent[]): Share[] {
  const ended = events.findLast((event) => event.type === "call_ended");
  if (!ended) return [];
  const share = (used: ProviderUsage) => ({
    name: used.stage === "telephony" ? STAGES.telephony : `${STAGES[used.stage]} (${used.provider})`,
    amount: amount(used),
    microcredits: used.cost_microcredits,
  });
  return ended.usage.map(share).sort((one, other) => other.microcredits - one.microcredits);
}
