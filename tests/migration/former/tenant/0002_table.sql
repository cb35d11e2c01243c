-- Level 2, once per captured table: emptying it asks for a reconcile.
CREATE OR REPLACE TRIGGER comply360_bridge_truncate AFTER TRUNCATE ON {schema}.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture_truncate({entity});
