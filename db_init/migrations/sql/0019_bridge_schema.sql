-- Schema bridge, as one level. It stands for the levels 0001 to 0019 from before the first release.
-- Runs as comply360_bridge_owner; schema bridge and the roles exist. A column that a later level adds goes to the end.


-- Who is connected: this installation, the Odoo databases, the tenants, their users and rules

CREATE TABLE bridge.installation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    only_row boolean NOT NULL DEFAULT true UNIQUE CHECK (only_row),
    app_role text NOT NULL,
    -- rights that attaching took away, so that detaching can give them back
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
COMMENT ON TABLE bridge.odoo_instance IS
    'Odoo databases by name. name@uuid is one that another took the place of; its bindings are history.';

-- The selftest's tenants belong to an Odoo instance whose name no setting can have. So nobody can flag a tenant by hand,
-- and everything that is separated by instance is separated from them too.
CREATE TABLE bridge.tenant (
    tenant_id uuid PRIMARY KEY,
    schema_name text NOT NULL UNIQUE CHECK (length(schema_name) BETWEEN 1 AND 63),
    instance_id text NOT NULL REFERENCES bridge.odoo_instance,
    state text NOT NULL DEFAULT 'creating' CHECK (state IN ('creating', 'active', 'suspended', 'deleted', 'error')),
    epoch int NOT NULL DEFAULT 1,
    attach_level int NOT NULL DEFAULT 0,
    problem text NOT NULL DEFAULT '',
    tenant_digest text NOT NULL DEFAULT '',
    -- when all records that were there before the triggers had been marked
    queued_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    selftest boolean NOT NULL GENERATED ALWAYS AS (instance_id = 'self-test') STORED
);
COMMENT ON COLUMN bridge.tenant.selftest IS 'Made by c360 selftest: served by its own daemon only, and may be purged.';
-- serves the relay, which leaves the marks of these tenants to the selftest's own daemon
CREATE INDEX tenant_selftest ON bridge.tenant (schema_name) WHERE selftest;

CREATE TABLE bridge.user_link (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    odoo_user_id int NOT NULL,
    -- the login at the time of the decision, for people to read; the id is what counts
    odoo_login text NOT NULL,
    -- proposals are computed each time; a declined pair is not proposed again
    state text NOT NULL CHECK (state IN ('confirmed', 'declined')),
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, tenant_id, user_id)
);
COMMENT ON TABLE bridge.user_link IS 'Who of the app is whom in Odoo. Written by c360 user.';
-- serves the puller, which knows an approver by Odoo's id; within a tenant, one user of Odoo is one person
CREATE UNIQUE INDEX user_link_of_odoo ON bridge.user_link (instance_id, tenant_id, odoo_user_id)
    WHERE state = 'confirmed';

-- Versions are added, never changed; the newest one is in force.
CREATE TABLE bridge.contract_override (
    version int PRIMARY KEY,
    -- tenants by uuid: another tenant that takes over a subdomain must not take over its rules
    rules jsonb NOT NULL,
    applied_by text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.contract_override IS 'The overrides of the contract, by version. Written by c360 contract apply.';


-- From the app to Odoo: marks, what is owed, what has to be read again

-- The app's statements pay for these rows. So one mark is written per statement, however many rows it changed; ids are
-- handed out 64 at a time, and rows are not checked. vacuum_truncate takes ACCESS EXCLUSIVE for a moment, and the app's
-- inserts would wait for it.
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
-- Random ids do not compress; trying to would cost more than the rest of the insert.
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
    -- Set when a record was sent and no answer has been written down since: Odoo may have the record although no binding
    -- says so, and is asked before the record is given up.
    sent_at timestamptz,
    PRIMARY KEY (instance_id, tenant_id, entity, record_id)
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE bridge.delivery IS 'One row per record that is owed to Odoo. Written by the daemon.';
-- serves the relay's claim: due records per tenant, live lane first
CREATE INDEX delivery_due ON bridge.delivery (tenant_id, lane, due_at)
    WHERE dead_version IS DISTINCT FROM version;
-- serves the relay's count of what is in flight, ten times a second: its cost must not grow with a table that was once
-- large, nor with dead rows that somebody's snapshot keeps
CREATE INDEX delivery_in_flight ON bridge.delivery (due_at) INCLUDE (tenant_id) WHERE published_at IS NOT NULL;

CREATE TABLE bridge.content (
    tenant_id uuid NOT NULL,
    document_id uuid NOT NULL,
    path text NOT NULL,
    -- the storage's own stamp: another stamp means another content
    stamp text NOT NULL,
    sha256 text NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, document_id)
);
COMMENT ON TABLE bridge.content IS 'The identity of each document''s content that was read. Written by pushers.';

