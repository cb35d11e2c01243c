-- name: stops (engaged ones that hold or may hold something first; `held` counts what is still owed because of it)
SELECT e.id, e.tenant_id, coalesce(t.subdomain, e.tenant_id::text), e.entity, e.state, e.reason, e.engaged_at,
       e.decided_by, e.decided_at,
       (SELECT count(*) FROM bridge.brake_held AS h
        JOIN bridge.delivery AS d
            ON (d.instance_id, d.tenant_id, d.entity, d.record_id)
             = (e.instance_id, e.tenant_id, e.entity, h.record_id)
        WHERE h.brake_id = e.id AND d.due_at = 'infinity'),
       (SELECT count(*) FROM bridge.brake_held AS h WHERE h.brake_id = e.id)
FROM bridge.brake AS e
LEFT JOIN public.tenants AS t ON t.id = e.tenant_id
WHERE e.instance_id = %(instance)s AND (%(closed)s OR e.state = 'engaged')
  AND (%(tenant)s::text IS NULL OR t.subdomain = %(tenant)s::text OR e.tenant_id::text = %(tenant)s::text)
ORDER BY e.engaged_at, e.id

-- name: fields (what a stop's records would lose: how many, by field and new value)
SELECT c.field, c.new, count(*)
FROM bridge.brake_held AS h
CROSS JOIN LATERAL jsonb_to_recordset(h.changes) AS c (field text, new text)
WHERE h.brake_id = %(id)s
GROUP BY c.field, c.new
ORDER BY count(*) DESC, c.field, c.new

-- name: records (of a stop, in order of their ids)
SELECT h.record_id, h.changes
FROM bridge.brake_held AS h
WHERE h.brake_id = %(id)s
ORDER BY h.record_id
LIMIT %(limit)s

-- name: decide (nobody else decided meanwhile; what is owed by now is decided too)
UPDATE bridge.brake
SET state = %(state)s, decided_by = %(by)s, decided_at = now(), until_version = nextval('bridge.version_seq')
WHERE id = %(id)s AND state = 'engaged'
RETURNING until_version

-- name: free (what the stop held is due again)
UPDATE bridge.delivery AS d
SET due_at = now(), attempts = 0, last_error = ''
FROM bridge.brake_held AS h
JOIN bridge.brake AS e ON e.id = h.brake_id
WHERE h.brake_id = %(id)s AND d.due_at = 'infinity'
  AND (d.instance_id, d.tenant_id, d.entity, d.record_id) = (e.instance_id, e.tenant_id, e.entity, h.record_id)
RETURNING d.record_id

-- name: drop (what the stop held is owed no more)
DELETE FROM bridge.delivery AS d
USING bridge.brake_held AS h
JOIN bridge.brake AS e ON e.id = h.brake_id
WHERE h.brake_id = %(id)s AND d.due_at = 'infinity'
  AND (d.instance_id, d.tenant_id, d.entity, d.record_id) = (e.instance_id, e.tenant_id, e.entity, h.record_id)
RETURNING d.record_id

-- name: close_letter
UPDATE bridge.dead_letter AS l
SET resolved_at = now()
FROM bridge.brake AS e
WHERE e.id = %(id)s AND l.resolved_at IS NULL AND l.code = 'brake'
  AND (l.instance_id, l.tenant_id, l.direction, l.entity, l.record_id)
    = (e.instance_id, e.tenant_id, 'app_to_odoo', e.entity, e.id::text)
RETURNING l.tenant_id, l.id

-- name: permit (records that a person lets go by name, held or not)
WITH permitted AS (
    INSERT INTO bridge.brake
        (instance_id, tenant_id, entity, state, reason, until_version, decided_by, decided_at)
    VALUES (%(instance)s, %(tenant)s, %(entity)s, 'released', %(reason)s, 0, %(by)s, now())
    RETURNING id
)
INSERT INTO bridge.brake_held (brake_id, record_id, version, ends, changes)
SELECT id, record_id, 0, true, '[{"field": "active", "new": ""}]'
FROM permitted CROSS JOIN unnest(%(ids)s::uuid[]) AS k (record_id)
ORDER BY record_id

-- name: audit
SELECT bridge.append_to_ledger(
           NULL, e.instance_id, 'app_to_odoo', array_agg(e.tenant_id), array_agg(e.entity), array_agg(k.record_id),
           array_agg(%(action)s::text), array_agg(''::text), array_agg(%(detail)s::jsonb))
FROM bridge.brake AS e
CROSS JOIN unnest(%(records)s::text[]) AS k (record_id)
WHERE e.id = %(id)s
GROUP BY e.instance_id

-- name: holding (the stop that holds a record now)
SELECT e.id
FROM bridge.brake_held AS h
JOIN bridge.brake AS e ON e.id = h.brake_id
JOIN bridge.delivery AS d
    ON (d.instance_id, d.tenant_id, d.entity, d.record_id) = (e.instance_id, e.tenant_id, e.entity, h.record_id)
WHERE e.instance_id = %(instance)s AND e.tenant_id = %(tenant)s AND e.entity = %(entity)s
  AND h.record_id = %(id)s AND d.due_at = 'infinity'
