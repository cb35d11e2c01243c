-- Level 14: the heartbeat, which goes round app -> broker -> Odoo -> app.

CREATE TABLE bridge.heartbeat (
    instance_id text PRIMARY KEY REFERENCES bridge.odoo_instance,
    beat bigint NOT NULL,
    begun_at timestamptz NOT NULL,
    -- of the newest heartbeat that got so far, which need not be the newest that was begun
    published_at timestamptz,
    arrived_at timestamptz,
    returned_at timestamptz,
    returned_beat bigint,
    -- what Odoo said of itself when it arrived: active tenants that it does not serve, triggers that are gone
    unserved uuid[] NOT NULL DEFAULT '{}',
    missing text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.heartbeat IS 'When a heartbeat last passed each hop, per Odoo instance. Written by the daemon.';

GRANT SELECT, INSERT, UPDATE ON bridge.heartbeat TO comply360_sync;
GRANT SELECT ON bridge.heartbeat TO comply360_monitor;
