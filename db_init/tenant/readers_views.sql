-- Once per tenant: what the app's readers see. The bridge's owner owns the views, so readers need no right on schema bridge.
-- Barriers: a reader's own function in a WHERE must not see other tenants' rows. A copy of the schema shows nothing: the
-- views look at the schema that they were made for, by its oid, and whoever may not use that schema sees no row.
DROP VIEW IF EXISTS {schema}.comply360_sync_state, {schema}.comply360_lead_outcome, {schema}.comply360_invoices;

CREATE VIEW {schema}.comply360_sync_state WITH (security_barrier = true) AS
    SELECT entity, record_id, state, synced_at, odoo_model, odoo_id, cause
      FROM bridge.record_state
     WHERE tenant_id = {tenant}
       AND EXISTS (SELECT FROM bridge.tenant JOIN pg_catalog.pg_namespace ON nspname = tenant.schema_name
                    WHERE tenant.tenant_id = {tenant} AND pg_namespace.oid = {space}::regnamespace)
       AND has_schema_privilege({space}::regnamespace, 'USAGE');

-- what became of the leads: beside registrations.status and never in it
CREATE VIEW {schema}.comply360_lead_outcome WITH (security_barrier = true) AS
    SELECT registration_id, outcome, lost_reason, changed_by, changed_at, of_former_odoo
      FROM bridge.lead_outcome
     WHERE tenant_id = {tenant}
       AND EXISTS (SELECT FROM bridge.tenant JOIN pg_catalog.pg_namespace ON nspname = tenant.schema_name
                    WHERE tenant.tenant_id = {tenant} AND pg_namespace.oid = {space}::regnamespace)
       AND has_schema_privilege({space}::regnamespace, 'USAGE');

CREATE VIEW {schema}.comply360_invoices WITH (security_barrier = true) AS
    SELECT id, registration_id, client_id, kind, number, state, payment_state, total, residual, currency, invoice_date,
           due_date, paid_on, payment_reference, credits_id, payment_discrepancy, odoo_id, changed_at, of_former_odoo
      FROM bridge.invoice
     WHERE tenant_id = {tenant}
       AND EXISTS (SELECT FROM bridge.tenant JOIN pg_catalog.pg_namespace ON nspname = tenant.schema_name
                    WHERE tenant.tenant_id = {tenant} AND pg_namespace.oid = {space}::regnamespace)
       AND has_schema_privilege({space}::regnamespace, 'USAGE');

GRANT CREATE ON SCHEMA {schema} TO comply360_bridge_owner;
ALTER VIEW {schema}.comply360_sync_state OWNER TO comply360_bridge_owner;
ALTER VIEW {schema}.comply360_lead_outcome OWNER TO comply360_bridge_owner;
ALTER VIEW {schema}.comply360_invoices OWNER TO comply360_bridge_owner;
REVOKE CREATE ON SCHEMA {schema} FROM comply360_bridge_owner;
GRANT SELECT ON {schema}.comply360_sync_state, {schema}.comply360_lead_outcome, {schema}.comply360_invoices TO {readers};
