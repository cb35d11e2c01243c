-- Level 13: another Odoo takes the place of the one that was there; what only the former one told stays, and says so.

ALTER TABLE bridge.invoice
    ADD COLUMN of_former_odoo boolean NOT NULL DEFAULT false,
    -- what was told is kept whole, so that it can be compared
    ADD COLUMN concern_about text;
ALTER TABLE bridge.lead_outcome ADD COLUMN of_former_odoo boolean NOT NULL DEFAULT false;

COMMENT ON TABLE bridge.odoo_instance IS
    'Odoo databases by name. name@uuid is one that another took the place of; its bindings are history.';
GRANT INSERT ON bridge.odoo_instance TO comply360_sync;

-- What only the former Odoo had is nothing that the bridge knows a state of.
CREATE OR REPLACE VIEW bridge.record_state AS
SELECT known.tenant_id,
       known.entity,
       known.record_id,
       CASE WHEN marked.record_id IS NOT NULL OR delivery.version <> COALESCE(delivery.dead_version, 0) THEN 'waiting'
            WHEN failed.message IS NOT NULL OR delivery.version IS NOT NULL
                 OR binding.state = 'unlinked' THEN 'failed'
            ELSE 'synced' END AS state,
       binding.synced_at,
       binding.res_model AS odoo_model,
       binding.res_id AS odoo_id,
       COALESCE(failed.message, NULLIF(delivery.last_error, ''),
                CASE WHEN binding.state = 'unlinked' THEN 'the record was deleted in Odoo' END) AS cause
  FROM (SELECT tenant_id, entity, record_id FROM bridge.outbox, unnest(record_ids) AS record_id
        UNION
        SELECT tenant_id, entity, record_id FROM bridge.delivery
        UNION
        SELECT tenant_id, entity, external_id FROM bridge.binding JOIN bridge.tenant USING (tenant_id, instance_id)
       ) AS known
  LEFT JOIN bridge.tenant ON tenant.tenant_id = known.tenant_id
  LEFT JOIN bridge.delivery ON delivery.instance_id = tenant.instance_id AND delivery.tenant_id = known.tenant_id
        AND delivery.entity = known.entity AND delivery.record_id = known.record_id
  LEFT JOIN bridge.binding ON binding.instance_id = tenant.instance_id AND binding.tenant_id = known.tenant_id
        AND binding.entity = known.entity AND binding.external_id = known.record_id
  LEFT JOIN (SELECT DISTINCT tenant_id, entity, record_id FROM bridge.outbox, unnest(record_ids) AS record_id) AS marked
        ON marked.tenant_id = known.tenant_id AND marked.entity = known.entity AND marked.record_id = known.record_id
  LEFT JOIN LATERAL (
        SELECT dead_letter.message FROM bridge.dead_letter
         WHERE dead_letter.tenant_id = known.tenant_id AND dead_letter.record_id = known.record_id::text
           AND dead_letter.entity = known.entity AND dead_letter.resolved_at IS NULL
         ORDER BY dead_letter.field, dead_letter.last_at DESC LIMIT 1
       ) AS failed ON true;
