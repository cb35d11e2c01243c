-- name: lock (one pusher at a time weighs one kind of a tenant's records; in order, so that two never wait for each other)
SELECT pg_advisory_xact_lock(360361, hashtext(concat_ws(' ', %(instance)s, k.tenant_id, k.entity)))
FROM (SELECT tenant_id, entity FROM unnest(%(tenants)s::uuid[], %(entities)s::text[]) AS g (tenant_id, entity)
      ORDER BY tenant_id, entity) AS k

-- name: tally (a stop is in force while it holds something, and for one window at least; records in Odoo are counted no
-- further than the share of the lost ones can matter)
SELECT g.tenant_id, g.entity, passed.records,
       (SELECT count(*) FROM (
           SELECT FROM bridge.binding AS b
           -- in the order of the one index that is for it, so that no estimate chooses another
           WHERE (b.instance_id, b.tenant_id, b.entity) >= (%(instance)s, g.tenant_id, g.entity)
             AND (b.instance_id, b.tenant_id, b.entity) <= (%(instance)s, g.tenant_id, g.entity)
             AND b.state = 'active'
           ORDER BY b.instance_id, b.tenant_id, b.entity, b.record_id
           LIMIT (passed.records + g.lost) * 100 / g.percent + 1) AS bound),
       EXISTS (SELECT FROM bridge.reconcile_request AS r
               JOIN bridge.tenant AS t USING (schema_name)
               WHERE t.tenant_id = g.tenant_id AND r.entity = g.entity AND r.reason = 'truncate'
                 AND (r.done_at IS NULL OR r.requested_at > now() - g.seconds * interval '1 second')),
       (SELECT e.id FROM bridge.brake AS e
        WHERE e.instance_id = %(instance)s AND e.tenant_id = g.tenant_id AND e.entity = g.entity
          AND e.state = 'engaged'
          AND (e.engaged_at > now() - g.seconds * interval '1 second'
               OR EXISTS (SELECT FROM bridge.brake_held AS h
                          JOIN bridge.delivery AS d
                              ON (d.instance_id, d.tenant_id, d.entity, d.record_id)
                               = (e.instance_id, e.tenant_id, e.entity, h.record_id)
                          WHERE h.brake_id = e.id AND d.due_at = 'infinity'))),
       (SELECT coalesce(max(e.until_version), 0) FROM bridge.brake AS e
        WHERE e.instance_id = %(instance)s AND e.tenant_id = g.tenant_id AND e.entity = g.entity
          AND e.state = 'released'),
       (SELECT coalesce(max(e.until_version), 0) FROM bridge.brake AS e
        WHERE e.instance_id = %(instance)s AND e.tenant_id = g.tenant_id AND e.entity = g.entity
          AND e.state = 'rejected'),
       (SELECT coalesce(array_agg(h.record_id), '{}') FROM bridge.brake_held AS h
        JOIN bridge.brake AS e ON e.id = h.brake_id
        WHERE e.instance_id = %(instance)s AND e.tenant_id = g.tenant_id AND e.entity = g.entity
          AND e.state = 'released' AND e.until_version = 0 AND e.decided_at > now() - interval '1 day'
          AND h.record_id = ANY (%(ids)s::uuid[]))
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(losts)s::int[], %(percents)s::int[], %(seconds)s::float[])
    AS g (tenant_id, entity, lost, percent, seconds)
CROSS JOIN LATERAL (
    SELECT count(*) AS records FROM bridge.brake_passed AS p
    WHERE p.instance_id = %(instance)s AND p.tenant_id = g.tenant_id AND p.entity = g.entity
      AND p.at > now() - g.seconds * interval '1 second' AND p.record_id <> ALL (%(ids)s::uuid[])) AS passed

-- name: forget_passed (older than the longest window)
DELETE FROM bridge.brake_passed AS p
USING (SELECT DISTINCT tenant_id, entity FROM unnest(%(tenants)s::uuid[], %(entities)s::text[]) AS g (tenant_id, entity)) AS k
WHERE (p.instance_id, p.tenant_id, p.entity) = (%(instance)s, k.tenant_id, k.entity) AND p.at < now() - interval '1 day'

-- name: pass
INSERT INTO bridge.brake_passed (instance_id, tenant_id, entity, record_id)
SELECT %(instance)s, k.tenant_id, k.entity, k.record_id
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
ORDER BY k.tenant_id, k.entity, k.record_id
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE SET at = now()

