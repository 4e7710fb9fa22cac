// The dashboard in a real browser, against an edge made of memory that tells a call one fact at a time.
// The same page on the real Worker is in dashboard.test.mjs. Needs `npm run build` in dashboard/.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { MockEdge } from "../dashboard/mock/edge.mjs";
import { furnish } from "../dashboard/mock/scene.mjs";
import { bookshopCall } from "../dashboard/mock/script.mjs";
import { openBrowser } from "../dashboard/testing/browser.mjs";

const CALL = "01932f6e-8a40-7c3e-9d8a-3f1b2c4d5e6f";

let edge;
let browser;
let page;

/** Tells a call's facts up to and with the first `type` (of the turn) that is not told yet. */
function teller(call_id = CALL, options = {}) {
  const started = Date.now();
  const kinds = bookshopCall(options);
  return (type) => {
    const at = type ? kinds.findIndex((kind) => kind.type === type) : kinds.length - 1;
    assert.ok(at >= 0, `the call has no ${type} left`);
    for (const kind of kinds.splice(0, at + 1)) edge.apply(call_id, started, kind);
  };
}

async function signIn(path = "/") {
  await page.goto(edge.url + path);
  await page.getByRole("button", { name: "Continue as demo user" }).click();
  await page.getByText("Connected").waitFor();
}

const visible = (text) => page.getByText(text).first().waitFor();
const transcript = () => page.getByRole("log", { name: "Transcript" });

