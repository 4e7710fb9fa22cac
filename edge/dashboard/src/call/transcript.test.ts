// What a conversation looks like after each of its events.
import { describe, expect, test } from "vitest";
import type { CallEvent, CallerIdentity } from "../protocol/events";
import { converse, merge } from "./transcript";

type Kind = CallEvent extends infer E ? (E extends CallEvent ? Omit<E, "v" | "call_id" | "seq" | "call_started_at_ms"> : never) : never;

function events(...kinds: Kind[]): CallEvent[] {
  return kinds.map((kind, seq) => ({ v: 1, call_id: "c", seq, call_started_at_ms: 0, ...kind }) as CallEvent);
}

const latency = { endpointing_ms: 520, transcription_ms: 85, first_token_ms: 12, first_audio_ms: 60, playout_ms: 9, caller_heard_ms: 686 };
const completed = { type: "turn_completed", turn: 1, caller_text: "when are you open", heard_ms: 1660, latency } as const;

describe("a turn", () => {
  const speaking: Kind[] = [{ type: "speech_started", at_ms: 3120, turn: 1 }];
  const asked: Kind[] = [...speaking, { type: "turn_transcribed", at_ms: 5240, turn: 1, text: "when are you open" }];
  const answering: Kind[] = [...asked, { type: "answer_started", at_ms: 5340, turn: 1 }];

  test("shows that the caller speaks before the words are known, and then the words in the same place", () => {
    expect(converse(events(...speaking))).toMatchObject({ activity: "caller_speaking", lines: [{ kind: "caller", state: "speaking", text: "" }] });
    expect(converse(events(...asked))).toMatchObject({ activity: "thinking", lines: [{ kind: "caller", state: "said", text: "when are you open", at_ms: 3120 }] });
  });

  test("shows the answer once all of it was heard, and how long the caller waited", () => {
    expect(converse(events(...answering)).activity).toBe("agent_speaking");
    const text = "We are open from nine to five.";
    const done = converse(events(...answering, { ...completed, at_ms: 8000, agent_text: text, heard_text: text, interrupted: false }));
    expect(done.activity).toBe("listening");
    expect(done.lines.at(-1)).toMatchObject({ kind: "agent", state: "said", text, unheard: "", at_ms: 5340 });
    expect(done.turns).toEqual([{ turn: 1, caller_text: "when are you open", latency, interrupted: false }]);
  });

  test("that takes a tool shows the call, and warns where it failed", () => {
    const called: Kind = { type: "tool_called", at_ms: 5300, turn: 1, run: 1, tool: "find_order", arguments: '{"order":42}' };
    const finished = { type: "tool_finished", at_ms: 5700, turn: 1, run: 1, tool: "find_order", took_ms: 400 } as const;
    const found = converse(events(...asked, called, { ...finished, result: "shipped", failed: false }));
    expect(found.lines.slice(1)).toMatchObject([
      { kind: "note", tone: "plain", text: 'find_order {"order":42}' },
      { kind: "note", tone: "plain", text: "find_order, 400 ms: shipped" },
    ]);
    expect(found.activity).toBe("thinking");
    const lost = converse(events(...asked, called, { ...finished, result: "The tool failed: no answer", failed: true }));
    expect(lost.lines.at(-1)).toMatchObject({ kind: "note", tone: "warning" });
  });

  test("that is cut off keeps what was heard apart from what was not", () => {
    const cut = converse(
      events(...answering, { type: "barge_in", at_ms: 7000, heard_ms: 1660 }, {
        ...completed,
        at_ms: 7000,
        agent_text: "We are open from nine to five. On Saturdays we are closed.",
        heard_text: "We are open from nine",
        interrupted: true,
      }),
    );
    expect(cut.lines.map((line) => line.kind)).toEqual(["caller", "agent", "barge_in"]);
    expect(cut.lines[1]).toMatchObject({ state: "cut_off", text: "We are open from nine", unheard: " to five. On Saturdays we are closed." });
    expect(cut.activity).toBe("caller_speaking");
  });

  test("whose words could not be made out says so", () => {
    const unclear = converse(events(...speaking, { type: "turn_transcribed", at_ms: 4000, turn: 1, text: "[unclear]" }));
    expect(unclear.lines).toMatchObject([{ kind: "caller", state: "unclear", text: "" }]);
  });

  test("that was never finished leaves nothing half said when the call ends", () => {
    const quality = { packets_received: 1, packets_sent: 1, packets_lost: 0, packets_ignored: 0, packets_unauthentic: 0, jitter_ms: 0, concealed_ms: 0, mos: 4.4 };
    const ended = converse(events(...answering, { type: "call_ended", at_ms: 6000, cause: "caller_hung_up", duration_ms: 6000, turns: 0, wasted_requests: 0, usage: [], quality }));
    expect(ended.lines.map((line) => line.kind)).toEqual(["caller", "ended"]);
    expect(ended.activity).toBe("ended");
  });
});

test("keys pressed one after the other are one line, and not said again as words", () => {
  const pressed = converse(
    events(
      { type: "dtmf", at_ms: 1000, digit: "1", duration_ms: 100 },
      { type: "dtmf", at_ms: 1200, digit: "2", duration_ms: 100 },
      { type: "dtmf", at_ms: 1400, digit: "#", duration_ms: 100 },
      { type: "turn_transcribed", at_ms: 1500, turn: 1, text: "[pressed 12#]" },
    ),
  );
  expect(pressed.lines).toMatchObject([{ kind: "keys", digits: "12#" }]);
});

test("hold is told when it begins and when it ends", () => {
  const held = events({ type: "media_changed", at_ms: 1, codec: "PCMU", on_hold: true }, { type: "media_changed", at_ms: 2, codec: "PCMU", on_hold: false });
  expect(converse(held.slice(0, 1)).on_hold).toBe(true);
  expect(converse(held).lines.map((line) => line.kind === "note" && line.text)).toEqual(["On hold", "Back from hold"]);
});

describe("events that come in pieces", () => {
  const all = events(
    { type: "prompt_started", at_ms: 40, text: "Hello" },
    { type: "speech_started", at_ms: 100, turn: 1 },
    { type: "turn_transcribed", at_ms: 200, turn: 1, text: "hi" },
  );
  test("become one list, in order, each once, whichever piece comes first", () => {
    expect(merge(all.slice(2), all.slice(0, 2))).toEqual(all);
    expect(merge(all.slice(0, 2), all.slice(1))).toEqual(all);
    expect(merge([], all)).toEqual(all);
  });
  test("that were all known change nothing", () => {
    expect(merge(all, all.slice(1, 2))).toBe(all);
    expect(merge(all, [])).toBe(all);
  });
});

describe("the caller's number", () => {
  const names = { from: "", to: "", sip_call_id: "", codec: "PCMU", agent: "desk", node: "n" };
  const started: Kind = { type: "call_started", at_ms: 0, direction: "inbound", ...names, headers: [] };

  test("is shown with who vouches for it, where that was asked", () => {
    const notes = (identity?: CallerIdentity) =>
      converse(events({ ...started, ...(identity && { identity }) })).lines.map((line) => line.kind === "note" && [line.tone, line.text]);
    expect(notes()).toHaveLength(1);
    expect(notes({ verstat: "passed", attestation: "A" })[1]).toEqual(["plain", "The carrier vouches for the caller's number in full (A)"]);
    expect(notes({ verstat: "absent" })[1]).toEqual(["plain", "Nobody vouches for the caller's number"]);
    expect(notes({ verstat: "failed", code: 438, reason: "forged" })[1]).toEqual(["warning", "The caller's number is not to be trusted: forged"]);
  });
});
