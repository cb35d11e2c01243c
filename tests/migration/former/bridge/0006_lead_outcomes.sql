-- Level 6: what became of a registration's lead, for readers. registrations.status stays the app's own.

CREATE TABLE bridge.lead_outcome (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    registration_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('open', 'won', 'lost')),
    lost_reason text NOT NULL DEFAULT '',
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (instance_id, tenant_id, registration_id)
);
COMMENT ON TABLE bridge.lead_outcome IS 'Won, lost or open again in Odoo. Written by the puller.';
-- serves the readers' view, which knows no instance
CREATE INDEX lead_outcome_of_tenant ON bridge.lead_outcome (tenant_id, registration_id);

GRANT SELECT, INSERT, UPDATE ON bridge.lead_outcome TO comply360_sync;

-- Clients' fields flow both ways from now on: customers that are in Odoo already are looked at once, to agree on values.
INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids, lane)
SELECT binding.tenant_id, tenant.schema_name, binding.entity, array_agg(binding.external_id), 'bulk'
  FROM bridge.binding
  JOIN bridge.tenant USING (tenant_id)
 WHERE binding.entity = 'client' AND binding.state = 'active'
 GROUP BY binding.tenant_id, tenant.schema_name, binding.entity;
