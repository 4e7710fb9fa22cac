// Money: `edge_protocol::accounts`, field for field. In microcredits, a millionth of a credit.
import * as v from "valibot";
import { whole } from "./events";

export const Balance = v.object({
  total_microcredits: whole,
  /** Held by calls that are not settled. */
  held_microcredits: whole,
  available_microcredits: whole,
  active_calls: whole,
});
export type Balance = v.InferOutput<typeof Balance>;

export const LedgerEntry = v.object({
  id: whole,
  at_ms: whole,
  kind: v.picklist(["grant", "call_charge", "refund", "adjustment"]),
  /** Positive: into the account. */
  microcredits: whole,
  /** A call id, or a grant's or refund's own id. */
  reference: v.string(),
});
export type LedgerEntry = v.InferOutput<typeof LedgerEntry>;
