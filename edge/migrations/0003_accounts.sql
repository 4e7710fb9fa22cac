-- Numbers an admin provided: free for an account to claim as long as they are not in `numbers`.

CREATE TABLE provided_numbers (
  number TEXT PRIMARY KEY,
  provided_at_ms INTEGER NOT NULL
);

CREATE INDEX numbers_by_profile ON numbers (profile_id);
CREATE INDEX trunks_by_profile ON trunks (profile_id);
