// Recordings from a node into R2 and out to a player, on real workerd.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startEdge } from "./harness.mjs";

const PART = 5 * 1024 * 1024;
const DAY = 24 * 60 * 60 * 1000;
let edge, db, r2, token;

before(async () => {
  edge = await startEdge();
  db = await edge.miniflare.getD1Database("DB");
  r2 = await edge.miniflare.getR2Bucket("RECORDINGS");
  await account("acc_1", "user_1", 30);
  await account("acc_2", "user_2", 7);
  token = await edge.token("user_1");
});
after(() => edge.dispose());

async function account(account_id, subject, days) {
  await db.batch([
    db.prepare("INSERT INTO accounts (account_id, name, retention_days, requests_per_minute, created_at_ms) VALUES (?, ?, ?, 1000000, 0)").bind(account_id, account_id, days),
    db.prepare("INSERT INTO people VALUES (?, ?, 'a@b.test', 0)").bind(`per_${subject}`, subject),
    db.prepare("INSERT INTO memberships (person_id, account_id, created_at_ms) VALUES (?, ?, 0)").bind(`per_${subject}`, account_id),
  ]);
}

/** A call that ended, as the edge knows it. */
async function call(account_id = "acc_1", started_at_ms = Date.UTC(2026, 0, 2, 3)) {
  const call_id = randomUUID();
  await db.prepare("INSERT INTO calls VALUES (?, ?, ?, 1000, 'caller_hung_up', '{}')").bind(call_id, account_id, started_at_ms).run();
  return call_id;
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const announce = (bytes) => ({ v: 1, node: "n1", bytes: bytes.length, sha256: sha256(bytes), content_type: "audio/ogg", duration_ms: 1000 });
const json = async (response, status = 200) => {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return text && JSON.parse(text);
};
const begin = (id, request) => edge.engine("POST", `/v1/engine/recordings/${id}`, request);
const put = (id, upload, n, bytes) => edge.engine("PUT", `/v1/engine/recordings/${id}/${upload}/parts/${n}`, new Uint8Array(bytes));
const complete = (id, upload, request) => edge.engine("POST", `/v1/engine/recordings/${id}/${upload}/complete`, request);
const part = (bytes, n) => bytes.subarray((n - 1) * PART, n * PART);

async function upload(bytes, id) {
  const request = announce(bytes);
  const { upload_id } = await json(await begin(id, request));
  for (let n = 1; (n - 1) * PART < bytes.length; n++) await json(await put(id, upload_id, n, part(bytes, n)));
  return json(await complete(id, upload_id, request));
}

async function link(id, as = token) {
  const { url } = await json(await edge.as(as, "GET", `/v1/calls/${id}/recording`));
  return url;
}

test("a small recording is one part, and is found under account, day, call and upload", async () => {
  const id = await call();
  const bytes = randomBytes(1234);
  const { upload_id, ...done } = await upload(bytes, id);
  assert.deepEqual(done, { parts: [1], complete: true });
  assert.equal((await json(await begin(id, announce(bytes)))).upload_id, upload_id);
  const object = await r2.get(`recordings/acc_1/2026-01-02/${id}/${upload_id}.ogg`);
  assert.deepEqual(Buffer.from(await object.arrayBuffer()), bytes);
  const row = await db.prepare("SELECT * FROM recordings WHERE call_id = ?").bind(id).first();
  assert.equal(row.delete_after_ms - row.stored_at_ms, 30 * DAY);
  assert.equal(row.sha256, sha256(bytes));
});

test("an upload goes on where it stopped, in any order, and each step may be repeated", async () => {
  const id = await call();
  const bytes = randomBytes(2 * PART + 77);
  const request = announce(bytes);
  const first = await json(await begin(id, request));
  assert.deepEqual(first, { upload_id: first.upload_id, parts: [], complete: false });
  await json(await put(id, first.upload_id, 3, part(bytes, 3)));
  assert.deepEqual((await json(await put(id, first.upload_id, 1, part(bytes, 1)))).parts, [1, 3]);
  assert.equal((await json(await complete(id, first.upload_id, request), 409)).error.code, "parts_missing");
  // The node starts anew and asks what is there.
  assert.deepEqual(await json(await begin(id, request)), { upload_id: first.upload_id, parts: [1, 3], complete: false });
  await json(await put(id, first.upload_id, 1, part(bytes, 1)));
  await json(await put(id, first.upload_id, 2, part(bytes, 2)));
  for (let again = 0; again < 3; again++) {
    assert.deepEqual(await json(await complete(id, first.upload_id, request)), { upload_id: first.upload_id, parts: [1, 2, 3], complete: true });
  }
  assert.equal((await json(await begin(id, request))).complete, true);
  const response = await fetch(await link(id));
  assert.equal(sha256(Buffer.from(await response.arrayBuffer())), request.sha256);
});

test("ten begins at once are one upload", async () => {
  const id = await call();
  const bytes = randomBytes(100);
  const answers = await Promise.all(Array.from({ length: 10 }, () => begin(id, announce(bytes)).then((r) => json(r))));
  assert.equal(new Set(answers.map(({ upload_id }) => upload_id)).size, 1);
  await json(await put(id, answers[0].upload_id, 1, bytes));
  const done = await Promise.all(Array.from({ length: 3 }, () => complete(id, answers[0].upload_id, announce(bytes))));
  assert.ok(done.some((response) => response.status === 200));
  assert.equal((await json(await complete(id, answers[0].upload_id, announce(bytes)))).complete, true);
});

test("parts of the wrong size, number or upload are refused", async () => {
  const id = await call();
  const bytes = randomBytes(PART + 10);
  const { upload_id } = await json(await begin(id, announce(bytes)));
  await json(await put(id, upload_id, 1, bytes.subarray(0, PART - 1)), 400);
  await json(await put(id, upload_id, 2, bytes.subarray(0, 11)), 400);
  await json(await put(id, upload_id, 3, bytes.subarray(0, 10)), 400);
  await json(await put(id, upload_id, 0, bytes.subarray(0, 10)), 400);
  await json(await put(id, upload_id, "x", bytes.subarray(0, 10)), 400);
  assert.equal((await json(await put(id, "upl_unknown", 1, part(bytes, 1)), 404)).error.code, "upload_not_open");
  await json(await put(await call(), upload_id, 1, part(bytes, 1)), 404);
  await json(await begin("a%2f..%2fb", announce(bytes)), 400);
  await json(await begin(id, { ...announce(bytes), bytes: 0 }), 400);
});

test("a recording of a call nobody knows is not taken, and is once its events came", async () => {
  const id = randomUUID();
  const request = announce(randomBytes(10));
  assert.equal((await json(await begin(id, request), 404)).error.code, "call_unknown");
  const example = JSON.parse(readFileSync(new URL("../protocol/examples/events/call_started.json", import.meta.url), "utf8"));
  const started = { ...example, call_id: id, seq: 0, account_id: "acc_1" };
  await json(await edge.engine("POST", "/v1/engine/events", { v: 1, node: "n1", events: [started] }));
  assert.equal((await json(await begin(id, request))).complete, false);
});

test("what is not what was announced is thrown away, and the upload begins anew", async () => {
  const id = await call();
  const bytes = randomBytes(500);
  const request = announce(bytes);
  const { upload_id } = await json(await begin(id, request));
  await json(await put(id, upload_id, 1, randomBytes(500)));
  assert.equal((await json(await complete(id, upload_id, request), 409)).error.code, "wrong_content");
  assert.equal((await r2.list({ prefix: `recordings/acc_1/2026-01-02/${id}` })).objects.length, 0);
  assert.deepEqual((await json(await begin(id, request))).parts, []);
  await upload(bytes, id);
});

test("an accepted recording stays until another one is accepted, which takes its place", async () => {
  const id = await call();
  const [first, second] = [randomBytes(500), randomBytes(600)];
  await upload(first, id);
  const heard = async () => Buffer.from(await (await fetch(await link(id))).arrayBuffer());
  const request = announce(second);
  const { upload_id } = await json(await begin(id, request));
  await json(await put(id, upload_id, 1, randomBytes(600)));
  assert.equal((await json(await complete(id, upload_id, request), 409)).error.code, "wrong_content");
  assert.deepEqual(await heard(), first);
  await upload(second, id);
  const { objects } = await r2.list({ prefix: `recordings/acc_1/2026-01-02/${id}` });
  assert.deepEqual(objects.map(({ size }) => size), [600]);
  assert.equal(await db.prepare("SELECT object_key FROM recordings WHERE call_id = ?").bind(id).first("object_key"), objects[0].key);
});

test("parts R2 does not join are sent again", async () => {
  const id = await call();
  const bytes = randomBytes(500);
  const request = announce(bytes);
  const { upload_id } = await json(await begin(id, request));
  await json(await put(id, upload_id, 1, bytes));
  await db.prepare("UPDATE upload_parts SET etag = 'another' WHERE upload_id = ?").bind(upload_id).run();
  assert.equal((await json(await complete(id, upload_id, request), 409)).error.code, "parts_refused");
  assert.deepEqual(await json(await begin(id, request)), { upload_id, parts: [], complete: false });
  await upload(bytes, id);
});

test("a completion whose answer was lost is found again", async () => {
  const id = await call();
  const bytes = randomBytes(500);
  const request = announce(bytes);
  const { upload_id } = await json(await begin(id, request));
  await json(await put(id, upload_id, 1, bytes));
  // The Worker died after R2 had joined the parts and before the row was written.
  const row = await db.prepare("SELECT * FROM uploads WHERE upload_id = ?").bind(upload_id).first();
  const parts = await db.prepare("SELECT part AS partNumber, etag FROM upload_parts WHERE upload_id = ?").bind(upload_id).all();
  await r2.resumeMultipartUpload(row.object_key, row.r2_upload_id).complete(parts.results);
  assert.equal((await json(await complete(id, upload_id, request))).complete, true);
});

test("an upload R2 has forgotten begins anew", async () => {
  const id = await call();
  const bytes = randomBytes(500);
  const { upload_id } = await json(await begin(id, announce(bytes)));
  const row = await db.prepare("SELECT * FROM uploads WHERE upload_id = ?").bind(upload_id).first();
  await r2.resumeMultipartUpload(row.object_key, row.r2_upload_id).abort();
  assert.equal((await json(await put(id, upload_id, 1, bytes), 404)).error.code, "upload_not_open");
  await upload(bytes, id);
});

test("a player gets the ranges it asks for", async () => {
  const id = await call();
  const bytes = randomBytes(10_000);
  await upload(bytes, id);
  const url = await link(id);
  const get = (headers = {}, method = "GET") => fetch(url, { headers, method });

  const whole = await get();
  assert.equal(whole.status, 200);
  assert.equal(whole.headers.get("content-type"), "audio/ogg");
  assert.equal(whole.headers.get("accept-ranges"), "bytes");
  assert.equal(whole.headers.get("content-length"), "10000");
  assert.match(whole.headers.get("cache-control"), /private.*no-store/);
  const etag = whole.headers.get("etag");
  assert.equal(etag, `"${sha256(bytes)}"`);
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes);

  for (const [range, from, to] of [["bytes=0-99", 0, 100], ["bytes=9990-", 9990, 10000], ["bytes=-10", 9990, 10000], ["bytes=9000-99999", 9000, 10000]]) {
    const response = await get({ range });
    assert.equal(response.status, 206, range);
    assert.equal(response.headers.get("content-range"), `bytes ${from}-${to - 1}/10000`);
    assert.equal(response.headers.get("content-length"), String(to - from));
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes.subarray(from, to));
  }
  const behind = await get({ range: "bytes=10000-" });
  assert.equal(behind.status, 416);
  assert.equal(behind.headers.get("content-range"), "bytes */10000");
  await behind.text();

  const several = await get({ range: "bytes=0-1,5-6" });
  assert.equal(several.status, 200);
  await several.arrayBuffer();
  const same = await get({ "if-none-match": etag });
  assert.equal(same.status, 304);
  assert.equal(await same.text(), "");
  const other = await get({ range: "bytes=0-1", "if-range": '"other"' });
  assert.equal(other.status, 200);
  await other.arrayBuffer();
  const right = await get({ range: "bytes=0-1", "if-range": etag });
  assert.equal(right.status, 206);
  await right.arrayBuffer();

  const head = await get({}, "HEAD");
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), "10000");
  assert.equal(await head.text(), "");
});

