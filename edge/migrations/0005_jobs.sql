-- Uploads on their way, work on its way. Times are milliseconds since the Unix epoch.

CREATE TABLE uploads (
  upload_id TEXT PRIMARY KEY,
  call_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  object_key TEXT NOT NULL,
  r2_upload_id TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  content_type TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  begun_at_ms INTEGER NOT NULL
);
CREATE INDEX uploads_by_age ON uploads (begun_at_ms);

CREATE TABLE upload_parts (
  upload_id TEXT NOT NULL REFERENCES uploads (upload_id) ON DELETE CASCADE,
  part INTEGER NOT NULL,
  etag TEXT NOT NULL,
  PRIMARY KEY (upload_id, part)
);

-- When the call's object was told of its recording, or the job that will tell it was queued.
ALTER TABLE recordings ADD COLUMN announced_at_ms INTEGER;

-- A job that is being done, or waits for its next try.
CREATE TABLE running_jobs (
  job_id TEXT PRIMARY KEY,
  tries INTEGER NOT NULL,
  claimed_until_ms INTEGER NOT NULL,
  last_error TEXT NOT NULL DEFAULT ''
);

CREATE INDEX done_jobs_by_age ON done_jobs (done_at_ms);
CREATE INDEX failed_jobs_by_age ON failed_jobs (failed_at_ms DESC);
