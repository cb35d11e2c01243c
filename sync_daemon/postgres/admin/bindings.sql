-- name: find (one record of any tenant, by its id)
SELECT b.tenant_id, coalesce(t.subdomain, ''), b.entity, b.record_id, b.state, b.res_model, b.res_id,
       b.epoch || '.' || b.version, b.odoo_epoch || '.' || b.odoo_version, b.digest, b.synced_at
FROM bridge.binding AS b
LEFT JOIN public.tenants AS t ON t.id = b.tenant_id
WHERE b.instance_id = %(instance)s AND b.record_id = %(id)s
  AND (%(tenant)s::text IS NULL OR t.subdomain = %(tenant)s::text OR b.tenant_id::text = %(tenant)s::text)
ORDER BY b.tenant_id, b.entity

-- name: bases
SELECT field, app_value, odoo_value
FROM bridge.base_value
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s
ORDER BY field

-- name: forget_bases (from now on both sides are compared without)
DELETE FROM bridge.base_value
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s

-- name: forget
DELETE FROM bridge.binding
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s

-- name: relink
UPDATE bridge.binding
SET res_model = %(model)s, res_id = %(res_id)s, state = 'active', digest = '', synced_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s

-- name: record
SELECT bridge.append_to_ledger(NULL, %(instance)s, 'app_to_odoo', ARRAY[%(tenant)s::uuid], ARRAY[%(entity)s::text],
                               ARRAY[%(id)s::text], ARRAY[%(action)s::text], ARRAY[''::text], ARRAY[%(detail)s::jsonb])
