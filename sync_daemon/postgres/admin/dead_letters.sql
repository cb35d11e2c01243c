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

-- name: discard (a person decided that this need not go through; the next change of the record is tried again. Its time
-- is the ledger entry's, which this transaction has just made)
UPDATE bridge.dead_letter AS l SET resolved_at = h.at
FROM bridge.ledger_head AS h
WHERE l.id = ANY(%(ids)s::uuid[]) AND l.resolved_at IS NULL AND h.tenant_id = l.tenant_id
RETURNING l.tenant_id, l.id

-- name: audit
SELECT bridge.append_to_ledger(
           NULL, instance_id, direction, array_agg(tenant_id), array_agg(entity), array_agg(record_id),
           array_agg(%(action)s::text), array_agg(''::text), array_agg(%(detail)s::jsonb))
FROM bridge.dead_letter
WHERE id = ANY(%(ids)s::uuid[])
GROUP BY instance_id, direction
