-- name: bound_ids
SELECT record_id AS id FROM bridge.binding AS b
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s
  AND NOT EXISTS (SELECT FROM bridge.erased AS e
                  WHERE (e.tenant_id, e.entity, e.record_id) = (b.tenant_id, b.entity, b.record_id))
  AND (%(after)s::uuid IS NULL OR record_id > %(after)s::uuid)
  AND (%(until)s::uuid IS NULL OR record_id <= %(until)s::uuid)
ORDER BY record_id
LIMIT %(limit)s

-- name: waiting (marked, or owed and not dead; what ends and is held by the brake is compared all the same)
SELECT k.record_id
FROM unnest(%(ids)s::uuid[]) AS k (record_id)
WHERE EXISTS (SELECT FROM bridge.outbox AS o
              WHERE o.tenant_id = %(tenant)s AND o.entity = %(entity)s AND k.record_id = ANY (o.record_ids))
   OR EXISTS (SELECT FROM bridge.delivery AS d
              WHERE d.instance_id = %(instance)s AND d.tenant_id = %(tenant)s AND d.entity = %(entity)s
                AND d.record_id = k.record_id AND d.dead_version IS DISTINCT FROM d.version
                AND NOT (d.due_at = 'infinity' AND EXISTS (
                    SELECT FROM bridge.brake_held AS h
                    WHERE h.record_id = d.record_id AND h.version = d.version AND h.ends)))

-- name: parked (a dead letter or a conflict shows the record to a person, or one rejected its last change)
SELECT k.record_id
FROM unnest(%(ids)s::uuid[]) AS k (record_id)
WHERE EXISTS (SELECT FROM bridge.dead_letter AS l
              WHERE l.instance_id = %(instance)s AND l.tenant_id = %(tenant)s AND l.entity = %(entity)s
                AND l.record_id = k.record_id::text AND l.resolved_at IS NULL)
   OR EXISTS (SELECT FROM bridge.conflict AS c
              WHERE c.instance_id = %(instance)s AND c.tenant_id = %(tenant)s AND c.entity = %(entity)s
                AND c.record_id = k.record_id AND c.state = 'open')
   OR EXISTS (SELECT FROM bridge.brake_held AS h
              JOIN bridge.brake AS e ON e.id = h.brake_id
              LEFT JOIN bridge.binding AS b
                  ON (b.instance_id, b.tenant_id, b.entity, b.record_id)
                   = (e.instance_id, e.tenant_id, e.entity, h.record_id)
              WHERE e.instance_id = %(instance)s AND e.tenant_id = %(tenant)s AND e.entity = %(entity)s
                AND e.state = 'rejected' AND h.record_id = k.record_id AND h.version > coalesce(b.version, 0))

-- name: discarded (a person closed the record's dead letter without sending it)
SELECT k.record_id
FROM unnest(%(ids)s::uuid[]) AS k (record_id)
WHERE EXISTS (SELECT FROM bridge.dead_letter AS l
              JOIN bridge.ledger AS g
                  ON (g.tenant_id, g.entity, g.record_id::text, g.action) = (l.tenant_id, l.entity, l.record_id, 'discarded')
                 -- one transaction, one time
                 AND g.at = l.resolved_at
              WHERE l.instance_id = %(instance)s AND l.tenant_id = %(tenant)s AND l.entity = %(entity)s
                AND l.direction IN ('app_to_odoo', 'odoo_to_app') AND l.record_id = k.record_id::text)

-- name: merged (records that share Odoo's with a merged one, each with the id that stands for all of them: the survivor's
-- own, or the smallest, where the app has no survivor)
WITH alias AS (
    SELECT entity, res_model, res_id, min(record_id::text)::uuid AS smallest
    FROM bridge.binding
    WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND state = 'alias'
    GROUP BY entity, res_model, res_id
)
SELECT own.entity, own.record_id, coalesce(survivor.record_id, alias.smallest)
FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
JOIN bridge.binding AS own
    ON (own.instance_id, own.tenant_id, own.entity, own.record_id) = (%(instance)s, %(tenant)s, k.entity, k.record_id)
JOIN alias ON (alias.entity, alias.res_model, alias.res_id) = (own.entity, own.res_model, own.res_id)
LEFT JOIN bridge.binding AS survivor
    ON (survivor.instance_id, survivor.res_model, survivor.res_id, survivor.state)
     = (%(instance)s, own.res_model, own.res_id, 'active')
   AND (survivor.tenant_id, survivor.entity) = (%(tenant)s, own.entity)
WHERE own.state IN ('active', 'alias')

-- name: invoices (what the app reads of them)
SELECT i.id, to_jsonb(i)
FROM bridge.invoice AS i
WHERE i.instance_id = %(instance)s AND i.tenant_id = %(tenant)s AND i.id = ANY(%(ids)s::uuid[])

-- name: forget_digests (what was sent last is compared with nothing: the records go once more)
UPDATE bridge.binding AS b
SET digest = ''
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
WHERE b.instance_id = %(instance)s
  AND (b.tenant_id, b.entity, b.record_id) = (k.tenant_id, k.entity, k.record_id)

-- name: rebind (as Odoo has it; where another record still claims that one, the comparison after the next finds it)
WITH pair AS (
    SELECT tenant_id, entity, record_id, model, res_id
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(models)s::text[], %(res_ids)s::int[])
        AS k (tenant_id, entity, record_id, model, res_id)
)
INSERT INTO bridge.binding AS b
    (instance_id, tenant_id, entity, record_id, res_model, res_id, odoo_epoch)
