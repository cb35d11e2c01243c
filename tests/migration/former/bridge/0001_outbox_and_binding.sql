-- Level 1: what is owed, what is bound, what failed. Runs as comply360_bridge_owner; schema bridge exists.

CREATE TABLE bridge.installation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    only_row boolean NOT NULL DEFAULT true UNIQUE CHECK (only_row),
    app_role text NOT NULL,
    -- rights that attaching took away, for detaching to give back
    before jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.installation IS 'This app installation; id is "bridge" on the wire. Written by db_init.';

CREATE TABLE bridge.odoo_instance (
    id text PRIMARY KEY,
    uuid text NOT NULL DEFAULT '',
    epoch int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bridge.tenant (
    tenant_id uuid PRIMARY KEY,
    schema_name text NOT NULL UNIQUE CHECK (length(schema_name) BETWEEN 1 AND 63),
    instance_id text NOT NULL REFERENCES bridge.odoo_instance,
    state text NOT NULL DEFAULT 'creating' CHECK (state IN ('creating', 'active', 'suspended', 'deleted', 'error')),
    epoch int NOT NULL DEFAULT 1,
    attach_level int NOT NULL DEFAULT 0,
    problem text NOT NULL DEFAULT '',
    tenant_digest text NOT NULL DEFAULT '',
    -- when the records that were there before the triggers had all been marked
    queued_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Append-only marks. vacuum_truncate takes ACCESS EXCLUSIVE for a moment, and the app's inserts would wait for it.
-- One mark per statement, however many rows it changed; numbers are handed out by the dozen and rows are not checked:
-- the app's statements pay for all of that.
CREATE TABLE bridge.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 64) PRIMARY KEY,
    tenant_id uuid NOT NULL,
    schema_name text NOT NULL,
    entity text NOT NULL,
    record_ids uuid[] NOT NULL,
    lane text NOT NULL DEFAULT 'live',
    marked_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = off);
-- Random ids do not compress; trying would cost more than everything else.
ALTER TABLE bridge.outbox ALTER COLUMN record_ids SET STORAGE EXTERNAL;
COMMENT ON TABLE bridge.outbox IS 'Marks, written by triggers and bridge.mark(); only the relay takes them away.';

CREATE SEQUENCE bridge.version_seq AS bigint;

CREATE TABLE bridge.delivery (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    schema_name text NOT NULL,
    entity text NOT NULL,
    record_id uuid NOT NULL,
    version bigint NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'bulk')),
    marked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    attempts int NOT NULL DEFAULT 0,
    dead_version bigint,
    last_error text NOT NULL DEFAULT '',
    PRIMARY KEY (instance_id, tenant_id, entity, record_id)
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE bridge.delivery IS 'One row per record that is owed to Odoo. Written by the daemon.';

-- serves the relay's claim: due records per tenant, live lane first
CREATE INDEX delivery_due ON bridge.delivery (tenant_id, lane, due_at)
    WHERE dead_version IS DISTINCT FROM version;

CREATE TABLE bridge.binding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    external_id uuid NOT NULL,
    res_model text NOT NULL,
    res_id int NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'alias', 'unlinked', 'tombstone')),
    epoch int NOT NULL DEFAULT 1,
    version bigint NOT NULL DEFAULT 0,
    digest text NOT NULL DEFAULT '',
    odoo_epoch int NOT NULL DEFAULT 0,
    odoo_version bigint NOT NULL DEFAULT 0,
    synced_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (instance_id, tenant_id, entity, external_id)
);
CREATE UNIQUE INDEX binding_active_odoo_record ON bridge.binding (instance_id, res_model, res_id)
    WHERE state = 'active';
-- serves the readers' view, which knows no instance
CREATE INDEX binding_of_tenant ON bridge.binding (tenant_id, external_id);

CREATE TABLE bridge.base_value (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    external_id uuid NOT NULL,
    field text NOT NULL,
    app_value text,
    odoo_value text,
    PRIMARY KEY (instance_id, tenant_id, entity, external_id, field)
);

-- tenant_id may name a tenant that does not exist: a forged hint is parked under the name it gave
CREATE TABLE bridge.dead_letter (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    direction text NOT NULL CHECK (direction IN ('app_to_odoo', 'odoo_to_app')),
    entity text NOT NULL,
    record_id text NOT NULL,
    field text NOT NULL DEFAULT '',
    version text NOT NULL DEFAULT '',
    code text NOT NULL,
    message text NOT NULL,
    value text NOT NULL DEFAULT '',
    attempts int NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    UNIQUE (instance_id, tenant_id, direction, entity, record_id, field)
);
-- serves `c360 dead list`, the readers' view and the monitor's counts
CREATE INDEX dead_letter_open ON bridge.dead_letter (tenant_id, record_id) WHERE resolved_at IS NULL;

CREATE TABLE bridge.flow (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    direction text NOT NULL CHECK (direction IN ('app_to_odoo', 'odoo_to_app')),
    paused boolean NOT NULL DEFAULT false,
    last_success timestamptz,
    PRIMARY KEY (instance_id, tenant_id, direction)
);

CREATE TABLE bridge.lease (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    until timestamptz NOT NULL
);

CREATE TABLE bridge.run (
    id uuid PRIMARY KEY,
    service text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    host text NOT NULL DEFAULT '',
    pid int NOT NULL DEFAULT 0
);

CREATE FUNCTION bridge.mark(tenant_id uuid, schema_name text, entity text, record_ids uuid[], lane text DEFAULT 'live')
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    IF lane NOT IN ('live', 'bulk') THEN
        RAISE EXCEPTION 'a lane is live or bulk, not %', lane USING ERRCODE = 'check_violation';
    END IF;
    IF cardinality(record_ids) > 0 THEN
        INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids, lane)
        VALUES (mark.tenant_id, mark.schema_name, mark.entity, mark.record_ids, mark.lane);
    END IF;
    RETURN coalesce(cardinality(record_ids), 0);
END;
$$;

-- The origin is session_user, which the app cannot set; at depth 2 it is the app's own trigger that writes.
CREATE FUNCTION bridge.capture() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    IF session_user = 'comply360_sync' AND pg_trigger_depth() = 1 THEN
        RETURN NULL;
    END IF;
    INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids)
    SELECT changed.tenant_id, TG_TABLE_SCHEMA, TG_ARGV[0], array_agg(changed.id) FROM changed GROUP BY changed.tenant_id;
    RETURN NULL;
END;
$$;

REVOKE ALL ON FUNCTION bridge.mark(uuid, text, text, uuid[], text), bridge.capture() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.mark(uuid, text, text, uuid[], text) TO comply360_sync, comply360_migrator;

GRANT USAGE ON SCHEMA bridge TO comply360_sync, comply360_monitor;
GRANT SELECT ON bridge.installation, bridge.odoo_instance, bridge.tenant, bridge.outbox, bridge.delivery,
    bridge.binding, bridge.base_value, bridge.dead_letter, bridge.flow, bridge.lease, bridge.run TO comply360_sync;
GRANT UPDATE (uuid, epoch) ON bridge.odoo_instance TO comply360_sync;
GRANT INSERT, UPDATE ON bridge.tenant, bridge.flow, bridge.run TO comply360_sync;
-- FOR UPDATE SKIP LOCKED wants UPDATE on one column
GRANT DELETE, UPDATE (lane) ON bridge.outbox TO comply360_sync;
GRANT INSERT, UPDATE, DELETE ON bridge.delivery, bridge.binding, bridge.base_value, bridge.dead_letter, bridge.lease
    TO comply360_sync;
GRANT USAGE ON SEQUENCE bridge.version_seq TO comply360_sync;
