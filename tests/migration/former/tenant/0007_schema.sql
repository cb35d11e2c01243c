-- Level 7, once per tenant: its invoices, for the app's readers. The view belongs to the bridge's owner.
DROP VIEW IF EXISTS {schema}.comply360_invoices;
CREATE VIEW {schema}.comply360_invoices AS
    SELECT id, registration_id, client_id, kind, number, state, payment_state, total, residual, currency, invoice_date,
           due_date, paid_on, payment_reference, credits_id, concern, odoo_id, changed_at
      FROM bridge.invoice
     WHERE tenant_id = {tenant};
GRANT CREATE ON SCHEMA {schema} TO comply360_bridge_owner;
ALTER VIEW {schema}.comply360_invoices OWNER TO comply360_bridge_owner;
REVOKE CREATE ON SCHEMA {schema} FROM comply360_bridge_owner;
GRANT SELECT ON {schema}.comply360_invoices TO {readers};
