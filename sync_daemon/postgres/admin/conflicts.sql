-- name: decide
UPDATE bridge.conflict
SET decision = %(decision)s, decided_value = %(value)s, decided_by = %(by)s, decided_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(record)s::uuid
  AND field = %(field)s AND state = 'open'
RETURNING id

-- name: conflicts (open ones, oldest first)
SELECT c.id, c.tenant_id, coalesce(t.subdomain, ''), c.entity, c.record_id, c.field, c.base_value, c.app_value,
       c.odoo_value, c.decision, c.decided_value, c.decided_by, c.raised_at
FROM bridge.conflict AS c
LEFT JOIN public.tenants AS t ON t.id = c.tenant_id
WHERE c.instance_id = %(instance)s AND c.state = 'open'
  AND (%(tenant)s::text IS NULL OR t.subdomain = %(tenant)s::text OR c.tenant_id::text = %(tenant)s::text)
ORDER BY c.raised_at, c.id
