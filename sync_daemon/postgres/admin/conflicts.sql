-- name: decisions (what people decided about open conflicts of these records)
SELECT record_id, field, decision, decided_value, decided_by, app_value, odoo_value
FROM bridge.conflict
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s
  AND record_id = ANY(%(ids)s::uuid[]) AND state = 'open' AND decision <> ''

-- name: letter (the open dead letter that an issue shows)
SELECT direction, entity, record_id, field
FROM bridge.dead_letter
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = %(id)s AND resolved_at IS NULL

-- name: discard
UPDATE bridge.dead_letter SET resolved_at = now() WHERE id = %(id)s AND resolved_at IS NULL

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
