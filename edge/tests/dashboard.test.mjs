// The dashboard as the Worker serves it, in a real browser: a call is admitted, told, shown, settled and played.
// Its details are in dashboard-page.test.mjs. Needs the built Worker, and `npm run build` in dashboard/.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import WebSocket from "ws";
import { silence } from "../dashboard/mock/opus.mjs";
import { bookshopCall } from "../dashboard/mock/script.mjs";
import { openBrowser } from "../dashboard/testing/browser.mjs";
import { devSecrets } from "../dev/options.mjs";
import { seedDemo, signed, startEdge } from "./harness.mjs";

const heartbeat = JSON.parse(readFileSync(new URL("../protocol/examples/link_node/heartbeat.json", import.meta.url), "utf8"));

let edge;
let demo;
let browser;
let page;

async function json(response) {
  const text = await response.text();
  assert.ok(response.ok, `${response.status} ${text}`);
  return JSON.parse(text);
}

/** A node that holds one call of the demo account. */
class Node {
  call_id = randomUUID();
  started = Date.now();
  seq = 0;

  constructor() {
    this.kinds = bookshopCall({ from: "sip:+4930123456@127.0.0.1", agent: "Reception" });
    Object.assign(this.kinds[0], { account_id: demo.account_id, profile_id: demo.profile_id });
  }

  async admit() {
    const answer = await json(
      await edge.engine("POST", "/v1/engine/admissions", {
        v: 1,
        call_id: this.call_id,
        sip_call_id: `${this.call_id}@127.0.0.1`,
        node: "node-1",
        from: "sip:+4930123456@127.0.0.1",
        to: "sip:agent@127.0.0.1",
        request_uri: "sip:agent@127.0.0.1:5070",
        trunk: "127.0.0.1",
        headers: [],
      }),
    );
    assert.equal(answer.decision, "accept", JSON.stringify(answer));
  }

  /** Tells what happened up to and with the next fact of that type; without one, all that is left. */
  async tell(type) {
    const at = type ? this.kinds.findIndex((kind) => kind.type === type) : this.kinds.length - 1;
    assert.ok(at >= 0, `the call has no ${type} left`);
    const events = this.kinds.splice(0, at + 1).map((kind) => ({ v: 1, call_id: this.call_id, seq: this.seq++, call_started_at_ms: this.started, ...kind }));
    const { receipts } = await json(await edge.engine("POST", "/v1/engine/events", { v: 1, node: "node-1", events }));
    assert.deepEqual(receipts, [{ call_id: this.call_id, next_seq: this.seq }]);
  }

  /** Opens the node's link, on which it is told what to do. */
  async link() {
    const path = "/v1/engine/link?node=node-1";
    this.socket = new WebSocket(edge.url.replace("http", "ws") + path, { headers: signed(devSecrets.ENGINE_SECRET, path) });
    await once(this.socket, "open");
    this.socket.send(JSON.stringify({ ...heartbeat, version: "0.4.0" }));
  }

  async command() {
    const [text] = await once(this.socket, "message");
    return JSON.parse(text);
  }

  async upload(bytes) {
    const upload = {
      v: 1,
      node: "node-1",
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      content_type: "audio/ogg",
      duration_ms: 3000,
    };
    const path = `/v1/engine/recordings/${this.call_id}`;
    const { upload_id } = await json(await edge.engine("POST", path, upload));
    await json(await edge.engine("PUT", `${path}/${upload_id}/parts/1`, new Uint8Array(bytes)));
    assert.equal((await json(await edge.engine("POST", `${path}/${upload_id}/complete`, upload))).complete, true);
  }
}

async function signIn(path = "/") {
  await page.goto(edge.url + path);
  await page.getByRole("button", { name: "Continue as demo user" }).click();
}

const transcript = () => page.getByRole("log", { name: "Transcript" });
const visible = (text) => page.getByText(text).first().waitFor();

