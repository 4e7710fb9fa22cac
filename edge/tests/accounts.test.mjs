// Sign-up, profiles, numbers, keys and admin routes: what they do, and that one account never reaches another's.
// Credits are in credits.test.mjs, calls in admission.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seedDemo, startEdge } from "./harness.mjs";

let edge;
before(async () => (edge = await startEdge()));
after(() => edge.dispose());

async function json(response, status = 200) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return text && JSON.parse(text);
}

async function signUp(subject, body = { name: `Shop of ${subject}` }) {
  const token = await edge.token(subject);
  return { token, ...(await json(await edge.as(token, "POST", "/v1/sign-up", body))) };
}

async function rows(query, ...values) {
  const database = await edge.miniflare.getD1Database("DB");
  return (await database.prepare(query).bind(...values).all()).results;
}

test("sign-up makes a person, an account and a first profile, once", async () => {
  const first = await signUp("ann");
  const again = await signUp("ann", { name: "Another name" });
  assert.deepEqual({ ...again, token: 0 }, { ...first, token: 0 });
  const me = await json(await edge.as(first.token, "GET", "/v1/me"));
  assert.equal(me.email, "ann@example.test");
  assert.deepEqual(me.accounts, [{ account_id: first.account_id, name: "Shop of ann", role: "owner" }]);
  const profile = await json(await edge.as(first.token, "GET", `/v1/profiles/${first.profile_id}`));
  assert.match(profile.greeting, /Shop of ann/);
  const account = await json(await edge.as(first.token, "GET", "/v1/account"));
  assert.equal(account.status, "active");
  assert.equal(account.balance.total_microcredits, 0);
});

test("a hundred sign-ups of one person at once are one", async () => {
  const token = await edge.token("many");
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => edge.as(token, "POST", "/v1/sign-up", { name: "Many" }).then((r) => json(r))),
  );
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
  assert.equal((await rows("SELECT * FROM accounts WHERE name = 'Many'")).length, 1);
  assert.equal((await rows("SELECT * FROM people WHERE subject = 'many'")).length, 1);
});

test("a sign-up of which a part fails leaves nothing", async () => {
  const database = await edge.miniflare.getD1Database("DB");
  await database
    .prepare("CREATE TRIGGER broken BEFORE INSERT ON profiles BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    .run();
  const token = await edge.token("unlucky");
  const refused = await json(await edge.as(token, "POST", "/v1/sign-up", { name: "Unlucky" }), 500);
  assert.equal(refused.error.code, "internal");
  assert.deepEqual(await rows("SELECT * FROM people WHERE subject = 'unlucky'"), []);
  assert.deepEqual(await rows("SELECT * FROM accounts WHERE name = 'Unlucky'"), []);
  assert.deepEqual(await rows("SELECT * FROM memberships WHERE account_id NOT IN (SELECT account_id FROM accounts)"), []);
  assert.equal((await json(await edge.as(token, "GET", "/v1/me"))).person_id, null);
  await database.prepare("DROP TRIGGER broken").run();
  assert.ok((await signUp("unlucky", { name: "Unlucky" })).account_id);
});

test("sign-up refuses what is not right", async () => {
  const token = await edge.token("wrong");
  for (const body of [{ name: "" }, { name: "x".repeat(81) }, { name: 7 }, { colour: "blue" }]) {
    await json(await edge.as(token, "POST", "/v1/sign-up", body), 400);
  }
});

test("profiles are made, read, changed and put away", async () => {
  const { token } = await signUp("editor");
  const profile = {
    name: "Night desk",
    persona: "You are the night porter.",
    prompt: "Be quiet.",
    greeting: "Good night.",
    voice: "onyx",
    tools: [{ type: "function", function: { name: "hang_up", parameters: { type: "object", properties: {} } } }],
    hours: { time_zone: "Europe/Berlin", monday: ["20:00-24:00"], outside: { then: "greet", greeting: "Too early." } },
    max_call_s: 120,
    pipeline: "realtime",
    replies: [{ questions: ["are you open"], text: "At night we are." }],
  };
  const made = await json(await edge.as(token, "POST", "/v1/profiles", profile), 201);
  assert.equal(made.name, "Night desk");
  assert.equal(made.endpointing_ms, 600);
  assert.deepEqual([made.pipeline, made.replies, made.keep_voice], ["realtime", profile.replies, true]);
  const path = `/v1/profiles/${made.profile_id}`;
  const changed = await json(await edge.as(token, "PUT", path, { ...profile, greeting: "Yes?" }));
  assert.equal(changed.greeting, "Yes?");
  assert.deepEqual((await json(await edge.as(token, "GET", path))), changed);
  assert.equal((await json(await edge.as(token, "GET", "/v1/profiles"))).profiles.length, 2);

  const wrong = await json(await edge.as(token, "PUT", path, { ...profile, endpointing_ms: 5 }), 400);
  assert.equal(wrong.error.message, "endpointing_ms: 5; must be 100 to 5000");

  await json(await edge.as(token, "POST", "/v1/numbers", { number: "+49 30 1234", profile_id: made.profile_id }), 201);
  await json(await edge.as(token, "DELETE", path), 409);
  assert.equal((await edge.as(token, "DELETE", "/v1/numbers/%2B49301234")).status, 204);
  assert.equal((await edge.as(token, "DELETE", path)).status, 204);
  await json(await edge.as(token, "GET", path), 404);
  await json(await edge.as(token, "DELETE", path), 404);
  assert.equal((await rows("SELECT deleted_at_ms FROM profiles WHERE profile_id = ?", made.profile_id)).length, 1);
});

test("an account cannot have endless profiles or keys", async () => {
  const { token, account_id } = await signUp("hoarder");
  const insert = (n) =>
    `INSERT INTO profiles (profile_id, account_id, name, profile, created_at_ms) VALUES ('prf_h${n}', '${account_id}', 'x', '{"name":"x"}', 1)`;
  const database = await edge.miniflare.getD1Database("DB");
  await database.batch(Array.from({ length: 98 }, (_, n) => database.prepare(insert(n))));
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => edge.as(token, "POST", "/v1/profiles", { name: "last" })),
  );
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, 409, 409, 409, 409]);
  const keys = await Promise.all(Array.from({ length: 52 }, () => edge.as(token, "POST", "/v1/api-keys", { name: "k" })));
  assert.equal(keys.filter((key) => key.status === 201).length, 50);
});

