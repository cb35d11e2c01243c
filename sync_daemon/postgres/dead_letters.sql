-- name: raise (one per record and field; how often it was raised is counted)
INSERT INTO bridge.dead_letter AS l
    (instance_id, tenant_id, direction, entity, record_id, field, version, code, message, value, attempts)
SELECT %(instance)s, k.tenant_id, %(direction)s, k.entity, k.record_id::text, k.field, k.version, k.code, k.message,
       k.value, k.attempts
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(versions)s::text[],
            %(codes)s::text[], %(messages)s::text[], %(values)s::text[], %(attempts)s::int[])
    AS k (tenant_id, entity, record_id, field, version, code, message, value, attempts)
ORDER BY k.tenant_id, k.entity, k.record_id, k.field
ON CONFLICT (instance_id, tenant_id, direction, entity, record_id, field) DO UPDATE
SET version = EXCLUDED.version, code = EXCLUDED.code, message = EXCLUDED.message, value = EXCLUDED.value,
    attempts = l.attempts + 1, last_at = now(),
    first_at = CASE WHEN l.resolved_at IS NULL THEN l.first_at ELSE now() END, resolved_at = NULL
RETURNING l.tenant_id, l.id

-- name: resolve (of records that went through, except for the fields that stayed behind)
UPDATE bridge.dead_letter AS l
SET resolved_at = now()
WHERE l.resolved_at IS NULL
  AND l.id = ANY (ARRAY(
      SELECT l.id
      FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
      CROSS JOIN LATERAL (
          SELECT id FROM bridge.dead_letter AS l
          WHERE l.instance_id = %(instance)s AND l.tenant_id = k.tenant_id AND l.direction = %(direction)s
            AND l.entity = k.entity AND l.record_id = k.record_id::text AND l.resolved_at IS NULL
          OFFSET 0) AS l))
  -- A row under a foreign tenant is never read, so that it seems to be gone: only its arrival ends that letter.
  AND (l.code <> 'foreign_tenant' OR EXISTS (
      SELECT 1
      FROM bridge.binding AS b
      WHERE (b.instance_id, b.tenant_id, b.entity, b.record_id::text)
          = (l.instance_id, l.tenant_id, l.entity, l.record_id)))
  AND NOT EXISTS (
      SELECT 1
      FROM unnest(%(kept_tenants)s::uuid[], %(kept_entities)s::text[], %(kept_ids)s::uuid[], %(kept_fields)s::text[])
          AS kept (tenant_id, entity, record_id, field)
      WHERE (l.tenant_id, l.entity, l.record_id, l.field)
          = (kept.tenant_id, kept.entity, kept.record_id::text, kept.field))
RETURNING l.tenant_id, l.id

-- name: park_message (messages that nobody can read: one letter per code, tenant and hour, which counts them; Odoo is told
-- of the first, the tenth, the hundredth; a tenant that nobody knows is nobody's)
WITH raised AS (
    INSERT INTO bridge.dead_letter AS l
        (instance_id, tenant_id, direction, entity, record_id, field, code, message, value)
    VALUES (%(instance)s,
            coalesce((SELECT tenant_id FROM bridge.tenant WHERE tenant_id = %(tenant)s),
                     '00000000-0000-0000-0000-000000000000'),
            'app_to_odoo', 'message',
            md5(%(code)s || to_char(now() AT TIME ZONE 'UTC', ' YYYY-MM-DD HH24')), '', %(code)s, %(message)s, %(value)s)
    ON CONFLICT (instance_id, tenant_id, direction, entity, record_id, field) DO UPDATE
    SET message = EXCLUDED.message, value = EXCLUDED.value, last_at = now(), attempts = l.attempts + 1,
        resolved_at = NULL
    RETURNING tenant_id, id, attempts
)
SELECT tenant_id, id FROM raised WHERE log(attempts) = trunc(log(attempts))