CREATE TABLE bridge.backfill (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    -- the other options (since, ids); a second run with the same options continues this one
    selection jsonb NOT NULL,
    after_id uuid,
    marked bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE bridge.backfill IS 'How far each backfill came. Written by c360 backfill.';
-- serves `c360 backfill`, which continues the open run of the same selection
CREATE UNIQUE INDEX backfill_open ON bridge.backfill (tenant_id, entity, md5(selection::text)) WHERE finished_at IS NULL;

-- Appended, not a column of bridge.tenant: the app must never wait for a row the daemon may be updating.
CREATE TABLE bridge.reconcile_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_name text NOT NULL,
    entity text NOT NULL,
    reason text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz
);


-- What both sides have in common: bindings, base values, conflicts

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
    -- The digest that a comparison found, and the fingerprint of everything it was computed from: the digest counts only
    -- while the present fingerprint is the same.
    compared_digest text,
    compared_from text,
    UNIQUE (instance_id, tenant_id, entity, external_id)
);
-- serves the puller, which knows a record by Odoo's id; one record of Odoo has one active binding
CREATE UNIQUE INDEX binding_active_odoo_record ON bridge.binding (instance_id, res_model, res_id)
    WHERE state = 'active';
-- serves the readers' view, which knows no instance
CREATE INDEX binding_of_tenant ON bridge.binding (tenant_id, external_id);
-- serves the daemon's check whether Odoo was set back: the newest of its changes that was taken in
CREATE INDEX binding_odoo_newest ON bridge.binding (instance_id, odoo_epoch, odoo_version) WHERE odoo_version > 0;

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

CREATE TABLE bridge.conflict (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    external_id uuid NOT NULL,
    field text NOT NULL,
    base_value text,
    app_value text,
    odoo_value text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    resolution text NOT NULL DEFAULT '',
    raised_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    decision text NOT NULL DEFAULT '' CHECK (decision IN ('', 'keep_app', 'keep_odoo', 'edit')),
    decided_value text NOT NULL DEFAULT '',
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz
);
-- serves both walks, which look up the open conflicts of a record; a field has at most one
CREATE UNIQUE INDEX conflict_open ON bridge.conflict (instance_id, tenant_id, entity, external_id, field)
    WHERE state = 'open';


-- From Odoo to the app: what readers see, and the events for the app's other services

-- registrations.status stays the app's own
CREATE TABLE bridge.lead_outcome (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    registration_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('open', 'won', 'lost')),
    lost_reason text NOT NULL DEFAULT '',
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL,
    -- another Odoo took the place of the one that reported this
    of_former_odoo boolean NOT NULL DEFAULT false,
    PRIMARY KEY (instance_id, tenant_id, registration_id)
);
COMMENT ON TABLE bridge.lead_outcome IS 'Won, lost or open again in Odoo. Written by the puller.';
-- serves the readers' view, which knows no instance
CREATE INDEX lead_outcome_of_tenant ON bridge.lead_outcome (tenant_id, registration_id);

CREATE TABLE bridge.invoice (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    odoo_id int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
    number text,
    state text NOT NULL CHECK (state IN ('draft', 'posted', 'cancelled', 'deleted')),
    payment_state text NOT NULL,
    -- as exact as they arrive: the number of places depends on the currency
    total numeric NOT NULL,
    residual numeric NOT NULL,
    currency text NOT NULL,
    invoice_date date,
    due_date date,
    paid_on date,
    payment_reference text,
    registration_id uuid,
    client_id uuid,
    credits_id uuid,
    concern text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    -- another Odoo took the place of the one that reported this
    of_former_odoo boolean NOT NULL DEFAULT false,
    -- kept as Odoo reported it, so that it can be compared
    concern_about text,
    PRIMARY KEY (instance_id, tenant_id, id)
);
COMMENT ON TABLE bridge.invoice IS 'The read model of Odoo''s invoices. Written by the puller.';
-- serves the copy of the newest invoice's id in the app's registrations
CREATE INDEX invoice_of_registration ON bridge.invoice (tenant_id, registration_id);

