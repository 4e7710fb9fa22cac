-- Accounts own everything; people belong to accounts. Times are milliseconds since the Unix epoch.

CREATE TABLE accounts (
  account_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  max_calls INTEGER NOT NULL DEFAULT 100,
  rate_microcredits_per_second INTEGER NOT NULL DEFAULT 833,
  requests_per_minute INTEGER NOT NULL DEFAULT 1000,
  retention_days INTEGER NOT NULL DEFAULT 30,
  allowed_ips TEXT NOT NULL DEFAULT '[]',
  webhook_url TEXT,
  webhook_secret TEXT,
  created_at_ms INTEGER NOT NULL
);

CREATE TABLE people (
  person_id TEXT PRIMARY KEY,
  subject TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);

CREATE TABLE memberships (
  person_id TEXT NOT NULL REFERENCES people (person_id) ON DELETE CASCADE,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  role TEXT NOT NULL DEFAULT 'owner',
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (person_id, account_id)
);
CREATE INDEX memberships_by_account ON memberships (account_id);

CREATE TABLE profiles (
  profile_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  profile TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  deleted_at_ms INTEGER
);
CREATE INDEX profiles_by_account ON profiles (account_id);

CREATE TABLE numbers (
  number TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  profile_id TEXT NOT NULL REFERENCES profiles (profile_id) ON DELETE CASCADE
);
CREATE INDEX numbers_by_account ON numbers (account_id);

CREATE TABLE trunks (
  address TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  profile_id TEXT NOT NULL REFERENCES profiles (profile_id) ON DELETE CASCADE
);

CREATE TABLE api_keys (
  key_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL UNIQUE,
  created_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
);
CREATE INDEX api_keys_by_account ON api_keys (account_id);

CREATE TABLE revoked_sessions (
  session_id TEXT PRIMARY KEY,
  revoked_at_ms INTEGER NOT NULL
);

CREATE TABLE calls (
  call_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  cause TEXT NOT NULL,
  summary TEXT NOT NULL
);
CREATE INDEX calls_by_account ON calls (account_id, started_at_ms DESC);

CREATE TABLE recordings (
  call_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  object_key TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  content_type TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  stored_at_ms INTEGER NOT NULL,
  delete_after_ms INTEGER NOT NULL
);
CREATE INDEX recordings_by_end ON recordings (delete_after_ms);

CREATE TABLE transcripts (
  call_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  text TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);

CREATE TABLE failed_jobs (
  job_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  job TEXT NOT NULL,
  error TEXT NOT NULL,
  failed_at_ms INTEGER NOT NULL,
  replayed_at_ms INTEGER
);

CREATE TABLE done_jobs (
  job_id TEXT PRIMARY KEY,
  done_at_ms INTEGER NOT NULL
);