-- name: lapse_idle (stops that held something and hold nothing any more: the app took it back; with their letters)
WITH idle AS (
    UPDATE bridge.brake AS e SET state = 'lapsed', decided_at = now()
    WHERE e.instance_id = %(instance)s AND e.state = 'engaged' AND e.engaged_at < now() - interval '1 minute'
      AND NOT EXISTS (SELECT FROM bridge.brake_held AS h
                      JOIN bridge.delivery AS d
                          ON (d.instance_id, d.tenant_id, d.entity, d.record_id)
                           = (e.instance_id, e.tenant_id, e.entity, h.record_id)
                      WHERE h.brake_id = e.id)
    RETURNING e.instance_id, e.tenant_id, e.entity, e.id
)
UPDATE bridge.dead_letter AS l
SET resolved_at = now()
FROM idle AS e
WHERE l.resolved_at IS NULL AND l.code = 'brake'
  AND (l.instance_id, l.tenant_id, l.direction, l.entity, l.record_id)
    = (e.instance_id, e.tenant_id, 'app_to_odoo', e.entity, e.id::text)
RETURNING l.tenant_id, l.id

-- name: lapse (a stop that is not in force any more makes way)
UPDATE bridge.brake SET state = 'lapsed', decided_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND state = 'engaged'

-- name: engage
INSERT INTO bridge.brake (instance_id, tenant_id, entity, reason)
VALUES (%(instance)s, %(tenant)s, %(entity)s, %(reason)s)
RETURNING id

-- name: hold (they stay owed, and are due when a person has decided or the app changes them again)
WITH held AS (
    SELECT e.id AS brake_id, k.tenant_id, k.entity, k.record_id, k.version, k.ends, k.changes
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[], %(ends)s::boolean[],
                %(changes)s::jsonb[]) AS k (tenant_id, entity, record_id, version, ends, changes)
    JOIN bridge.brake AS e
        ON (e.instance_id, e.tenant_id, e.entity, e.state) = (%(instance)s, k.tenant_id, k.entity, 'engaged')
), noted AS (
    INSERT INTO bridge.brake_held (brake_id, record_id, version, ends, changes)
    SELECT brake_id, record_id, version, ends, changes FROM held ORDER BY brake_id, record_id
    ON CONFLICT (brake_id, record_id) DO UPDATE
    SET version = EXCLUDED.version, ends = EXCLUDED.ends, changes = EXCLUDED.changes
)
UPDATE bridge.delivery AS d
SET published_at = NULL, attempts = CASE WHEN d.version = held.version THEN d.attempts ELSE 0 END,
    due_at = CASE WHEN d.version = held.version THEN 'infinity' ELSE now() END,
    last_error = format('the brake holds it: c360 brake show %%s', left(held.brake_id::text, 8))
FROM held
WHERE (d.instance_id, d.tenant_id, d.entity, d.record_id)
    = (%(instance)s, held.tenant_id, held.entity, held.record_id)

-- name: drop (rejected by a person; what changed since is offered again at once)
WITH dropped AS (
    SELECT tenant_id, entity, record_id, version
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[])
        AS k (tenant_id, entity, record_id, version)
), renewed AS (
    UPDATE bridge.delivery AS d
    SET published_at = NULL, due_at = now(), attempts = 0
    FROM dropped AS k
    WHERE (d.instance_id, d.tenant_id, d.entity, d.record_id) = (%(instance)s, k.tenant_id, k.entity, k.record_id)
      AND d.version <> k.version
)
DELETE FROM bridge.delivery AS d
USING dropped AS k
WHERE (d.instance_id, d.tenant_id, d.entity, d.record_id, d.version)
    = (%(instance)s, k.tenant_id, k.entity, k.record_id, k.version)

-- name: note_rejected (what a person had rejected before it was held belongs to that stop)
INSERT INTO bridge.brake_held (brake_id, record_id, version, ends, changes)
SELECT e.id, k.record_id, k.version, k.ends, k.changes
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[], %(ends)s::boolean[],
            %(changes)s::jsonb[]) AS k (tenant_id, entity, record_id, version, ends, changes)
CROSS JOIN LATERAL (
    SELECT id FROM bridge.brake
    WHERE (instance_id, tenant_id, entity, state) = (%(instance)s, k.tenant_id, k.entity, 'rejected')
    ORDER BY until_version DESC LIMIT 1) AS e
ON CONFLICT (brake_id, record_id) DO NOTHING
