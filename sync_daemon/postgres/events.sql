-- name: announce (events in the order given, in the transaction of what they tell)
INSERT INTO bridge.event (instance_id, tenant_id, type, subject, occurred_at, data)
SELECT %(instance)s, %(tenant)s, e.type, e.subject, coalesce(e.at::timestamp AT TIME ZONE 'UTC', now()), e.data::jsonb
FROM unnest(%(types)s::text[], %(subjects)s::text[], %(times)s::text[], %(data)s::text[])
     WITH ORDINALITY AS e (type, subject, at, data, place)
ORDER BY e.place

-- name: has_waiting
SELECT EXISTS (SELECT 1 FROM bridge.event WHERE published_at IS NULL)

-- name: waiting (what is not published yet, in order)
SELECT position, id, instance_id, tenant_id, type, subject, occurred_at, data
FROM bridge.event
WHERE published_at IS NULL
ORDER BY position
LIMIT %(limit)s

-- name: published
UPDATE bridge.event SET published_at = now()
WHERE position = ANY(%(positions)s::bigint[]) AND published_at IS NULL

-- name: forget (published long ago; another one that does the same takes the next ones)
DELETE FROM bridge.event
WHERE id IN (
    SELECT id FROM bridge.event
    WHERE published_at < now() - %(age)s
    ORDER BY published_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)

-- name: backlog
SELECT waiting, oldest FROM bridge.monitor_events