test("a link opens one recording, for a while, and nobody can make one", async () => {
  const [id, other] = [await call(), await call("acc_2")];
  await upload(randomBytes(100), id);
  await upload(randomBytes(100), other);
  const url = new URL(await link(id));
  const refused = async (change) => {
    const changed = new URL(url);
    change(changed);
    assert.equal((await json(await fetch(changed), 403)).error.code, "link_refused");
  };
  await refused((u) => u.searchParams.set("expires", String(Number(u.searchParams.get("expires")) + 1)));
  await refused((u) => u.searchParams.set("expires", String(Date.now() - 1)));
  await refused((u) => u.searchParams.set("signature", "0".repeat(64)));
  await refused((u) => u.searchParams.delete("signature"));
  await refused((u) => (u.pathname = `/recordings/${other}`));
  const lifetime = Number(url.searchParams.get("expires")) - Date.now();
  assert.ok(lifetime > 14 * 60_000 && lifetime <= 15 * 60_000, String(lifetime));
  // Another account's recording is not there for this person, nor is one of a call without.
  await json(await edge.as(token, "GET", `/v1/calls/${other}/recording`), 404);
  await json(await edge.as(token, "GET", `/v1/calls/${await call()}/recording`), 404);
  await json(await edge.request(`/v1/calls/${id}/recording`), 401);
});

