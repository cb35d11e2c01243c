-- name: forget_letters (closed ones that Odoo has taken, with the pairs of their issues; records' pairs are kept)
WITH old AS (
    SELECT l.instance_id, l.tenant_id, l.id
    FROM bridge.dead_letter AS l
    WHERE l.resolved_at < now() - %(age)s
      AND NOT EXISTS (SELECT FROM bridge.delivery AS d
                      WHERE d.instance_id = l.instance_id AND d.tenant_id = l.tenant_id AND d.entity = 'issue'
                        AND d.record_id = l.id)
    ORDER BY l.resolved_at
    LIMIT %(limit)s
    FOR UPDATE OF l SKIP LOCKED
), unbound AS (
    DELETE FROM bridge.binding AS b
    USING old
    WHERE b.instance_id = old.instance_id AND b.tenant_id = old.tenant_id AND b.entity = 'issue'
      AND b.record_id = old.id
)
DELETE FROM bridge.dead_letter AS l USING old WHERE l.id = old.id

-- name: count_letters
SELECT count(*) FROM bridge.dead_letter WHERE resolved_at < now() - %(age)s

-- name: forget_conflicts
DELETE FROM bridge.conflict
WHERE id IN (SELECT id FROM bridge.conflict WHERE state = 'resolved' AND resolved_at < now() - %(age)s LIMIT %(limit)s)

-- name: count_conflicts
SELECT count(*) FROM bridge.conflict WHERE state = 'resolved' AND resolved_at < now() - %(age)s

-- name: forget_runs (the newest of each service stays: it says when the next one is due)
DELETE FROM bridge.run
WHERE id IN (SELECT r.id FROM bridge.run AS r
             WHERE r.started_at < now() - %(age)s
               AND EXISTS (SELECT FROM bridge.run AS newer
                           WHERE newer.service = r.service AND newer.started_at > r.started_at)
             LIMIT %(limit)s)

-- name: count_runs
SELECT count(*) FROM bridge.run AS r
WHERE r.started_at < now() - %(age)s
  AND EXISTS (SELECT FROM bridge.run AS newer WHERE newer.service = r.service AND newer.started_at > r.started_at)

-- name: forget_requests
DELETE FROM bridge.reconcile_request
WHERE id IN (SELECT id FROM bridge.reconcile_request WHERE done_at < now() - %(age)s LIMIT %(limit)s)

-- name: count_requests
SELECT count(*) FROM bridge.reconcile_request WHERE done_at < now() - %(age)s

-- name: forget_backfills
DELETE FROM bridge.backfill
WHERE id IN (SELECT id FROM bridge.backfill WHERE finished_at < now() - %(age)s LIMIT %(limit)s)

-- name: count_backfills
SELECT count(*) FROM bridge.backfill WHERE finished_at < now() - %(age)s

-- name: forget_stops (what a person rejected still says why both sides differ)
DELETE FROM bridge.brake
WHERE id IN (SELECT id FROM bridge.brake
             WHERE state IN ('released', 'lapsed') AND decided_at < now() - %(age)s LIMIT %(limit)s)

-- name: count_stops
SELECT count(*) FROM bridge.brake WHERE state IN ('released', 'lapsed') AND decided_at < now() - %(age)s

-- name: ledger_months (partitions that end before what is kept; the present month is never among them)
SELECT to_date(substr(c.relname, 8), 'YYYY_MM')
FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'bridge.ledger'::regclass AND c.relname ~ '^ledger_[0-9]{4}_[0-9]{2}$'
  AND to_date(substr(c.relname, 8), 'YYYY_MM') < date_trunc('month', now() - %(months)s * interval '1 month')
ORDER BY 1
