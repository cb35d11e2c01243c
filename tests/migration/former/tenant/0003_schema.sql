-- Level 3, once per tenant: the readers' view. It belongs to the bridge's owner, so readers need no right on schema bridge.
DROP VIEW IF EXISTS {schema}.comply360_sync_state;
CREATE VIEW {schema}.comply360_sync_state AS
    SELECT entity, record_id, state, synced_at, odoo_model, odoo_id, cause
      FROM bridge.record_state
     WHERE tenant_id = {tenant};
GRANT CREATE ON SCHEMA {schema} TO comply360_bridge_owner;
ALTER VIEW {schema}.comply360_sync_state OWNER TO comply360_bridge_owner;
REVOKE CREATE ON SCHEMA {schema} FROM comply360_bridge_owner;
GRANT SELECT ON {schema}.comply360_sync_state TO {readers};
