// Webhooks, transcription and jobs that fail, with real queues and servers of the test's own.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { signed, startEdge } from "./harness.mjs";

let edge, db, queue, token, server, sentry, transcriber;

/** A server that keeps what it was sent and answers as it is told. */
async function listen() {
  const requests = [];
  const waiting = [];
  const it = { requests, status: 200, answer: "", delay: 0, broken: false };
  const http = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    requests.push({ url: request.url, headers: request.headers, body: Buffer.concat(chunks) });
    if (it.broken) return request.socket.destroy();
    response.writeHead(it.status, it.status === 302 ? { location: "/elsewhere" } : {});
    response.end(it.answer);
    waiting.splice(0).forEach((resolve) => resolve());
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  it.url = `http://127.0.0.1:${http.address().port}`;
  it.close = () => (http.closeAllConnections(), http.close());
  return it;
}

before(async () => {
  [server, sentry, transcriber] = await Promise.all([listen(), listen(), listen()]);
  edge = await startEdge({
    vars: {
      RETRY_BASE_S: "0",
      SENTRY_DSN: sentry.url.replace("http://", "http://public-key@") + "/42",
      TRANSCRIPTION_URL: `${transcriber.url}/v1`,
      TRANSCRIPTION_KEY: "sk-test",
    },
  });
  db = await edge.miniflare.getD1Database("DB");
  queue = await edge.miniflare.getQueueProducer("JOBS");
  await db.batch([
    db.prepare("INSERT INTO accounts (account_id, name, requests_per_minute, created_at_ms) VALUES ('acc_1', 'one', 1000000, 0), ('acc_2', 'two', 1000000, 0)"),
    db.prepare("INSERT INTO people VALUES ('per_1', 'user_1', 'a@b.test', 0)"),
    db.prepare("INSERT INTO memberships (person_id, account_id, created_at_ms) VALUES ('per_1', 'acc_1', 0)"),
  ]);
  token = await edge.token("user_1");
});
after(async () => {
  await edge.dispose();
  [server, sentry, transcriber].forEach((it) => it.close());
});

const json = async (response, status = 200) => {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return text && JSON.parse(text);
};

