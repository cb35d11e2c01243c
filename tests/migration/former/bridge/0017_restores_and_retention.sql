-- Level 17: how far Odoo's versions have come, and what may be forgotten after a time.

-- serves the daemon's question whether Odoo was set back: the newest of its changes that was taken
CREATE INDEX binding_odoo_newest ON bridge.binding (instance_id, odoo_epoch, odoo_version) WHERE odoo_version > 0;
-- serves `c360 db prune`
CREATE INDEX dead_letter_resolved ON bridge.dead_letter (resolved_at) WHERE resolved_at IS NOT NULL;

-- A month's partition of the ledger that nobody reads any more; true if it was there. The present month and the default
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

REVOKE ALL ON FUNCTION bridge.drop_ledger_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.drop_ledger_partition(date) TO comply360_sync;
GRANT DELETE ON bridge.conflict, bridge.run, bridge.reconcile_request, bridge.backfill TO comply360_sync;
