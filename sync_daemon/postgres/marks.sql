-- name: mark (marks records of one tenant through the bridge's own door)
SELECT bridge.mark(%(tenant)s, schema_name, %(entity)s, %(ids)s::uuid[], %(lane)s)
FROM bridge.tenant
WHERE tenant_id = %(tenant)s