SELECT i.id, p.tenant_id, p.entity, p.record_id, p.model, p.res_id, i.epoch
FROM pair AS p
JOIN bridge.odoo_instance AS i ON i.id = %(instance)s
WHERE NOT EXISTS (SELECT FROM bridge.binding AS other
                  WHERE other.instance_id = i.id AND other.state = 'active'
                    AND (other.res_model, other.res_id) = (p.model, p.res_id)
                    AND (other.tenant_id, other.entity, other.record_id) <> (p.tenant_id, p.entity, p.record_id))
ORDER BY p.tenant_id, p.entity, p.record_id
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE
SET res_model = EXCLUDED.res_model, res_id = EXCLUDED.res_id, state = 'active', digest = '', synced_at = now()

-- name: forget_bindings (neither side has the record any more)
DELETE FROM bridge.binding AS b
USING unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
WHERE b.instance_id = %(instance)s
  AND (b.tenant_id, b.entity, b.record_id) = (k.tenant_id, k.entity, k.record_id)

-- name: requests (open ones of attached tenants, by what is to be compared)
SELECT r.id, t.tenant_id, r.entity
FROM bridge.reconcile_request AS r
JOIN bridge.tenant AS t USING (schema_name)
WHERE r.done_at IS NULL AND t.instance_id = %(instance)s AND t.state = 'active'
  -- what was marked with it goes first, or is held by the brake; a busy kind of records does not keep it for ever
  AND (r.requested_at < now() - interval '20 seconds'
       OR NOT EXISTS (SELECT FROM bridge.outbox AS o
                      WHERE o.tenant_id = t.tenant_id AND o.entity = r.entity AND o.marked_at <= r.requested_at)
          AND NOT EXISTS (SELECT FROM bridge.delivery AS d
                          WHERE d.instance_id = t.instance_id AND d.tenant_id = t.tenant_id AND d.entity = r.entity
                            AND d.marked_at <= r.requested_at AND d.due_at <> 'infinity'
                            AND d.dead_version IS DISTINCT FROM d.version))
ORDER BY r.id

-- name: close_requests (also those that came before the comparison began)
UPDATE bridge.reconcile_request SET done_at = now() WHERE id = ANY(%(ids)s::bigint[]) AND done_at IS NULL

-- name: begin_run
INSERT INTO bridge.run (id, service, host, pid) VALUES (%(run)s, %(service)s, %(host)s, %(pid)s)

-- name: finish_run
UPDATE bridge.run SET finished_at = now() WHERE id = %(run)s

-- name: is_due (the newest comparison was not finished, or began that long ago; a new installation counts as compared)
SELECT coalesce((SELECT finished_at IS NULL OR started_at <= now() - %(interval)s::interval
                 FROM bridge.run WHERE service = %(service)s ORDER BY started_at DESC LIMIT 1),
                (SELECT created_at <= now() - %(interval)s::interval FROM bridge.installation))

-- name: and_quiet (a part of a statement: nothing of the record waits, and nothing shows it to a person)
AND NOT EXISTS (SELECT FROM bridge.delivery AS d
                WHERE d.instance_id = b.instance_id AND d.tenant_id = b.tenant_id AND d.entity = b.entity
                  AND d.record_id = b.record_id)
AND f.id NOT IN (SELECT unnest(o.record_ids) FROM bridge.outbox AS o
                 WHERE o.tenant_id = %(tenant)s AND o.entity = %(entity)s)
AND f.id::text NOT IN (SELECT l.record_id FROM bridge.dead_letter AS l
                       WHERE l.instance_id = %(instance)s AND l.tenant_id = %(tenant)s AND l.entity = %(entity)s
                         AND l.resolved_at IS NULL)
AND f.id NOT IN (SELECT c.record_id FROM bridge.conflict AS c
                 WHERE c.instance_id = %(instance)s AND c.tenant_id = %(tenant)s AND c.entity = %(entity)s
                   AND c.state = 'open')

-- name: remember
WITH found AS (
    SELECT record_id, digest, fingerprint
    FROM unnest(%(ids)s::uuid[], %(digests)s::text[], %(fingerprints)s::text[]) AS k (record_id, digest, fingerprint)
), free AS (
    SELECT b.id, f.digest, f.fingerprint
    FROM bridge.binding AS b
    JOIN found AS f ON b.record_id = f.record_id
    WHERE (b.instance_id, b.tenant_id, b.entity) = (%(instance)s, %(tenant)s, %(entity)s)
    FOR NO KEY UPDATE OF b SKIP LOCKED
)
UPDATE bridge.binding AS b
SET compared_digest = free.digest, compared_from = free.fingerprint
FROM free
WHERE b.id = free.id

-- name: state
SELECT state FROM bridge.tenant WHERE tenant_id = %(tenant)s
