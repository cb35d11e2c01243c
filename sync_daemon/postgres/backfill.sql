-- name: tenants (of one instance, those whose records are captured; `tenant` is a subdomain or a uuid)
SELECT b.tenant_id, coalesce(t.subdomain, b.schema_name), b.schema_name
FROM bridge.tenant AS b
LEFT JOIN public.tenants AS t ON t.id = b.tenant_id
WHERE b.instance_id = %(instance)s AND b.state IN ('active', 'suspended')
  AND (%(tenant)s::text IS NULL OR t.subdomain = %(tenant)s::text OR b.tenant_id::text = %(tenant)s::text)
ORDER BY 2

-- name: resume (the unfinished backfill of the same words, or a new one; locked, so that two do not share it)
INSERT INTO bridge.backfill AS b (tenant_id, entity, selection)
VALUES (%(tenant)s, %(entity)s, %(selection)s::jsonb)
ON CONFLICT (tenant_id, entity, md5(selection::text)) WHERE finished_at IS NULL DO UPDATE SET marked = b.marked
RETURNING b.id, b.after_id, b.marked

-- name: advance
UPDATE bridge.backfill
SET after_id = coalesce(%(after)s, after_id), marked = marked + %(marked)s,
    finished_at = CASE WHEN %(finished)s THEN now() END
WHERE id = %(id)s

-- name: restart (what was begun with these words is done with)
UPDATE bridge.backfill SET finished_at = now()
WHERE tenant_id = %(tenant)s AND entity = %(entity)s AND selection = %(selection)s::jsonb AND finished_at IS NULL
