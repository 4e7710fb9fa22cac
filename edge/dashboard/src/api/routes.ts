// The edge's routes this page uses, and the shape of each answer. The messages themselves are in protocol/.
import * as v from "valibot";
import { Balance, LedgerEntry } from "../protocol/accounts";
import { CallEvent, whole } from "../protocol/events";
import { CallSummary, NodeSummary } from "../protocol/live";
import type { Client } from "./client";

const Account = v.object({ account_id: v.string(), name: v.string(), balance: Balance });
export type Account = v.InferOutput<typeof Account>;

/** A business profile; what this page does not edit is kept as it came. */
const Profile = v.looseObject({
  profile_id: v.string(),
  created_at_ms: whole,
  name: v.string(),
  greeting: v.string(),
  prompt: v.string(),
  voice: v.optional(v.nullable(v.string())),
});
export type Profile = v.InferOutput<typeof Profile>;

const ApiKey = v.object({ key_id: v.string(), name: v.string(), created_at_ms: whole });
export type ApiKey = v.InferOutput<typeof ApiKey>;

/** `next` is the `before` of the page after; `null`: this was the last. */
const CallPage = v.object({ calls: v.array(CallSummary), next: v.nullable(v.string()) });
export type CallPage = v.InferOutput<typeof CallPage>;


/** How one version of the engine does, for comparing two during a rollout. */
const Version = v.object({
  version: v.string(),
  /** Share of the calls it is given; 0 for all: not told apart. */
  weight: whole,
  nodes: whole,
  active_calls: whole,
  /** Calls that ended. */
  calls: whole,
  /** Share of them that failed the caller, 0 to 1. */
  error_rate: v.number(),
  latency_p50_ms: v.nullable(whole),
  latency_p95_ms: v.nullable(whole),
  mos: v.nullable(v.number()),
});
export type Version = v.InferOutput<typeof Version>;

// An edge that tells no such numbers still has nodes to show.
const Nodes = v.object({ nodes: v.array(NodeSummary), versions: v.fallback(v.array(Version), []) });

/** Facts of a kind this page does not know are left out. */
const Events = v.pipe(
  v.array(v.unknown()),
  v.transform((events) => events.flatMap((event) => {
    const read = v.safeParse(CallEvent, event);
    return read.success ? [read.output] : [];
  })),
);

const part = encodeURIComponent;
const before = (cursor: string | number | null) => (cursor === null ? "" : `&before=${part(cursor)}`);

export const routes = {
  account: (client: Client) => client.request("GET", "/v1/account", Account),
  signUp: (client: Client, name: string, turnstile_token: string | null) =>
    client.request("POST", "/v1/sign-up", v.unknown(), turnstile_token === null ? { name } : { name, turnstile_token }),
  /** One entry more than is shown says whether there are earlier ones. */
  ledger: async (client: Client, from: number | null = null) => {
    const shown = 8;
    const answer = v.object({ entries: v.array(LedgerEntry) });
    const { entries } = await client.request("GET", `/v1/account/ledger?limit=${shown + 1}${before(from)}`, answer);
    return { entries: entries.slice(0, shown), next: entries.length > shown ? (entries[shown - 1]?.id ?? null) : null };
  },

  profiles: async (client: Client) => (await client.request("GET", "/v1/profiles", v.object({ profiles: v.array(Profile) }))).profiles,
  changeProfile: ({ profile_id, created_at_ms: _, ...profile }: Profile, client: Client) =>
    client.request("PUT", `/v1/profiles/${part(profile_id)}`, v.unknown(), profile),

  apiKeys: async (client: Client) => (await client.request("GET", "/v1/api-keys", v.object({ api_keys: v.array(ApiKey) }))).api_keys,
  createApiKey: (client: Client, name: string) =>
    client.request("POST", "/v1/api-keys", v.object({ ...ApiKey.entries, key: v.string() }), { name }),
  deleteApiKey: (client: Client, key_id: string) => client.request("DELETE", `/v1/api-keys/${part(key_id)}`, v.unknown()),

  calls: (client: Client, from: string | null = null) => client.request("GET", `/v1/calls?limit=25${before(from)}`, CallPage),
  call: (client: Client, call_id: string) =>
    client.request("GET", `/v1/calls/${part(call_id)}`, v.object({ summary: CallSummary, events: Events })),
  recording: (client: Client, call_id: string) =>
    client.request("GET", `/v1/calls/${part(call_id)}/recording`, v.object({ url: v.string(), expires_at_ms: whole })),
  hangUp: (client: Client, call_id: string) => client.request("POST", `/v1/calls/${part(call_id)}/hang-up`, v.unknown(), {}),

  nodes: (client: Client) => client.request("GET", "/v1/nodes", Nodes),
};