test("numbers belong to one account; two ways of writing one are one", async () => {
  const [ann, bob] = [await signUp("ann2"), await signUp("bob2")];
  const claim = (who, number, profile_id = who.profile_id) =>
    edge.as(who.token, "POST", "/v1/numbers", { number, profile_id });
  assert.equal((await json(await claim(ann, "+1 (555) 000-1111"), 201)).number, "+15550001111");
  await json(await claim(bob, "+15550001111"), 409);
  await json(await claim(ann, "+1-555-000-1111"), 201);
  assert.deepEqual(await json(await edge.as(ann.token, "GET", "/v1/numbers")), {
    numbers: [{ number: "+15550001111", profile_id: ann.profile_id }],
  });
  await json(await claim(bob, "5551", ann.profile_id), 404);
  await json(await edge.as(bob.token, "DELETE", "/v1/numbers/+15550001111"), 404);
  for (const number of ["", "x".repeat(65), "two words", "<script>"]) await json(await claim(bob, number), 400);
  const race = await Promise.all([claim(ann, "777"), claim(bob, "777")]);
  assert.deepEqual(race.map((answer) => answer.status).sort(), [201, 409]);
});

test("an API key is shown once, works for its account, and not after it was revoked", async () => {
  const ann = await signUp("ann3");
  const made = await json(await edge.as(ann.token, "POST", "/v1/api-keys", { name: "crm" }), 201);
  assert.match(made.key, /^tk_[a-z2-7]{32}$/);
  const listed = await json(await edge.as(ann.token, "GET", "/v1/api-keys"));
  assert.deepEqual(listed.api_keys, [{ key_id: made.key_id, name: "crm", created_at_ms: made.created_at_ms }]);
  assert.equal((await json(await edge.as(made.key, "GET", "/v1/account"))).account_id, ann.account_id);
  await json(await edge.as(made.key, "POST", "/v1/api-keys", { name: "child" }), 403);
  assert.equal((await edge.as(ann.token, "DELETE", `/v1/api-keys/${made.key_id}`)).status, 204);
  await json(await edge.as(made.key, "GET", "/v1/account"), 401);
  await json(await edge.as(ann.token, "DELETE", `/v1/api-keys/${made.key_id}`), 404);
});

