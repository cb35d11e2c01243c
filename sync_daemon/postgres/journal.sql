-- name: keep_bases
INSERT INTO bridge.base_value (instance_id, tenant_id, entity, record_id, field, app_value, odoo_value)
SELECT %(instance)s, k.tenant_id, k.entity, k.record_id, k.field, k.app_value, k.odoo_value
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(app)s::text[],
            %(odoo)s::text[]) AS k (tenant_id, entity, record_id, field, app_value, odoo_value)
ORDER BY k.tenant_id, k.entity, k.record_id, k.field
ON CONFLICT (instance_id, tenant_id, entity, record_id, field) DO UPDATE
SET app_value = EXCLUDED.app_value, odoo_value = EXCLUDED.odoo_value

-- name: record (late in the transaction: the tenants' chains are locked from here on)
SELECT bridge.append_to_ledger(%(run)s, %(instance)s, %(direction)s, %(tenants)s::uuid[], %(entities)s::text[],
                               %(ids)s::uuid[]::text[], %(actions)s::text[], %(versions)s::text[], %(details)s::jsonb[])

-- name: succeed
INSERT INTO bridge.flow AS f (instance_id, tenant_id, direction, last_success)
SELECT %(instance)s, tenant_id, %(direction)s, now()
FROM unnest(%(tenants)s::uuid[]) AS k (tenant_id)
ORDER BY tenant_id
ON CONFLICT (instance_id, tenant_id, direction) DO UPDATE SET last_success = now()