CREATE TABLE bridge.event (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    position bigint GENERATED ALWAYS AS IDENTITY,
    instance_id text NOT NULL,
    occurred_at timestamptz NOT NULL
);
COMMENT ON TABLE bridge.event IS 'What the app''s other services are told. Written by the puller, published by the event relay.';
-- serves the event relay, in order
CREATE INDEX event_unpublished ON bridge.event (position) WHERE published_at IS NULL;
-- serves the removal of old events
CREATE INDEX event_published ON bridge.event (published_at) WHERE published_at IS NOT NULL;


-- What failed and what was done

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
-- serves `c360 db prune`
CREATE INDEX dead_letter_resolved ON bridge.dead_letter (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE bridge.ledger (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    run_id uuid,
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    direction text NOT NULL CHECK (direction IN ('app_to_odoo', 'odoo_to_app')),
    entity text NOT NULL,
    record_id text NOT NULL,
    action text NOT NULL,
    version text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}'
) PARTITION BY RANGE (at);
-- serves `c360 why`: one record's history
CREATE INDEX ledger_of_record ON bridge.ledger (tenant_id, record_id, at);
CREATE TABLE bridge.ledger_default PARTITION OF bridge.ledger DEFAULT;

-- Rows of that month are moved out of the default partition: they would make PostgreSQL refuse the new one.
CREATE FUNCTION bridge.ensure_ledger_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    part text := 'ledger_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('bridge.' || part) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(360360, 2);
    IF to_regclass('bridge.' || part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE bridge.%I (LIKE bridge.ledger INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format(
        'WITH moved AS (DELETE FROM bridge.ledger_default WHERE at >= $1 AND at < $2
                        RETURNING id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action,
                                  version, detail)
         INSERT INTO bridge.%I (id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action,
                                version, detail)
         SELECT id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail
           FROM moved', part) USING first, next;
    EXECUTE format('ALTER TABLE bridge.ledger ATTACH PARTITION bridge.%I FOR VALUES FROM (%L) TO (%L)',
                   part, first, next);
    RETURN true;
END;
$$;

-- Drops the partition of a month that nobody reads any more; true if it was there. The present month and the default
-- partition stay.
CREATE FUNCTION bridge.drop_ledger_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
DECLARE
    part text := 'ledger_' || to_char(month, 'YYYY_MM');
BEGIN
    IF date_trunc('month', month::timestamp) >= date_trunc('month', now() AT TIME ZONE 'UTC') THEN
        RAISE EXCEPTION 'the ledger of % is still written', to_char(month, 'YYYY-MM')
            USING ERRCODE = 'check_violation';
    END IF;
    IF to_regclass('bridge.' || part) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE bridge.%I', part);
    RETURN true;
END;
$$;


-- The daemon itself: flows, leases, runs, the heartbeat

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

CREATE TABLE bridge.heartbeat (
    instance_id text PRIMARY KEY REFERENCES bridge.odoo_instance,
    beat bigint NOT NULL,
    begun_at timestamptz NOT NULL,
    -- of the newest heartbeat that came so far, which need not be the newest that was begun
    published_at timestamptz,
    arrived_at timestamptz,
    returned_at timestamptz,
    returned_beat bigint,
    -- what Odoo reported on its arrival: active tenants that it does not serve, triggers that are gone
    unserved uuid[] NOT NULL DEFAULT '{}',
    missing text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.heartbeat IS 'When a heartbeat last passed each hop, per Odoo instance. Written by the daemon.';


-- Capture: what the triggers on the app's tables call. They run in the app's transactions.

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

-- Marks the records that the changed rows name. A column that is not there (any more) names none, so that the app's
-- migrations go on. Only our own triggers give the column's name.
CREATE FUNCTION bridge.capture_named() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = TG_RELID AND attname = TG_ARGV[1] AND NOT attisdropped
                      AND atttypid = 'uuid'::regtype) THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids)
         SELECT changed.tenant_id, %L, %L, array_agg(DISTINCT changed.%I) FROM changed WHERE changed.%I IS NOT NULL
          GROUP BY changed.tenant_id',
        TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[1]);
    RETURN NULL;
