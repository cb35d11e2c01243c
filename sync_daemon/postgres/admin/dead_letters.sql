-- name: open (oldest first)
SELECT l.id, l.tenant_id, coalesce(t.subdomain, ''), l.direction, l.entity, l.record_id, l.field, l.version, l.code,
       l.message, l.value, l.attempts, l.first_at, l.last_at
FROM bridge.dead_letter AS l
LEFT JOIN public.tenants AS t ON t.id = l.tenant_id
WHERE l.resolved_at IS NULL AND (l.instance_id = 'self-test') = %(selftest)s
  AND (%(tenant)s::text IS NULL OR t.subdomain = %(tenant)s::text OR l.tenant_id::text = %(tenant)s::text)
  AND (%(code)s::text IS NULL OR l.code = %(code)s::text)
  AND (%(since)s::timestamptz IS NULL OR l.last_at >= %(since)s::timestamptz)
ORDER BY l.first_at, l.id

-- name: discard (a person decided that this need not go through; the next change of the record is tried again)
UPDATE bridge.dead_letter SET resolved_at = now() WHERE id = ANY(%(ids)s::uuid[]) AND resolved_at IS NULL
RETURNING tenant_id, id

-- name: audit
INSERT INTO bridge.ledger (instance_id, tenant_id, direction, entity, record_id, action, detail)
SELECT instance_id, tenant_id, direction, entity, record_id, %(action)s, %(detail)s::jsonb
FROM bridge.dead_letter
WHERE id = ANY(%(ids)s::uuid[])
