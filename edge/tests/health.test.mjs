// The Worker answers at all, and refuses what it does not know.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startEdge } from "./harness.mjs";

let edge;
before(async () => (edge = await startEdge()));
after(() => edge.dispose());

test("health answers", async () => {
  const response = await edge.request("/health");
  assert.equal(response.status, 200);
});

test("an unknown path is 404, a wrong method 405 with what is allowed", async () => {
  assert.equal((await edge.request("/v1/nothing")).status, 404);
  const response = await edge.request("/health", { method: "POST" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET");
});