END;
$$;

-- Emptying a table asks for a reconcile.
CREATE FUNCTION bridge.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    INSERT INTO bridge.reconcile_request (schema_name, entity, reason)
    VALUES (TG_TABLE_SCHEMA, TG_ARGV[0], 'truncate');
    RETURN NULL;
END;
$$;


-- The app's transactions come first. Reasons and limits: docs/adr/0003-app-transactions-first.md

CREATE FUNCTION bridge.writing_snapshots() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    -- activity is frozen at its first use in a transaction; the second question of one transaction wants news
    PERFORM pg_stat_clear_snapshot();
    RETURN EXISTS (
        SELECT FROM pg_stat_activity AS other
         WHERE other.datname = current_database()
           AND other.backend_type = 'client backend'
           AND other.usename <> 'comply360_sync'
           AND other.pid <> pg_backend_pid()
           AND other.backend_xmin IS NOT NULL
           AND (other.backend_xid IS NOT NULL
                OR (other.xact_start > clock_timestamp() - interval '15 minutes'
                    AND (other.state LIKE 'idle in transaction%'
                         OR other.xact_start < clock_timestamp() - interval '50 milliseconds')
                    AND other.application_name NOT LIKE 'pg\_dump%'
                    AND EXISTS (
                        SELECT FROM bridge.tenant
                          JOIN pg_namespace ON pg_namespace.nspname = tenant.schema_name
                          JOIN pg_class ON pg_class.relnamespace = pg_namespace.oid
                         WHERE tenant.attach_level > 0
                           AND pg_class.relname = 'registrations'
                           AND has_any_column_privilege(other.usesysid, pg_class.oid, 'UPDATE'))))
    );
END;
$$;


-- Views: readers see their tenant's rows of record_state, the monitor sees counts only

-- One row per record the bridge knows of; the views in the tenants' schemas read it with their tenant as a constant.
-- What only a former Odoo had is left out: the bridge knows no state of it.
CREATE VIEW bridge.record_state AS
SELECT known.tenant_id,
       known.entity,
       known.record_id,
       CASE WHEN marked.record_id IS NOT NULL OR delivery.version <> COALESCE(delivery.dead_version, 0) THEN 'waiting'
            WHEN failed.message IS NOT NULL OR delivery.version IS NOT NULL
                 OR binding.state = 'unlinked' THEN 'failed'
            ELSE 'synced' END AS state,
       binding.synced_at,
       binding.res_model AS odoo_model,
       binding.res_id AS odoo_id,
       COALESCE(failed.message, NULLIF(delivery.last_error, ''),
                CASE WHEN binding.state = 'unlinked' THEN 'the record was deleted in Odoo' END) AS cause
  FROM (SELECT tenant_id, entity, record_id FROM bridge.outbox, unnest(record_ids) AS record_id
        UNION
        SELECT tenant_id, entity, record_id FROM bridge.delivery
        UNION
        SELECT tenant_id, entity, external_id FROM bridge.binding JOIN bridge.tenant USING (tenant_id, instance_id)
       ) AS known
  LEFT JOIN bridge.tenant ON tenant.tenant_id = known.tenant_id
  LEFT JOIN bridge.delivery ON delivery.instance_id = tenant.instance_id AND delivery.tenant_id = known.tenant_id
        AND delivery.entity = known.entity AND delivery.record_id = known.record_id
  LEFT JOIN bridge.binding ON binding.instance_id = tenant.instance_id AND binding.tenant_id = known.tenant_id
        AND binding.entity = known.entity AND binding.external_id = known.record_id
  LEFT JOIN (SELECT DISTINCT tenant_id, entity, record_id FROM bridge.outbox, unnest(record_ids) AS record_id) AS marked
        ON marked.tenant_id = known.tenant_id AND marked.entity = known.entity AND marked.record_id = known.record_id
  LEFT JOIN LATERAL (
        SELECT dead_letter.message FROM bridge.dead_letter
         WHERE dead_letter.tenant_id = known.tenant_id AND dead_letter.record_id = known.record_id::text
           AND dead_letter.entity = known.entity AND dead_letter.resolved_at IS NULL
         ORDER BY dead_letter.field, dead_letter.last_at DESC LIMIT 1
       ) AS failed ON true;

