-- Level 3: when to stay away from the app's rows, and what readers and the monitor may see.

-- Reasons and limits: docs/adr/0003-app-transactions-first.md
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

-- One row per record the bridge knows of; the views in the tenants' schemas read it with their tenant as a constant.
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
        SELECT tenant_id, entity, external_id FROM bridge.binding) AS known
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

REVOKE ALL ON FUNCTION bridge.writing_snapshots() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.writing_snapshots() TO comply360_sync;
GRANT SELECT ON bridge.record_state, bridge.monitor_tenant, bridge.monitor_marks TO comply360_sync;
GRANT SELECT ON bridge.monitor_tenant, bridge.monitor_marks TO comply360_monitor;
