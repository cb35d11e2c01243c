-- name: known
SELECT c.tenant_id, c.document_id, c.path, c.stamp, c.sha256
FROM bridge.content AS c
JOIN unnest(%(tenants)s::uuid[], %(ids)s::uuid[]) AS k (tenant_id, document_id) USING (tenant_id, document_id)

-- name: remember
INSERT INTO bridge.content (tenant_id, document_id, path, stamp, sha256)
VALUES (%(tenant)s, %(id)s, %(path)s, %(stamp)s, %(sha256)s)
ON CONFLICT (tenant_id, document_id) DO UPDATE
SET path = EXCLUDED.path, stamp = EXCLUDED.stamp, sha256 = EXCLUDED.sha256, read_at = now()
