-- Level 2: what was done, what is to be decided, what is told to others, and tables that were emptied.

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
    resolved_at timestamptz
);
CREATE UNIQUE INDEX conflict_open ON bridge.conflict (instance_id, tenant_id, entity, external_id, field)
    WHERE state = 'open';

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
-- serves "why is this value here": one record's history
CREATE INDEX ledger_of_record ON bridge.ledger (tenant_id, record_id, at);
CREATE TABLE bridge.ledger_default PARTITION OF bridge.ledger DEFAULT;

-- Rows of that month which went to the default partition meanwhile move along: they would refuse the new one.
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

CREATE TABLE bridge.event (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
-- serves the relay of outgoing events
CREATE INDEX event_unpublished ON bridge.event (created_at) WHERE published_at IS NULL;

-- Appended, not a column of bridge.tenant: the app must never wait for a row the daemon may be updating.
CREATE TABLE bridge.reconcile_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_name text NOT NULL,
    entity text NOT NULL,
    reason text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz
);

CREATE FUNCTION bridge.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    INSERT INTO bridge.reconcile_request (schema_name, entity, reason)
    VALUES (TG_TABLE_SCHEMA, TG_ARGV[0], 'truncate');
    RETURN NULL;
END;
$$;

REVOKE ALL ON FUNCTION bridge.ensure_ledger_partition(date), bridge.capture_truncate() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.ensure_ledger_partition(date) TO comply360_sync;
GRANT SELECT, INSERT ON bridge.ledger TO comply360_sync;
GRANT SELECT, INSERT, UPDATE ON bridge.conflict, bridge.event TO comply360_sync;
GRANT SELECT, UPDATE (done_at) ON bridge.reconcile_request TO comply360_sync;
