-- As before; of two daemons that start at once in a new month, the second one finds what the first one has made.
CREATE OR REPLACE FUNCTION bridge.ensure_ledger_partition(month date) RETURNS boolean
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
    -- to_regclass() would repeat its answer from before the lock, which this session remembers
    IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'bridge'::regnamespace AND relname = part) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE bridge.%I (LIKE bridge.ledger INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format(
        'WITH moved AS (DELETE FROM bridge.ledger_default WHERE at >= $1 AND at < $2
                        RETURNING id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action,
                                  version, detail, number, hash, salt, detail_digest, erasure)
         INSERT INTO bridge.%I (id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action,
                                version, detail, number, hash, salt, detail_digest, erasure)
         SELECT id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail, number,
                hash, salt, detail_digest, erasure
           FROM moved', part) USING first, next;
    EXECUTE format('ALTER TABLE bridge.ledger ATTACH PARTITION bridge.%I FOR VALUES FROM (%L) TO (%L)',
                   part, first, next);
    -- as db_init/row_security.py closes every other table
    EXECUTE format('CREATE POLICY comply360_bridge_rows ON bridge.%I TO comply360_sync, comply360_bridge_owner'
                   ' USING (true) WITH CHECK (true)', part);
    EXECUTE format('ALTER TABLE bridge.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    RETURN true;
END;
$$;
