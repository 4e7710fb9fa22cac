// A turn's latency as parts of a bar. Which colour a part has is in call.css.
import type { TurnLatency } from "../protocol/events";

export type Stage = "endpointing" | "transcription" | "first_token" | "first_audio" | "playout";

export const STAGES: { stage: Stage; name: string; meaning: string }[] = [
  { stage: "endpointing", name: "End of turn", meaning: "from the caller's last sound until the turn was taken as ended" },
  { stage: "transcription", name: "Transcription", meaning: "until the words were known" },
  { stage: "first_token", name: "First token", meaning: "until the answer's first word was thought of" },
  { stage: "first_audio", name: "First audio", meaning: "until the first sound was made" },
  { stage: "playout", name: "Playout", meaning: "until the first packet was on its way" },
];

/** Start and width of each stage, in percent of `scale_ms`. */
export function segments(latency: TurnLatency, scale_ms: number): { stage: Stage; ms: number; start: number; width: number }[] {
  let start = 0;
  return STAGES.map(({ stage }) => {
    const ms = latency[`${stage}_ms`];
    const width = scale_ms > 0 ? Math.min(100 - start, (ms / scale_ms) * 100) : 0;
    const segment = { stage, ms, start, width };
    start += width;
    return segment;
  });
}

/** A round length of axis that all the turns fit in, ms. */
export function axis(latencies: readonly TurnLatency[]): number {
  const longest = Math.max(...latencies.map((latency) => Math.max(latency.caller_heard_ms, sum(latency))), 1);
  const step = longest <= 1000 ? 250 : longest <= 4000 ? 500 : 2000;
  return Math.ceil(longest / step) * step;
}

/** Middle of the turns' latencies, stage by stage, as the edge's summary has it. */
export function median(latencies: readonly TurnLatency[]): TurnLatency | null {
  if (!latencies.length) return null;
  const middle = (of: (latency: TurnLatency) => number) =>
    latencies.map(of).sort((a, b) => a - b)[Math.floor((latencies.length - 1) / 2)] ?? 0;
  return {
    endpointing_ms: middle((l) => l.endpointing_ms),
    transcription_ms: middle((l) => l.transcription_ms),
    first_token_ms: middle((l) => l.first_token_ms),
    first_audio_ms: middle((l) => l.first_audio_ms),
    playout_ms: middle((l) => l.playout_ms),
    caller_heard_ms: middle((l) => l.caller_heard_ms),
  };
}

function sum(latency: TurnLatency): number {
  return STAGES.reduce((total, { stage }) => total + latency[`${stage}_ms`], 0);
}