describe("the dashboard on the Worker", { timeout: 120_000 }, () => {
  before(async () => {
    [edge, browser] = await Promise.all([startEdge(), openBrowser()]);
    demo = await seedDemo(edge);
  });
  after(async () => {
    await browser?.close();
    await edge?.dispose();
  });
  beforeEach(async () => {
    page = await browser.context.newPage();
    browser.problems.length = 0;
  });
  afterEach(() => page.close());

  test("is a page with a strict policy and files that never change", async () => {
    const document = await edge.request("/");
    assert.match(document.headers.get("content-security-policy"), /script-src 'self'; style-src 'self'/);
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(await document.text())[1];
    const asset = await edge.request(script);
    assert.equal(asset.status, 200);
    assert.equal(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assert.ok(asset.headers.get("etag"));
    // A page within the page is the same page.
    assert.match(await (await edge.request("/calls/none")).text(), /id="root"/);
  });

  test("shows the account as it is, and what a person changes there stays changed", async () => {
    await signIn("/account");
    await page.getByRole("heading", { name: "Demo" }).waitFor();
    await page.getByRole("region", { name: "Balance" }).getByText("100.00").first().waitFor();
    await page.getByRole("row", { name: /Credits added \+100\.0000/ }).waitFor();

    await page.getByRole("button", { name: "Edit Reception" }).click();
    await page.getByLabel("Greeting").fill("Good evening, Blue Door Books.");
    await page.getByRole("button", { name: "Save" }).click();
    await visible("Good evening, Blue Door Books.");
    const profile = await json(await edge.as(demo.token, "GET", `/v1/profiles/${demo.profile_id}`));
    assert.equal(profile.greeting, "Good evening, Blue Door Books.");
    assert.match(profile.prompt, /receptionist/);

    await page.getByLabel("New key").fill("Till");
    await page.getByRole("button", { name: "Create" }).click();
    const key = await page.locator(".made code").innerText();
    assert.equal((await edge.as(key, "GET", "/v1/account")).status, 200);
    await page.getByRole("button", { name: "Revoke Till" }).click();
    await page.getByRole("button", { name: "Revoke for good" }).click();
    await visible("None yet.");
    assert.equal((await edge.as(key, "GET", "/v1/account")).status, 401);
    assert.deepEqual(browser.problems, []);
  });

  test("shows a call while it is spoken, then settles it, and plays its recording", async () => {
    await signIn();
    await visible("Connected");
    await visible("Nobody is on the line");
    const node = new Node();
    await node.admit();
    await node.tell("prompt_started");
    const row = page.getByRole("link", { name: /\+4930123456/ });
    await row.getByText("Hello, this is Blue Door Books").waitFor();
    await row.click();
    await transcript().getByText("How can I help you?").waitFor();

    await node.tell("turn_transcribed");
    await transcript().getByText("what time is it").waitFor();
    await node.tell("answer_started");
    await visible("Agent is speaking");
    await node.tell("turn_completed");
    await transcript().getByRole("img", { name: "Heard after 686 ms: End of turn 520 ms, Transcription 85 ms, First token 12 ms, First audio 60 ms, Playout 9 ms" }).waitFor();
    await node.tell("barge_in");
    await transcript().getByText("The caller cut in 1.8 s into the answer").waitFor();

    await node.tell();
    await page.getByRole("region", { name: "Quality" }).getByText("4.21").waitFor();
    await visible("No calls going on");
    await node.upload(silence(3));

    await page.getByRole("link", { name: "Calls" }).click();
    await page.getByRole("link", { name: /\+4930123456/ }).click();
    await transcript().getByText("Thank you for calling. Goodbye!").waitFor();
    // 34 begun seconds at 833 microcredits.
    await visible("0.0283 credits");
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => {
      const audio = document.querySelector("audio");
      return audio !== null && audio.currentTime > 0.2 && audio.error === null;
    });
    await page.getByRole("link", { name: "Account" }).click();
    await page.getByRole("table").getByText("−0.0283").waitFor();
    assert.deepEqual(browser.problems, []);
  });

  test("shows a node that reports, and hangs up through it", async () => {
    const node = new Node();
    await node.link();
    await node.admit();
    await node.tell("prompt_started");
    await signIn("/nodes");
    const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "node-1" }) });
    await card.getByText("Taking calls").waitFor();
    await card.getByText("59 MB").waitFor();
    await page.getByRole("row", { name: /^0\.4\.0 – 1 3 / }).waitFor();

    await page.goto(`${edge.url}/live/${node.call_id}`);
    await page.getByRole("button", { name: "Hang up" }).click();
    const told = node.command();
    await page.getByRole("dialog").getByRole("button", { name: "Hang up" }).click();
    const { command_id, ...command } = await told;
    assert.deepEqual(command, { type: "hang_up", call_id: node.call_id });
    node.socket.send(JSON.stringify({ type: "command_result", command_id, error: null }));
    node.kinds = node.kinds.filter(({ type }) => type === "call_ended").map((kind) => ({ ...kind, cause: "ended_by_edge" }));
    await node.tell();
    await transcript().getByText("Hung up from here").waitFor();
    node.socket.close();
    assert.deepEqual(browser.problems, []);
  });
});
