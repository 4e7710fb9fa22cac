// What wrangler.toml says, as miniflare wants it: the local stack and the tests run the Worker that is deployed.
// Starting and stopping is in serve.mjs and tests/harness.mjs.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** Secrets for a machine nobody else reaches. `.dev.vars` beside wrangler.toml overrides them. */
export const devSecrets = {
  ENGINE_SECRET: "dev-engine-secret",
  ADMIN_SECRET: "dev-admin-secret",
  TOKEN_SECRET: "dev-token-secret",
};

function devVars() {
  try {
    const lines = readFileSync(path.join(root, ".dev.vars"), "utf8").split("\n");
    return Object.fromEntries(
      lines.filter((line) => /^\w+\s*=/.test(line)).map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at).trim(), line.slice(at + 1).trim().replace(/^"(.*)"$/, "$1")];
      }),
    );
  } catch {
    return {};
  }
}

/**
 * @param {{port?: number, persist?: string, vars?: Record<string, string>, log?: unknown}} how
 *   port 0 takes a free one; without `persist` everything is forgotten at the end.
 */
export function miniflareOptions({ port = 0, persist, vars = {}, log } = {}) {
  const config = parse(readFileSync(path.join(root, "wrangler.toml"), "utf8"));
  const sqlite = new Set(config.migrations.flatMap((migration) => migration.new_sqlite_classes ?? []));
  const objects = config.durable_objects.bindings.map(({ name, class_name }) => [
    name,
    { className: class_name, useSQLite: sqlite.has(class_name) },
  ]);
  const consumers = config.queues.consumers.map((consumer) => [
    consumer.queue,
    {
      maxBatchSize: consumer.max_batch_size,
      maxBatchTimeout: consumer.max_batch_timeout,
      maxRetries: consumer.max_retries,
      deadLetterQueue: consumer.dead_letter_queue,
    },
  ]);
  const store = (kind) => (persist ? path.join(persist, kind) : false);
  return {
    name: config.name,
    host: "127.0.0.1",
    port,
    cf: false,
    telemetry: { enabled: false },
    log,
    compatibilityDate: config.compatibility_date,
    modules: true,
    modulesRoot: path.join(root, "build"),
    modulesRules: [{ type: "CompiledWasm", include: ["**/*.wasm"] }],
    scriptPath: path.join(root, "build", "index.js"),
    bindings: { ...config.vars, ...devSecrets, ...devVars(), ...vars },
    durableObjects: Object.fromEntries(objects),
    d1Databases: config.d1_databases.map((database) => database.binding),
    r2Buckets: config.r2_buckets.map((bucket) => bucket.binding),
    kvNamespaces: config.kv_namespaces.map((namespace) => namespace.binding),
    queueProducers: Object.fromEntries(config.queues.producers.map(({ binding, queue }) => [binding, queue])),
    queueConsumers: Object.fromEntries(consumers),
    analyticsEngineDatasets: Object.fromEntries(
      config.analytics_engine_datasets.map(({ binding, dataset }) => [binding, { dataset }]),
    ),
    assets: assets(config.assets),
    durableObjectsPersist: store("objects"),
    d1Persist: store("d1"),
    r2Persist: store("r2"),
    kvPersist: store("kv"),
    cachePersist: store("cache"),
  };
}

function assets({ directory, binding, not_found_handling, run_worker_first }) {
  return {
    directory: path.join(root, directory),
    binding,
    routerConfig: { has_user_worker: true, static_routing: staticRouting(run_worker_first) },
    assetConfig: { not_found_handling, headers: assetHeaders(path.join(root, directory, "_headers")) },
  };
}

/** As wrangler reads `_headers`: a path, and below it, indented, what its answers carry. */
function assetHeaders(file) {
  const rules = {};
  let set = {};
  for (const line of existsSync(file) ? readFileSync(file, "utf8").split("\n") : []) {
    if (/^\//.test(line)) rules[line.trim()] = { set: (set = {}) };
    else if (line.includes(":")) set[line.slice(0, line.indexOf(":")).trim().toLowerCase()] = line.slice(line.indexOf(":") + 1).trim();
  }
  return { version: 2, rules };
}

/** As wrangler reads `run_worker_first`: a pattern with `!` is never the Worker's. */
function staticRouting(patterns) {
  return {
    user_worker: patterns.filter((pattern) => !pattern.startsWith("!")),
    asset_worker: patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1)),
  };
}

/** Applies what is new in migrations/, in order, as `wrangler d1 migrations apply` does. */
export async function migrate(miniflare) {
  const database = await miniflare.getD1Database("DB");
  await database
    .prepare("CREATE TABLE IF NOT EXISTS d1_migrations (name TEXT PRIMARY KEY, applied_at TEXT DEFAULT CURRENT_TIMESTAMP)")
    .run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(results.map(({ name }) => name));
  const folder = path.join(root, "migrations");
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".sql")).sort()) {
    if (applied.has(name)) continue;
    const statements = readFileSync(path.join(folder, name), "utf8")
      .replace(/--.*$/gm, "")
      .split(";")
      .map((statement) => statement.trim())
      .filter(Boolean);
    await database.batch([
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
  }
}