/** Waits for something that is going to be true. */
async function until(what, found) {
  const end = Date.now() + 30_000;
  for (;;) {
    const value = await found();
    if (value) return value;
    assert.ok(Date.now() < end, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let jobs = 0;
const webhook = (payload = {}, account_id = "acc_1") => ({ job_id: `job_${++jobs}`, account_id, kind: "webhook", event: "call.ended", payload });
const send = (job) => queue.send(typeof job === "string" ? job : JSON.stringify(job), { contentType: "json" });
const isDone = (job) => db.prepare("SELECT * FROM done_jobs WHERE job_id = ?").bind(job.job_id).first();
const failed = async (query = "") => (await json(await edge.admin("GET", `/v1/admin/failed-jobs${query}`))).failed_jobs;
const failure = async (job) => (await failed()).find(({ job_id }) => job_id === job.job_id);
const received = (job, it = server) => it.requests.filter(({ body }) => body.includes(`"${job.job_id}"`));
const set = (url, more = {}) => edge.as(token, "PUT", "/v1/webhook", { url, ...more });

test("a webhook is set, shown without its secret, and taken away", async () => {
  assert.deepEqual(await json(await edge.as(token, "GET", "/v1/webhook")), { url: null });
  const made = await json(await set(`${server.url}/hook`));
  assert.equal(made.url, `${server.url}/hook`);
  assert.match(made.secret, /^whsec_[a-z2-7]{40}$/);
  assert.deepEqual(await json(await edge.as(token, "GET", "/v1/webhook")), { url: `${server.url}/hook` });
  assert.deepEqual(await json(await set(`${server.url}/other`)), { url: `${server.url}/other` });
  const rotated = await json(await set(`${server.url}/other`, { rotate_secret: true }));
  assert.notEqual(rotated.secret, made.secret);
  assert.equal((await set(`${server.url}/hook`, { rotate: true })).status, 400);
  assert.equal((await edge.as(token, "DELETE", "/v1/webhook")).status, 204);
  assert.deepEqual(await json(await edge.as(token, "GET", "/v1/webhook")), { url: null });
  for (const url of ["ftp://127.0.0.1/", "nonsense", "http://user:word@127.0.0.1/"]) await json(await set(url), 400);
});

test("a customer's server gets the event, signed with its own secret", async () => {
  const { secret } = await json(await set(`${server.url}/hook`));
  const job = webhook({ call: { call_id: "c1", duration_ms: 61_000, ratio: 0.5, none: null, list: [1, "two"] } });
  await send(job);
  await until("the job is done", () => isDone(job));
  const [request, ...more] = received(job);
  assert.equal(more.length, 0);
  assert.equal(request.url, "/hook");
  const expected = signed(secret, request.body, Number(request.headers["x-tandem-timestamp"]));
  assert.equal(request.headers["x-tandem-signature"], expected["x-tandem-signature"]);
  const body = JSON.parse(request.body);
  assert.deepEqual(body, { id: job.job_id, event: "call.ended", account_id: "acc_1", sent_at_ms: body.sent_at_ms, data: job.payload });
  assert.equal(String(body.sent_at_ms), request.headers["x-tandem-timestamp"]);
});

test("a job handed over many times is applied once", async () => {
  await set(`${server.url}/hook`);
  const job = webhook();
  await Promise.all(Array.from({ length: 8 }, () => send(job)));
  await until("the job is done", () => isDone(job));
  await send(job);
  const last = webhook();
  await send(last);
  await until("the queue is worked off", () => isDone(last));
  assert.equal(received(job).length, 1);
});

test("what the server refuses is not tried again; what it cannot do now is", async () => {
  await set(`${server.url}/hook`);
  server.status = 410;
  const refused = webhook();
  await send(refused);
  assert.equal((await until("the failed list has it", () => failure(refused))).error, "the webhook answered 410");
  assert.equal(received(refused).length, 1);
  assert.equal(received(refused, sentry).length, 0, "a customer's refusal wakes nobody");
  // A redirect could lead anywhere.
  server.status = 302;
  const redirected = webhook();
  await send(redirected);
  assert.equal((await until("the failed list has it", () => failure(redirected))).error, "the webhook answered 302");
  assert.equal(server.requests.filter(({ url }) => url === "/elsewhere").length, 0);

  server.status = 503;
  const late = webhook();
  await send(late);
  await until("it was tried twice", () => received(late).length >= 2);
  server.status = 200;
  await until("the job is done", () => isDone(late));
  assert.equal(await failure(late), undefined);
  assert.equal(await db.prepare("SELECT COUNT(*) AS n FROM running_jobs WHERE job_id = ?").bind(late.job_id).first("n"), 0);
});

test("an account without a webhook is told nothing", async () => {
  const job = webhook({}, "acc_2");
  await send(job);
  await until("the job is done", () => isDone(job));
  assert.equal(received(job).length, 0);
});

test("a job that always fails is dead-lettered, listed, alerted, replayed by an admin and applied once", async () => {
  await set(`${server.url}/hook`);
  server.status = 500;
  const job = webhook({ call_id: "c9" });
  await send(job);
  const listed = await until("the failed list has it", () => failure(job));
  assert.equal(received(job).length, 6, "once and five retries");
  assert.deepEqual(listed, {
    job_id: job.job_id, account_id: "acc_1", kind: "webhook", error: "the webhook answered 500",
    failed_at_ms: listed.failed_at_ms, replayed_at_ms: null, job,
  });
  const alert = await until("the alert arrived", () => received(job, sentry)[0]);
  assert.equal(alert.url, "/api/42/envelope/");
  assert.match(alert.headers["x-sentry-auth"], /sentry_key=public-key/);
  const [header, item, event] = alert.body.toString().split("\n");
  assert.equal(JSON.parse(item).length, Buffer.byteLength(event));
  assert.equal(JSON.parse(event).event_id, JSON.parse(header).event_id);
  assert.equal(JSON.parse(event).extra.error, "the webhook answered 500");

  // Nobody but an admin.
  assert.equal((await edge.as(token, "POST", `/v1/admin/failed-jobs/${job.job_id}/replay`, {})).status, 401);
  await json(await edge.admin("POST", "/v1/admin/failed-jobs/job_unknown/replay", {}), 404);
  server.status = 200;
  const replays = await Promise.all(Array.from({ length: 4 }, () => edge.admin("POST", `/v1/admin/failed-jobs/${job.job_id}/replay`, {})));
  assert.deepEqual(replays.map(({ status }) => status).sort(), [202, 409, 409, 409]);
  await until("the job is done", () => isDone(job));
  await send(job);
  const last = webhook();
  await send(last);
  await until("the queue is worked off", () => isDone(last));
  assert.equal(received(job).length, 7, "the replay was the one that was applied");
  assert.equal(await failure(job), undefined);
  assert.ok((await failed("?replayed=true")).find(({ job_id }) => job_id === job.job_id).replayed_at_ms > 0);
});

test("a replay that fails is on the list again", async () => {
  server.status = 404;
  const job = webhook();
  await send(job);
  await until("the failed list has it", () => failure(job));
  await json(await edge.admin("POST", `/v1/admin/failed-jobs/${job.job_id}/replay`, {}), 202);
  await until("it was tried again", () => received(job).length === 2);
  await until("the failed list has it again", () => failure(job));
  server.status = 200;
});

test("a message that is no job is kept and alerted, not lost", async () => {
  await send("not a job");
  const listed = await until("the failed list has it", async () => (await failed()).find(({ kind }) => kind === "unreadable"));
  assert.equal(listed.job, "not a job");
  await json(await edge.admin("POST", `/v1/admin/failed-jobs/${listed.job_id}/replay`, {}), 409);
  await until("the alert arrived", () => sentry.requests.some(({ body }) => body.includes(listed.job_id)));
});

test("a recording is streamed to the transcriber and its text kept", async () => {
  const id = randomUUID();
  const bytes = randomBytes(12 * 1024 * 1024 + 5);
  const r2 = await edge.miniflare.getR2Bucket("RECORDINGS");
  await r2.put(`recordings/acc_1/${id}`, bytes);
  await db
    .prepare("INSERT INTO recordings (call_id, account_id, object_key, bytes, sha256, content_type, duration_ms, stored_at_ms, delete_after_ms) VALUES (?, 'acc_1', ?, ?, ?, 'audio/ogg', 1, 0, 9e15)")
    .bind(id, `recordings/acc_1/${id}`, bytes.length, createHash("sha256").update(bytes).digest("hex"))
    .run();
  transcriber.answer = JSON.stringify({ text: "Hello. How are you?" });
  const job = { job_id: `job_${++jobs}`, account_id: "acc_1", kind: "transcribe", call_id: id };
  await send(job);
  await until("the job is done", () => isDone(job));
  const [request] = transcriber.requests;
  assert.equal(request.url, "/v1/audio/transcriptions");
  assert.equal(request.headers.authorization, "Bearer sk-test");
  assert.equal(request.headers["content-length"], String(request.body.length));
  const form = await new Response(request.body, { headers: { "content-type": request.headers["content-type"] } }).formData();
  assert.equal(form.get("model"), "whisper-1");
  assert.deepEqual(Buffer.from(await form.get("file").arrayBuffer()), bytes);
  assert.equal(await db.prepare("SELECT text FROM transcripts WHERE call_id = ?").bind(id).first("text"), "Hello. How are you?");

  const gone = { job_id: `job_${++jobs}`, account_id: "acc_1", kind: "transcribe", call_id: randomUUID() };
  await send(gone);
  await until("a recording deleted meanwhile is no failure", () => isDone(gone));
});
