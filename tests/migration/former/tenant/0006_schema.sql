-- Level 6, once per tenant: what became of the leads, for the app's readers, beside registrations.status and never in it.
DROP VIEW IF EXISTS {schema}.comply360_lead_outcome;
CREATE VIEW {schema}.comply360_lead_outcome AS
    SELECT registration_id, outcome, lost_reason, changed_by, changed_at
      FROM bridge.lead_outcome
     WHERE tenant_id = {tenant};
GRANT CREATE ON SCHEMA {schema} TO comply360_bridge_owner;
ALTER VIEW {schema}.comply360_lead_outcome OWNER TO comply360_bridge_owner;
REVOKE CREATE ON SCHEMA {schema} FROM comply360_bridge_owner;
GRANT SELECT ON {schema}.comply360_lead_outcome TO {readers};