test("nothing of one account is another's", async () => {
  const [ann, eve] = [await signUp("ann4"), await signUp("eve4")];
  const key = await json(await edge.as(ann.token, "POST", "/v1/api-keys", { name: "k" }), 201);
  await json(await edge.as(ann.token, "POST", "/v1/numbers", { number: "4444", profile_id: ann.profile_id }), 201);
  const eves = await json(await edge.as(eve.token, "POST", "/v1/api-keys", { name: "k" }), 201);
  const profile = { name: "Stolen" };
  for (const token of [eve.token, eves.key]) {
    await json(await edge.as(token, "GET", `/v1/profiles/${ann.profile_id}`), 404);
    await json(await edge.as(token, "PUT", `/v1/profiles/${ann.profile_id}`, profile), 404);
    await json(await edge.as(token, "DELETE", `/v1/profiles/${ann.profile_id}`), 404);
    await json(await edge.as(token, "POST", "/v1/numbers", { number: "4445", profile_id: ann.profile_id }), 404);
    await json(await edge.as(token, "POST", "/v1/numbers", { number: "4444", profile_id: eve.profile_id }), 409);
    await json(await edge.as(token, "DELETE", "/v1/numbers/4444"), 404);
    const seen = await json(await edge.as(token, "GET", "/v1/profiles"));
    assert.deepEqual(seen.profiles.map(({ profile_id }) => profile_id), [eve.profile_id]);
    assert.deepEqual((await json(await edge.as(token, "GET", "/v1/numbers"))).numbers, []);
  }
  await json(await edge.as(eve.token, "DELETE", `/v1/api-keys/${key.key_id}`), 404);
  await json(await edge.as(eve.token, "GET", "/v1/account", undefined, { "x-tandem-account": ann.account_id }), 403);
  assert.equal((await json(await edge.as(ann.token, "GET", `/v1/profiles/${ann.profile_id}`))).name, "Reception");
});

test("admins make, change and list accounts", async () => {
  const made = await json(await edge.admin("POST", "/v1/admin/accounts", { name: "Big", max_calls: 7 }), 201);
  assert.deepEqual([made.name, made.max_calls, made.rate_microcredits_per_second], ["Big", 7, 833]);
  const path = `/v1/admin/accounts/${made.account_id}`;
  const change = { status: "suspended", rate_microcredits_per_second: 1000, allowed_ips: ["10.0.0.1", "2001:db8::/32"] };
  const changed = await json(await edge.admin("PATCH", path, { ...change, retention_days: 5, requests_per_minute: 9 }));
  assert.deepEqual([changed.status, changed.allowed_ips, changed.retention_days], ["suspended", ["10.0.0.1", "2001:db8::/32"], 5]);
  for (const body of [
    { max_calls: 100_001 },
    { rate_microcredits_per_second: -1 },
    { retention_days: 0 },
    { status: "asleep" },
    { allowed_ips: ["nowhere"] },
    { balance: 5 },
    { name: "" },
  ]) {
    await json(await edge.admin("PATCH", path, body), 400);
  }
  await json(await edge.admin("PATCH", "/v1/admin/accounts/acc_none", { max_calls: 1 }), 404);
  await json(await edge.admin("POST", "/v1/admin/accounts", {}), 400);
  const { accounts } = await json(await edge.admin("GET", "/v1/admin/accounts"));
  assert.ok(accounts.some(({ account_id }) => account_id === made.account_id));
});

test("the demo is seeded through the API, and seeding it again changes nothing", async () => {
  const demo = await seedDemo(edge);
  const again = await seedDemo(edge);
  assert.equal(again.account_id, demo.account_id);
  const account = await json(await edge.as(demo.token, "GET", "/v1/account"));
  assert.equal(account.name, "Demo");
  assert.equal(account.balance.available_microcredits, 100_000_000);
  const { numbers } = await json(await edge.as(demo.token, "GET", "/v1/numbers"));
  assert.deepEqual(numbers.map(({ number }) => number), ["agent", "reception"]);
  assert.equal((await rows("SELECT * FROM trunks WHERE account_id = ?", demo.account_id)).length, 1);
});

test("outside development only numbers an admin provided are free; welcome credits come once", async () => {
  const strict = await startEdge({ vars: { WELCOME_MICROCREDITS: "500" } });
  try {
    const token = await strict.token("ann");
    const ann = await json(await strict.as(token, "POST", "/v1/sign-up", { name: "Ann" }));
    await json(await strict.as(token, "POST", "/v1/sign-up", { name: "Ann" }));
    const account = await json(await strict.as(token, "GET", "/v1/account"));
    assert.equal(account.balance.total_microcredits, 500);
    const key = await json(await strict.as(token, "POST", "/v1/api-keys", { name: "k" }), 201);
    await strict.change({ ENVIRONMENT: "staging" });
    const claim = (number) => strict.as(key.key, "POST", "/v1/numbers", { number, profile_id: ann.profile_id });
    await json(await claim("5550001"), 409);
    await json(await strict.admin("POST", "/v1/admin/numbers", { number: "555-0001" }), 201);
    await json(await claim("5550001"), 201);
    assert.equal((await strict.as(key.key, "DELETE", "/v1/numbers/5550001")).status, 204);
    await json(await claim("5550001"), 201);
    const { account_id, profile_id } = ann;
    await json(await strict.admin("POST", "/v1/admin/numbers", { number: "5550002", account_id, profile_id }), 201);
    await json(await strict.admin("POST", "/v1/admin/numbers", { number: "5550003", account_id }), 400);
  } finally {
    await strict.dispose();
  }
});