describe("the dashboard", { timeout: 120_000 }, () => {
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());
  beforeEach(async () => {
    edge = await new MockEdge().listen();
    edge.ledger = [{ id: 1, at_ms: Date.now(), kind: "grant", microcredits: 25_000_000, reference: "grant_welcome" }];
    page = await browser.context.newPage();
  });
  afterEach(async () => {
    await page.close();
    await edge.close();
  });

  test("tells what to do when nobody calls", async () => {
    await signIn();
    await visible("Nobody is on the line");
    await visible("sip:agent@127.0.0.1:5060");
  });

  test("shows a call as it is answered, word by word, until it is read and heard among the ended ones", async () => {
    const tell = teller();
    await signIn();
    tell("prompt_started");
    const row = page.getByRole("link", { name: /\+4930123456/ });
    await row.getByText("Hello, this is Blue Door Books").waitFor();
    await row.click();
    await transcript().getByText("How can I help you?").waitFor();

    tell("speech_started");
    await visible("Caller is speaking");
    tell("turn_transcribed");
    await transcript().getByText("what time is it").waitFor();
    await visible("Thinking");
    tell("answer_started");
    await visible("Agent is speaking");
    tell("turn_completed");
    await transcript().getByText("It is 3:54 p.m.").waitFor();
    const split = transcript().getByRole("img", { name: "Heard after 686 ms: End of turn 520 ms, Transcription 85 ms, First token 12 ms, First audio 60 ms, Playout 9 ms" });
    await split.waitFor();
    assert.equal(await split.locator("rect").count(), 5);

    tell("barge_in");
    await transcript().getByText("The caller cut in 1.8 s into the answer").waitFor();
    tell("turn_completed");
    assert.match(await transcript().locator("s").innerText(), /Friday from 9 a\.m\./);
    tell("dtmf");
    await transcript().locator("kbd").getByText("4").waitFor();

    tell();
    await visible("The agent said goodbye");
    edge.settle(CALL);
    edge.store(CALL);
    await visible("0.0283 credits");
    await page.getByText("No calls going on").waitFor();

    await page.getByRole("link", { name: "Calls" }).click();
    await page.getByRole("link", { name: /\+4930123456/ }).click();
    await transcript().getByText("Thank you for calling. Goodbye!").waitFor();
    await page.getByRole("region", { name: "Quality" }).getByText("4.21").waitFor();
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => {
      const audio = document.querySelector("audio");
      return audio !== null && audio.currentTime > 0.2 && audio.error === null;
    });
  });

  test("lets the length of a call go on by itself", async () => {
    await signIn();
    teller()("call_started");
    const shown = page.getByRole("link", { name: /\+4930123456/ }).locator(".number");
    await shown.getByText("0:00").waitFor();
    await shown.getByText("0:02").waitFor();
  });

  test("says that it reconnects, and then knows what happened in between", async () => {
    const tell = teller();
    await signIn();
    tell("prompt_started");
    await page.getByRole("link", { name: /\+4930123456/ }).click();
    await transcript().getByText("How can I help you?").waitFor();
    const port = new URL(edge.url).port;
    await edge.close();
    await visible("Reconnecting…");
    await transcript().getByText("How can I help you?").waitFor();
    tell("turn_transcribed");
    await edge.listen(Number(port));
    await visible("Connected");
    await transcript().getByText("what time is it").waitFor();
  });

  test("notices a line that is cut without a word, and leaves a quiet one alone", async () => {
    await page.clock.install();
    await signIn();
    const [first] = edge.sockets;
    for (let n = 0; n < 5; n++) {
      const answered = new Promise((resolve) => first.once("message", resolve));
      await page.clock.runFor(20_000);
      await answered;
    }
    assert.deepEqual([...edge.sockets], [first]);
    edge.deaf = true;
    const again = new Promise((resolve) => edge.server.once("upgrade", resolve));
    await page.clock.runFor(80_000);
    await again;
    await visible("Connected");
  });

  test("renews a session that ran out without asking anybody", async () => {
    furnish(edge, 1);
    await signIn();
    edge.tokens.clear();
    await page.getByRole("link", { name: "Account" }).click();
    await page.getByRole("heading", { name: "Blue Door Books" }).waitFor();
    assert.equal(edge.asked.filter((asked) => asked === "POST /dev/token").length, 2);
  });

  test("stays signed in when it is loaded again, and not when the key is refused", async () => {
    edge.apiKeys = [{ key_id: "key_1", name: "Till", created_at_ms: 0, key: "tk_good" }];
    await page.goto(edge.url);
    await page.getByText("Use an API key").click();
    await page.getByLabel("API key").fill("tk_good");
    await page.getByRole("button", { name: "Sign in" }).click();
    await visible("Connected");
    await page.reload();
    await visible("Connected");
    edge.apiKeys = [];
    edge.dropSockets();
    await page.getByRole("button", { name: "Continue as demo user" }).waitFor();
  });

  test("signs in through Clerk where it is configured, and asks it for new tokens", async () => {
    edge.settings = { clerk_publishable_key: `pk_test_${Buffer.from("clerk.example.test$").toString("base64")}` };
    edge.scriptHosts = "https://clerk.example.test";
    for (const token of ["clerk.first", "clerk.second"]) edge.tokens.add(token);
    // Stands in for Clerk's script: somebody is signed in there once they have been sent to its page.
    await page.route("https://clerk.example.test/**", (route) =>
      route.fulfill({
        contentType: "text/javascript",
        body: `window.Clerk = {
          tokens: ["clerk.first", "clerk.second"],
          async load() {},
          get session() { return sessionStorage.getItem("at-clerk") && { getToken: async () => this.tokens.shift() ?? "clerk.second" }; },
          async redirectToSignIn() { sessionStorage.setItem("at-clerk", "1"); location.reload(); },
          async signOut() {},
        };`,
      }),
    );
    await page.goto(edge.url);
    await page.getByRole("button", { name: "Sign in", exact: true }).first().click();
    await visible("Connected");
    edge.tokens.delete("clerk.first");
    await page.getByRole("link", { name: "Account" }).click();
    await page.getByRole("heading", { name: "Blue Door Books" }).waitFor();
    assert.ok(!edge.asked.includes("POST /dev/token"));
  });

  test("lets somebody new create an account, with Turnstile's challenge where there is one", async () => {
    edge.signedUp = false;
    edge.settings = { turnstile_site_key: "site" };
    edge.scriptHosts = "https://challenges.cloudflare.com";
    await page.route("https://challenges.cloudflare.com/**", (route) =>
      route.fulfill({ contentType: "text/javascript", body: "window.turnstile = { render: (into, { callback }) => callback('solved') };" }),
    );
    await page.goto(edge.url);
    await page.getByRole("button", { name: "Continue as demo user" }).click();
    await page.getByLabel("Name of your business").fill("Blue Door Books");
    await page.getByRole("button", { name: "Create" }).click();
    await visible("Connected");
    assert.deepEqual(edge.signedUp, { name: "Blue Door Books", turnstile_token: "solved" });
  });

  test("is used by keyboard: arrows in the list, Enter opens, Escape closes", async () => {
    await signIn();
    for (const [n, who] of ["+1001", "+1002", "+1003"].entries()) teller(`call-${n}`, { from: `sip:${who}@carrier.example` })("prompt_started");
    const rows = page.getByRole("list", { name: "Calls going on" }).getByRole("link");
    await rows.nth(2).waitFor();
    const texts = await rows.evaluateAll((all) => all.map((row) => row.querySelector(".title").textContent));
    await rows.first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.getByRole("article", { name: `Call from ${texts[1]}` }).waitFor();
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, "solid", "focus can be seen");
    await page.keyboard.press("Escape");
    await page.getByRole("article").waitFor({ state: "detached" });
  });

  test("hangs up only after asking", async () => {
    const tell = teller();
    await signIn();
    tell("prompt_started");
    await page.getByRole("link", { name: /\+4930123456/ }).click();
    await page.getByRole("button", { name: "Hang up" }).click();
    const dialog = page.getByRole("dialog", { name: "Hang up on +4930123456?" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await page.getByRole("article").waitFor();
    assert.deepEqual(edge.commands, []);
    await page.getByRole("button", { name: "Hang up" }).click();
    const asked = page.waitForResponse((response) => response.url().endsWith("/hang-up"));
    await dialog.getByRole("button", { name: "Hang up" }).click();
    await asked;
    assert.deepEqual(edge.commands, [{ type: "hang_up", call_id: CALL }]);
    await page.getByRole("button", { name: "Hanging up…" }).waitFor();
  });

  test("pages back through ended calls, each once", async () => {
    furnish(edge, 40);
    await signIn("/calls");
    const rows = page.getByRole("list", { name: "Ended calls" }).getByRole("link");
    await rows.nth(24).waitFor();
    await page.getByRole("button", { name: "Earlier calls" }).click();
    await rows.nth(39).waitFor();
    assert.equal(await rows.count(), 40);
    assert.equal(new Set(await rows.evaluateAll((all) => all.map((row) => row.getAttribute("href")))).size, 40);
    assert.equal(await page.getByRole("button", { name: "Earlier calls" }).count(), 0);
  });

  test("shows nodes as they are and two versions side by side", async () => {
    furnish(edge, 1);
    await signIn("/nodes");
    const card = (name) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) });
    await card("node-1").getByText("Taking calls").waitFor();
    await card("node-3").getByText("Draining").waitFor();
    await card("node-4").getByText("Silent").waitFor();
    await page.getByRole("row", { name: /0\.5\.0 10 % 1 164 203 0\.49 % 688 ms 982 ms 4\.33/ }).waitFor();
    edge.nodes = edge.nodes.slice(0, 1);
    edge.send({ type: "nodes", nodes: edge.nodes });
    await card("node-4").waitFor({ state: "detached" });
  });

  test("changes what an agent says, and nothing else of it", async () => {
    furnish(edge, 1);
    await signIn("/account");
    const before = edge.profiles[0];
    await page.getByRole("button", { name: "Edit Reception" }).click();
    await page.getByLabel("Greeting").fill("Good evening, Blue Door Books.");
    await page.getByRole("button", { name: "Save" }).click();
    await visible("Good evening, Blue Door Books.");
    assert.deepEqual(edge.profiles[0], { ...before, greeting: "Good evening, Blue Door Books." });
  });

  test("shows a new API key once, and revokes it after asking", async () => {
    await signIn("/account");
    await page.getByLabel("New key").fill("Till");
    await page.getByRole("button", { name: "Create" }).click();
    await visible(/^tk_/);
    await page.getByRole("button", { name: "Revoke Till" }).click();
    assert.equal(edge.apiKeys.length, 1);
    await page.getByRole("button", { name: "Revoke for good" }).click();
    await visible("None yet.");
    assert.equal(edge.apiKeys.length, 0);
  });

  test("keeps the balance as the feed tells it", async () => {
    await signIn("/account");
    await page.getByRole("region", { name: "Balance" }).getByText("25.00").first().waitFor();
    const tell = teller();
    tell();
    edge.settle(CALL);
    await page.getByRole("table").getByText("−0.0283").waitFor();
    await page.getByRole("region", { name: "Balance" }).getByText("24.97").first().waitFor();
  });

  test("fits a desk and a phone, by day and by night, and breaks no rule of its policy", async () => {
    furnish(edge, 8);
    const tell = teller();
    tell("barge_in");
    await signIn();
    const papers = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      papers.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      for (const viewport of [{ width: 1280, height: 800 }, { width: 900, height: 700 }, { width: 360, height: 740 }]) {
        await page.setViewportSize(viewport);
        for (const path of ["/", `/live/${CALL}`, "/calls", "/nodes", "/account"]) {
          await page.goto(edge.url + path);
          await page.getByRole("heading").first().waitFor();
          const wider = await page.evaluate(() => {
            const main = document.querySelector("main");
            const head = document.querySelector(".detail-head") ?? main;
            return Math.max(document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth, head.scrollWidth - head.clientWidth);
          });
          assert.ok(wider <= 0, `${path} at ${viewport.width} px is ${wider} px too wide`);
        }
      }
    }
    assert.notEqual(papers[0], papers[1]);
    // What a lost edge, a refused session and a missing account say on the console is not a fault of the page.
    const faults = browser.problems.filter((problem) => !/ERR_CONNECTION|WebSocket|status of 40[13]/.test(problem));
    assert.deepEqual(faults, []);
  });
});