test("a recording's row comes from the source once, then from the caches", async () => {
  const id = await call();
  await upload(randomBytes(100), id);
  const url = await link(id);
  const layer = async () => {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.headers.get("x-cache");
  };
  assert.equal(await layer(), "MISS");
  // Filling this data centre's layer is not waited for by the answer.
  let next = await layer();
  for (let tries = 0; next !== "HIT-EDGE" && tries < 50; tries++) next = await layer();
  assert.equal(next, "HIT-EDGE");
  // Another data centre: its own layer is empty.
  const caches = await edge.miniflare.getCaches();
  assert.ok(await caches.default.delete(`https://cache.tandem.invalid/v1/recording/${id}`));
  assert.equal(await layer(), "HIT-KV");
});

test("a recording is deleted when its account's time is over, and only then", async () => {
  const [old, young] = [await call("acc_2"), await call("acc_2")];
  await upload(randomBytes(100), old);
  await upload(randomBytes(100), young);
  const url = await link(old, await edge.token("user_2"));
  const row = await db.prepare("SELECT * FROM recordings WHERE call_id = ?").bind(old).first();
  assert.equal(row.delete_after_ms - row.stored_at_ms, 7 * DAY);
  const [abandoned, content] = [await call(), randomBytes(10)];
  const stale = await json(await begin(abandoned, announce(content)));
  await json(await put(abandoned, stale.upload_id, 1, content));
  // Its parts were joined, and then nothing more came.
  const open = await db.prepare("SELECT * FROM uploads WHERE upload_id = ?").bind(stale.upload_id).first();
  const parts = await db.prepare("SELECT part AS partNumber, etag FROM upload_parts WHERE upload_id = ?").bind(stale.upload_id).all();
  await r2.resumeMultipartUpload(open.object_key, open.r2_upload_id).complete(parts.results);
  const now = Date.now();
  await db.batch([
    db.prepare("UPDATE recordings SET delete_after_ms = ? WHERE call_id = ?").bind(now - 1, old),
    db.prepare("UPDATE uploads SET begun_at_ms = ? WHERE upload_id = ?").bind(now - 4 * DAY, stale.upload_id),
    db.prepare("INSERT INTO done_jobs VALUES ('job_old', ?), ('job_new', ?)").bind(now - 31 * DAY, now),
    db.prepare("INSERT INTO transcripts (call_id, account_id, text, created_at_ms) VALUES (?1, 'acc_2', 'a', 0), (?2, 'acc_2', 'b', 0)").bind(old, young),
    ...[["old", 91], ["new", 89]].map(([name, days]) =>
      db.prepare("INSERT INTO failed_jobs (job_id, account_id, kind, job, error, failed_at_ms) VALUES (?, 'acc_2', 'webhook', '{}', '', ?)").bind(`job_${name}`, now - days * DAY)),
  ]);
  assert.deepEqual(await json(await edge.admin("POST", "/v1/admin/cron/cleanup", {})), { recordings: 1, uploads: 1, jobs: 1, failed_jobs: 1, more: false });
  assert.deepEqual(await json(await edge.admin("POST", "/v1/admin/cron/cleanup", {})), { recordings: 0, uploads: 0, jobs: 0, failed_jobs: 0, more: false });
  assert.equal(await r2.head(row.object_key), null);
  const kept = await db.prepare("SELECT object_key FROM recordings WHERE call_id = ?").bind(young).first("object_key");
  assert.ok(await r2.head(kept));
  assert.equal(await r2.head(open.object_key), null);
  const left = async (table, key) => (await db.prepare(`SELECT ${key} AS it FROM ${table} WHERE account_id = 'acc_2'`).all()).results.map(({ it }) => it);
  assert.deepEqual(await left("transcripts", "call_id"), [young]);
  assert.deepEqual(await left("failed_jobs", "job_id"), ["job_new"]);
  await json(await fetch(url), 404);
  await json(await edge.admin("POST", "/v1/admin/cron/nothing", {}), 404);
});

