-- name: flows (of every tenant but the selftest's, in both directions)
SELECT t.instance_id, t.tenant_id, coalesce(a.subdomain, t.schema_name), d.direction, coalesce(f.paused, false),
       f.paused_at, coalesce(f.paused_by, ''), coalesce(f.pause_reason, '')
FROM bridge.tenant AS t
LEFT JOIN public.tenants AS a ON a.id = t.tenant_id
CROSS JOIN (VALUES ('app_to_odoo'), ('odoo_to_app')) AS d (direction)
LEFT JOIN bridge.flow AS f
    ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = d.direction
WHERE NOT t.selftest
ORDER BY 3, 4

-- name: pause (those that flow; one that was paused before keeps who did it, and why)
INSERT INTO bridge.flow AS f (instance_id, tenant_id, direction, paused, paused_at, paused_by, pause_reason)
SELECT k.instance_id, k.tenant_id, k.direction, true, now(), %(by)s, %(reason)s
FROM unnest(%(instances)s::text[], %(tenants)s::uuid[], %(directions)s::text[]) AS k (instance_id, tenant_id, direction)
ORDER BY k.instance_id, k.tenant_id, k.direction
ON CONFLICT (instance_id, tenant_id, direction) DO UPDATE
SET paused = true, paused_at = now(), paused_by = EXCLUDED.paused_by, pause_reason = EXCLUDED.pause_reason
WHERE NOT f.paused
RETURNING f.instance_id, f.tenant_id, f.direction

-- name: resume (those that are paused)
UPDATE bridge.flow AS f
SET paused = false, paused_at = NULL, paused_by = '', pause_reason = ''
FROM unnest(%(instances)s::text[], %(tenants)s::uuid[], %(directions)s::text[]) AS k (instance_id, tenant_id, direction)
WHERE (f.instance_id, f.tenant_id, f.direction) = (k.instance_id, k.tenant_id, k.direction) AND f.paused
RETURNING f.instance_id, f.tenant_id, f.direction

-- name: audit (one entry for each tenant)
SELECT bridge.append_to_ledger(
           NULL, %(instance)s, %(direction)s, array_agg(k.tenant_id), array_agg('tenant'::text),
           array_agg(k.tenant_id::text), array_agg(%(action)s::text), array_agg(''::text), array_agg(%(detail)s::jsonb))
FROM unnest(%(tenants)s::uuid[]) AS k (tenant_id)
