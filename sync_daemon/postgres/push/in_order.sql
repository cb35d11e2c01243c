-- name: in_order (owed records are locked in the order of their keys; the next statement writes them in their places)
SELECT FROM (
    SELECT * FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
    ORDER BY tenant_id, entity, record_id) AS k
CROSS JOIN LATERAL (
    SELECT FROM bridge.delivery AS d
    WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
      AND d.record_id = k.record_id
    OFFSET 0
    FOR UPDATE) AS d
