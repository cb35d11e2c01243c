-- The daemons that run, as they describe themselves: what only they can see is read by `c360 doctor` and `c360 status`.
CREATE TABLE bridge.daemon (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    pid int NOT NULL,
    version text NOT NULL,
    contract_file text NOT NULL,
    problems text[] NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.daemon IS 'Running daemons and what is wrong with them. contract_file is the digest of the file that C360_CONTRACT_FILE names. Written by the daemon.';
GRANT SELECT, INSERT, UPDATE, DELETE ON bridge.daemon TO comply360_sync;
GRANT SELECT ON bridge.daemon TO comply360_monitor;
-- a daemon refuses a schema of another level than it was written for
GRANT SELECT ON bridge.schema_version TO comply360_sync;
