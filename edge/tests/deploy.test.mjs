// wrangler.toml: wrangler hands no binding and no variable down to an environment, so each has to say everything.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "smol-toml";

const config = parse(readFileSync(new URL("../wrangler.toml", import.meta.url), "utf8"));
const secrets = readFileSync(new URL("../deploy/secrets", import.meta.url), "utf8").trim().split("\n");

const bindings = (it) => ({
  objects: it.durable_objects.bindings.map(({ name, class_name }) => [name, class_name]),
  databases: it.d1_databases.map(({ binding, migrations_dir }) => [binding, migrations_dir]),
  buckets: it.r2_buckets.map(({ binding }) => binding),
  caches: it.kv_namespaces.map(({ binding }) => binding),
  producers: it.queues.producers.map(({ binding }) => binding),
  consumers: it.queues.consumers.map(({ max_batch_size, max_batch_timeout, max_retries }) => [max_batch_size, max_batch_timeout, max_retries]),
  datasets: it.analytics_engine_datasets.map(({ binding }) => binding),
  vars: Object.keys(it.vars).sort(),
});

for (const [name, environment] of Object.entries(config.env)) {
  test(`${name} has every binding and variable there is`, () => {
    assert.deepEqual(bindings(environment), bindings(config));
    assert.equal(environment.vars.ENVIRONMENT, name);
    assert.equal(environment.routes[0].custom_domain, true);
  });

  test(`${name} shares nothing with another environment`, () => {
    const names = (it) => [it.name, ...it.d1_databases.map((d) => d.database_id), ...it.r2_buckets.map((b) => b.bucket_name), ...it.kv_namespaces.map((n) => n.id), ...it.queues.consumers.map((c) => c.queue), ...it.analytics_engine_datasets.map((d) => d.dataset)];
    for (const other of [config, ...Object.values(config.env).filter((it) => it !== environment)]) {
      for (const taken of names(other)) assert.ok(!names(environment).includes(taken), taken);
    }
  });

  test(`${name}: what fails goes to the dead letters, and those are consumed`, () => {
    const [work, dead] = environment.queues.consumers;
    assert.equal(work.queue, environment.queues.producers[0].queue);
    assert.equal(work.dead_letter_queue, dead.queue);
    assert.ok(dead.queue.endsWith("-dead"));
  });
}

test("no secret is written down", () => {
  for (const it of [config, ...Object.values(config.env)]) {
    for (const secret of [...secrets, "DEV_JWT_KEY", "SENTRY_DSN", "TRANSCRIPTION_KEY", "TURNSTILE_SECRET"]) assert.ok(!(secret in it.vars), secret);
  }
});
