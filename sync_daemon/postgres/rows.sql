-- name: tenants
SELECT b.tenant_id, coalesce(t.subdomain, b.schema_name), b.schema_name, b.epoch, b.state, coalesce(f.paused, false),
       EXISTS (SELECT FROM bridge.replaced_table AS r WHERE r.tenant_id = b.tenant_id)
FROM bridge.tenant AS b
LEFT JOIN public.tenants AS t ON t.id = b.tenant_id
LEFT JOIN bridge.flow AS f
    ON f.instance_id = b.instance_id AND f.tenant_id = b.tenant_id AND f.direction = 'app_to_odoo'
WHERE b.tenant_id = ANY(%(tenants)s::uuid[])

-- name: owed
SELECT d.tenant_id, d.entity, d.record_id, d.schema_name, d.version, d.attempts, d.lane, now() - d.sent_at
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.delivery AS d
    WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
      AND d.record_id = k.record_id
    OFFSET 0) AS d
WHERE d.dead_version IS DISTINCT FROM d.version

-- name: renamed (ids that the app changed: those of the batch, and the oldest of these tenants)
SELECT id, tenant_id, entity, former_id, present_id
FROM bridge.renamed_record
WHERE tenant_id = ANY(%(tenants)s::uuid[])
  AND (former_id = ANY(%(ids)s::uuid[]) OR present_id = ANY(%(ids)s::uuid[])
       OR id IN (SELECT id FROM bridge.renamed_record WHERE tenant_id = ANY(%(tenants)s::uuid[]) ORDER BY id LIMIT 100))
ORDER BY id

-- name: bindings
SELECT b.tenant_id, b.entity, b.record_id, b.state, b.res_model, b.res_id, b.epoch, b.version, b.digest,
       b.odoo_epoch, b.odoo_version, b.outline
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.binding AS b
    WHERE b.instance_id = %(instance)s AND b.tenant_id = k.tenant_id AND b.entity = k.entity
      AND b.record_id = k.record_id
    OFFSET 0) AS b

-- name: bases
SELECT v.tenant_id, v.entity, v.record_id, v.field, v.app_value, v.odoo_value
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.base_value AS v
    WHERE v.instance_id = %(instance)s AND v.tenant_id = k.tenant_id AND v.entity = k.entity
      AND v.record_id = k.record_id
    OFFSET 0) AS v

-- name: formers (what the app had before Odoo's values; one write's are of one age)
SELECT f.tenant_id, f.entity, f.record_id, f.field, f.app_values, f.taken_value, now() - f.written_at, f.repeats
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.former_value AS f
    WHERE f.instance_id = %(instance)s AND f.tenant_id = k.tenant_id AND f.entity = k.entity
      AND f.record_id = k.record_id
    OFFSET 0) AS f

-- name: conflicts
SELECT c.tenant_id, c.entity, c.record_id, c.field
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.conflict AS c
    WHERE c.instance_id = %(instance)s AND c.tenant_id = k.tenant_id AND c.entity = k.entity
      AND c.record_id = k.record_id AND c.state = 'open'
    OFFSET 0) AS c

-- name: dead
SELECT d.tenant_id, d.entity, d.record_id, d.last_error
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.delivery AS d
    WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
      AND d.record_id = k.record_id
    OFFSET 0) AS d
WHERE d.dead_version = d.version

-- name: issues
SELECT tenant_id, id, jsonb_build_object(
    'kind', CASE WHEN code = 'conflict' THEN 'conflict' WHEN field = 'payment_discrepancy' THEN 'money' WHEN field <> '' AND version = '' THEN 'field' ELSE 'dead' END,
    'direction', direction, 'entity', entity, 'record_id', record_id, 'field', field, 'value', value,
    'code', code, 'message', message, 'attempts', attempts::text, 'first_at', first_at, 'last_at', last_at,
    'state', CASE WHEN resolved_at IS NULL THEN 'open' ELSE 'closed' END)
FROM bridge.dead_letter
WHERE instance_id = %(instance)s AND id = ANY(%(ids)s::uuid[])

-- name: limit_waiting (a table that one tenant's app has locked must not keep the others of the batch waiting)
SET LOCAL lock_timeout = '300ms';
SET LOCAL statement_timeout = '20s'
