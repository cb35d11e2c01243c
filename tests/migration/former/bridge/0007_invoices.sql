-- Level 7: what Odoo tells of invoices and credit notes; the tenants' views read it with their tenant as a constant.

CREATE TABLE bridge.invoice (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    odoo_id int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
    number text,
    state text NOT NULL CHECK (state IN ('draft', 'posted', 'cancelled', 'deleted')),
    payment_state text NOT NULL,
    -- as exact as they came: how many places there are is a matter of the currency
    total numeric NOT NULL,
    residual numeric NOT NULL,
    currency text NOT NULL,
    invoice_date date,
    due_date date,
    paid_on date,
    payment_reference text,
    registration_id uuid,
    client_id uuid,
    credits_id uuid,
    concern text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, tenant_id, id)
);
COMMENT ON TABLE bridge.invoice IS 'The read model of Odoo''s invoices. Written by the puller.';
-- serves the copy of the newest invoice's id in the app's registrations
CREATE INDEX invoice_of_registration ON bridge.invoice (tenant_id, registration_id);

GRANT SELECT, INSERT, UPDATE ON bridge.invoice TO comply360_sync;