test("the clock starts the clean-up every night", async () => {
  const id = await call();
  await upload(randomBytes(100), id);
  await db.prepare("UPDATE recordings SET delete_after_ms = 1 WHERE call_id = ?").bind(id).run();
  const worker = await edge.miniflare.getWorker();
  assert.equal((await worker.scheduled({ cron: "0 2 * * *" })).outcome, "ok");
  assert.equal(await db.prepare("SELECT call_id FROM recordings WHERE call_id = ?").bind(id).first(), null);
});

test("a clean-up too large for one run is gone on with until all is done", async () => {
  const now = Date.now();
  const rows = Array.from({ length: 1100 }, (_, n) =>
    db.prepare("INSERT INTO recordings (call_id, account_id, object_key, bytes, sha256, content_type, duration_ms, stored_at_ms, delete_after_ms) VALUES (?, 'acc_1', ?, 1, '', 'audio/ogg', 1, 0, ?)").bind(`old-${n}`, `old/${n}`, now - 1),
  );
  await db.batch(rows);
  const first = await json(await edge.admin("POST", "/v1/admin/cron/cleanup", {}));
  assert.deepEqual([first.recordings, first.more], [500, true]);
  const left = () => db.prepare("SELECT COUNT(*) AS n FROM recordings WHERE call_id LIKE 'old-%'").first("n");
  const until = Date.now() + 20_000;
  while ((await left()) > 0) {
    assert.ok(Date.now() < until, "the clean-up stopped half way");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
