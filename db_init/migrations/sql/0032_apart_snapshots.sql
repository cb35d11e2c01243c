-- A statement of one tenant that goes on for minutes shall not keep Odoo's ids from the rows of all the others. Locks on
-- tables last until their transaction ends, so they show whose tables a transaction has worked in.
DROP FUNCTION IF EXISTS bridge.writing_snapshots();
CREATE OR REPLACE FUNCTION bridge.writing_snapshots(of_schema text DEFAULT NULL) RETURNS boolean
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
           -- a young one may yet go on to another tenant; so may one that has touched no tenant's tables at all
           AND (of_schema IS NULL
                OR other.xact_start > clock_timestamp() - interval '1 second'
                OR COALESCE((SELECT bool_or(tenant.schema_name = of_schema)
                               FROM pg_locks
                               JOIN pg_class ON pg_class.oid = pg_locks.relation
                               JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
                               JOIN bridge.tenant ON tenant.schema_name = pg_namespace.nspname
                              WHERE pg_locks.pid = other.pid AND pg_locks.locktype = 'relation'), true))
    );
END;
$$;
REVOKE ALL ON FUNCTION bridge.writing_snapshots(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.writing_snapshots(text) TO comply360_sync;