CREATE VIEW bridge.monitor_tenant AS
SELECT tenant.tenant_id,
       tenant.state,
       tenant.attach_level,
       (SELECT count(*) FROM bridge.delivery WHERE delivery.instance_id = tenant.instance_id
           AND delivery.tenant_id = tenant.tenant_id AND delivery.dead_version IS DISTINCT FROM delivery.version) AS owed,
       (SELECT min(delivery.marked_at) FROM bridge.delivery WHERE delivery.instance_id = tenant.instance_id
           AND delivery.tenant_id = tenant.tenant_id AND delivery.dead_version IS DISTINCT FROM delivery.version) AS oldest,
       (SELECT count(*) FROM bridge.dead_letter WHERE dead_letter.tenant_id = tenant.tenant_id
           AND dead_letter.resolved_at IS NULL) AS dead,
       (SELECT count(*) FROM bridge.conflict WHERE conflict.tenant_id = tenant.tenant_id
           AND conflict.state = 'open') AS conflicts
  FROM bridge.tenant;

CREATE VIEW bridge.monitor_marks AS
SELECT count(*) AS marks, min(marked_at) AS oldest FROM bridge.outbox;

CREATE VIEW bridge.monitor_events AS
SELECT count(*) AS waiting, min(created_at) AS oldest FROM bridge.event WHERE published_at IS NULL;


-- Rights: the daemon works as comply360_sync

REVOKE ALL ON FUNCTION bridge.mark(uuid, text, text, uuid[], text), bridge.capture(), bridge.capture_named(),
    bridge.capture_truncate(), bridge.writing_snapshots(), bridge.ensure_ledger_partition(date),
    bridge.drop_ledger_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.mark(uuid, text, text, uuid[], text) TO comply360_sync, comply360_migrator;
GRANT EXECUTE ON FUNCTION bridge.writing_snapshots(), bridge.ensure_ledger_partition(date),
    bridge.drop_ledger_partition(date) TO comply360_sync;

GRANT USAGE ON SCHEMA bridge TO comply360_sync, comply360_monitor;
GRANT USAGE ON SEQUENCE bridge.version_seq TO comply360_sync;
GRANT SELECT ON bridge.installation TO comply360_sync;
GRANT SELECT, INSERT, UPDATE (uuid, epoch) ON bridge.odoo_instance TO comply360_sync;
-- FOR UPDATE SKIP LOCKED wants UPDATE on one column
GRANT SELECT, DELETE, UPDATE (lane) ON bridge.outbox TO comply360_sync;
GRANT SELECT, DELETE, UPDATE (done_at) ON bridge.reconcile_request TO comply360_sync;
GRANT SELECT, INSERT ON bridge.contract_override, bridge.ledger TO comply360_sync;
GRANT SELECT, INSERT, UPDATE ON bridge.tenant, bridge.user_link, bridge.lead_outcome, bridge.invoice, bridge.flow,
    bridge.heartbeat TO comply360_sync;
GRANT SELECT, INSERT, UPDATE, DELETE ON bridge.delivery, bridge.content, bridge.backfill, bridge.binding,
    bridge.base_value, bridge.conflict, bridge.event, bridge.dead_letter, bridge.lease, bridge.run TO comply360_sync;
GRANT SELECT ON bridge.record_state, bridge.monitor_tenant, bridge.monitor_marks, bridge.monitor_events TO comply360_sync;
GRANT SELECT ON bridge.monitor_tenant, bridge.monitor_marks, bridge.monitor_events, bridge.heartbeat TO comply360_monitor;
