-- name: tenants_of (whose ledger knows a record; the index begins with the tenant)
SELECT t.tenant_id, coalesce(p.subdomain, t.schema_name), t.schema_name
FROM bridge.tenant AS t
LEFT JOIN public.tenants AS p ON p.id = t.tenant_id
WHERE t.instance_id = %(instance)s
  AND (%(tenant)s::text IS NULL OR p.subdomain = %(tenant)s::text OR t.tenant_id::text = %(tenant)s::text)
  AND EXISTS (SELECT FROM bridge.ledger AS l WHERE l.tenant_id = t.tenant_id AND l.record_id = %(id)s::text)

-- name: entries (oldest first, that carried fields)
SELECT at, coalesce(run_id::text, ''), direction, action, version, detail -> 'fields'
FROM bridge.ledger
WHERE tenant_id = %(tenant)s AND record_id = %(id)s::text AND entity = %(entity)s AND instance_id = %(instance)s
  AND jsonb_typeof(detail -> 'fields') = 'object'
ORDER BY at, id
