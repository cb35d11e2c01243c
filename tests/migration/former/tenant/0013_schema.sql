-- Level 13, once per tenant: readers see what was told by an Odoo that is there no longer.
CREATE OR REPLACE VIEW {schema}.comply360_lead_outcome AS
    SELECT registration_id, outcome, lost_reason, changed_by, changed_at, of_former_odoo
      FROM bridge.lead_outcome
     WHERE tenant_id = {tenant};
CREATE OR REPLACE VIEW {schema}.comply360_invoices AS
    SELECT id, registration_id, client_id, kind, number, state, payment_state, total, residual, currency, invoice_date,
           due_date, paid_on, payment_reference, credits_id, concern, odoo_id, changed_at, of_former_odoo
      FROM bridge.invoice
     WHERE tenant_id = {tenant};
