-- Once per captured table: the rows that the daemon may see, and the triggers that mark what changed.
DROP POLICY IF EXISTS comply360_bridge_sync ON {schema}.{table};
CREATE POLICY comply360_bridge_sync ON {schema}.{table} AS PERMISSIVE FOR ALL TO comply360_sync
    USING (tenant_id = {tenant}) WITH CHECK (tenant_id = {tenant});

CREATE OR REPLACE TRIGGER comply360_bridge_insert AFTER INSERT ON {schema}.{table}
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture({entity});
CREATE OR REPLACE TRIGGER comply360_bridge_update AFTER UPDATE ON {schema}.{table}
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture({entity});
CREATE OR REPLACE TRIGGER comply360_bridge_delete AFTER DELETE ON {schema}.{table}
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture({entity});
-- emptying the table asks for a reconcile
CREATE OR REPLACE TRIGGER comply360_bridge_truncate AFTER TRUNCATE ON {schema}.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture_truncate({entity});
-- a row whose id the app changed stays the same record
CREATE OR REPLACE TRIGGER comply360_bridge_renamed AFTER UPDATE ON {schema}.{table}
    FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id) EXECUTE FUNCTION bridge.capture_renamed({entity});
