-- Each key is looked up in the primary key, alone (LATERAL ... OFFSET 0): VACUUM finds an empty queue, and a planner that
-- believes in it would compare every key with every row. Rows are locked by one statement and written by the next in
-- their places: who waited for a lock sees in its own statement only where the row was before.

-- name: lock_deliveries (in key order; rows another pusher settles right now stay owed)
SELECT d.tenant_id, d.entity, d.record_id, d.version, d.attempts
FROM (SELECT * FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
      ORDER BY tenant_id, entity, record_id) AS k
CROSS JOIN LATERAL (
    SELECT * FROM bridge.delivery AS d
    WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
      AND d.record_id = k.record_id
    OFFSET 0
    FOR UPDATE SKIP LOCKED) AS d

-- name: lock_renamed (one that another pusher hands over right now is waited for: their order counts)
SELECT id FROM bridge.renamed_record WHERE id = %(number)s FOR UPDATE

-- name: rename (everything that names the record by its former id; what was done stays under the name of its time)
WITH binding AS (
    UPDATE bridge.binding SET record_id = %(present)s, compared_digest = NULL
    WHERE instance_id = %(instance)s AND (tenant_id, entity, record_id) = (%(tenant)s, %(entity)s, %(former)s)
), base AS (
    UPDATE bridge.base_value SET record_id = %(present)s
    WHERE instance_id = %(instance)s AND (tenant_id, entity, record_id) = (%(tenant)s, %(entity)s, %(former)s)
), conflict AS (
    UPDATE bridge.conflict SET record_id = %(present)s
    WHERE instance_id = %(instance)s AND (tenant_id, entity, record_id) = (%(tenant)s, %(entity)s, %(former)s)
), letter AS (
    UPDATE bridge.dead_letter AS l SET record_id = %(present)s::text
    WHERE l.instance_id = %(instance)s AND (l.tenant_id, l.entity, l.record_id) = (%(tenant)s, %(entity)s, %(former)s::text)
      AND NOT EXISTS (SELECT FROM bridge.dead_letter AS other
                      WHERE (other.instance_id, other.tenant_id, other.direction, other.entity, other.record_id, other.field)
                          = (l.instance_id, l.tenant_id, l.direction, l.entity, %(present)s::text, l.field))
), content AS (
    UPDATE bridge.content SET document_id = %(present)s
    WHERE (tenant_id, document_id) = (%(tenant)s, %(former)s) AND %(entity)s = 'document'
), link AS (
    UPDATE bridge.user_link SET user_id = %(present)s
    WHERE instance_id = %(instance)s AND (tenant_id, user_id) = (%(tenant)s, %(former)s) AND %(entity)s = 'user'
), outcome AS (
    UPDATE bridge.lead_outcome SET registration_id = %(present)s
    WHERE instance_id = %(instance)s AND (tenant_id, registration_id) = (%(tenant)s, %(former)s)
      AND %(entity)s = 'registration'
), invoice AS (
    UPDATE bridge.invoice
    SET registration_id = CASE WHEN registration_id = %(former)s THEN %(present)s ELSE registration_id END,
        client_id = CASE WHEN client_id = %(former)s THEN %(present)s ELSE client_id END
    WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND %(former)s IN (registration_id, client_id)
)
DELETE FROM bridge.delivery
WHERE instance_id = %(instance)s AND (tenant_id, entity, record_id) = (%(tenant)s, %(entity)s, %(former)s)

-- name: forget_renamed
DELETE FROM bridge.renamed_record WHERE id = %(number)s

-- name: begin_pairs
SAVEPOINT pairs

-- name: end_pairs
RELEASE SAVEPOINT pairs

-- name: undo_pairs
ROLLBACK TO SAVEPOINT pairs;
RELEASE SAVEPOINT pairs

-- name: displace (bindings of other records to the records of Odoo that these are bound to now)
DELETE FROM bridge.binding AS b
WHERE b.id = ANY (ARRAY(
    SELECT other.id
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(models)s::text[], %(res_ids)s::int[])
        AS k (tenant_id, entity, record_id, model, res_id)
    CROSS JOIN LATERAL (
        SELECT * FROM bridge.binding AS b
        WHERE b.instance_id = %(instance)s AND b.state = 'active' AND b.res_model = k.model AND b.res_id = k.res_id
        OFFSET 0) AS other
    WHERE (other.tenant_id, other.entity, other.record_id) <> (k.tenant_id, k.entity, k.record_id)))
  AND b.state = 'active'
RETURNING b.tenant_id, b.entity, b.record_id

-- name: lock_bindings (their states, and the last changes in Odoo that were taken in)
SELECT b.tenant_id, b.entity, b.record_id, b.state,
       CASE b.odoo_version WHEN 0 THEN 0 ELSE b.odoo_epoch END, b.odoo_version
FROM (SELECT * FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
      ORDER BY tenant_id, entity, record_id) AS k
CROSS JOIN LATERAL (
    SELECT * FROM bridge.binding AS b
    WHERE b.instance_id = %(instance)s AND b.tenant_id = k.tenant_id AND b.entity = k.entity
      AND b.record_id = k.record_id
    OFFSET 0
    FOR UPDATE) AS b

-- name: bind (a new pair begins in Odoo's present epoch)
INSERT INTO bridge.binding AS b
    (instance_id, tenant_id, entity, record_id, res_model, res_id, state, epoch, version, digest, odoo_epoch,
     synced_at, outline)
SELECT %(instance)s, k.tenant_id, k.entity, k.record_id, k.model, k.res_id, k.state, k.epoch, k.version, k.digest,
       (SELECT epoch FROM bridge.odoo_instance WHERE id = %(instance)s), now(), k.outline
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(models)s::text[], %(res_ids)s::int[],
            %(epochs)s::int[], %(versions)s::bigint[], %(digests)s::text[], %(states)s::text[], %(outlines)s::text[])
    AS k (tenant_id, entity, record_id, model, res_id, epoch, version, digest, state, outline)
ORDER BY k.tenant_id, k.entity, k.record_id
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE
SET res_model = EXCLUDED.res_model, res_id = EXCLUDED.res_id, state = EXCLUDED.state, epoch = EXCLUDED.epoch,
    version = EXCLUDED.version, digest = EXCLUDED.digest, synced_at = now(), outline = EXCLUDED.outline
WHERE (b.epoch, b.version) <= (EXCLUDED.epoch, EXCLUDED.version)

-- name: learn (unless a pusher that got the answer was faster; it begins in Odoo's present epoch like any new pair)
INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id, state, odoo_epoch)
SELECT id, %(tenant)s, %(entity)s, %(id)s, %(model)s, %(res_id)s, %(state)s, epoch
FROM bridge.odoo_instance
WHERE id = %(instance)s
ON CONFLICT DO NOTHING

-- name: keep_bases_sent_over (a late answer does not replace a newer base; the bindings are locked)
INSERT INTO bridge.base_value (instance_id, tenant_id, entity, record_id, field, app_value, odoo_value)
SELECT %(instance)s, k.tenant_id, k.entity, k.record_id, k.field, k.app_value, k.odoo_value
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(app)s::text[],
            %(odoo)s::text[], %(sent_over)s::text[]) AS k (tenant_id, entity, record_id, field, app_value, odoo_value, sent_over)
LEFT JOIN LATERAL (
    SELECT * FROM bridge.base_value AS v
    WHERE v.instance_id = %(instance)s AND v.tenant_id = k.tenant_id AND v.entity = k.entity
      AND v.record_id = k.record_id AND v.field = k.field
    OFFSET 0) AS v ON true
WHERE v.field IS NULL OR v.odoo_value IS NOT DISTINCT FROM k.sent_over
ORDER BY k.tenant_id, k.entity, k.record_id, k.field
ON CONFLICT (instance_id, tenant_id, entity, record_id, field) DO UPDATE
SET app_value = EXCLUDED.app_value, odoo_value = EXCLUDED.odoo_value

-- name: newest_invoices (of these registrations, as the app's rows name them)
SELECT registration_id, max(odoo_id)
FROM bridge.invoice
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND registration_id = ANY(%(ids)s::uuid[])
  AND kind = 'invoice' AND state IN ('draft', 'posted') AND NOT of_former_odoo
GROUP BY registration_id

-- name: discharge (what was settled at the version that is still owed)
DELETE FROM bridge.delivery AS d
WHERE d.ctid = ANY (ARRAY(
    SELECT d.place
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[])
        AS k (tenant_id, entity, record_id, version)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM bridge.delivery AS d
        WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
          AND d.record_id = k.record_id
        OFFSET 0) AS d
    WHERE d.version = k.version))

-- name: republish (changed meanwhile: offered again at once)
UPDATE bridge.delivery AS d
SET published_at = NULL, due_at = now(), attempts = 0
WHERE d.ctid = ANY (ARRAY(
    SELECT d.place
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[])
        AS k (tenant_id, entity, record_id, version)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM bridge.delivery AS d
        WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
          AND d.record_id = k.record_id
        OFFSET 0) AS d
    WHERE d.version <> k.version))

-- name: postpone
UPDATE bridge.delivery AS d
SET published_at = NULL, due_at = now() + k.pause * interval '1 second', last_error = k.message
FROM (
    SELECT d.place, k.pause, k.message
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[], %(pauses)s::float[],
                %(messages)s::text[]) AS k (tenant_id, entity, record_id, version, pause, message)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM bridge.delivery AS d
        WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
          AND d.record_id = k.record_id
        OFFSET 0) AS d
    WHERE d.version = k.version
    OFFSET 0) AS k
WHERE d.ctid = k.place

-- name: mark_dead
UPDATE bridge.delivery AS d
SET published_at = NULL, dead_version = d.version, last_error = k.message
FROM (
    SELECT d.place, k.message
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(versions)s::bigint[],
                %(messages)s::text[]) AS k (tenant_id, entity, record_id, version, message)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM bridge.delivery AS d
        WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
          AND d.record_id = k.record_id
        OFFSET 0) AS d
    WHERE d.version = k.version
    OFFSET 0) AS k
WHERE d.ctid = k.place

-- name: writing_snapshots
SELECT bridge.writing_snapshots(%(schema)s)

-- name: waiting_since (records owed for less than the patience)
SELECT record_id
FROM bridge.delivery
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s
  AND record_id = ANY(%(ids)s::uuid[])
  AND marked_at > now() - %(patience)s

-- name: limit_waiting (for tables that a tenant's app has locked: other tenants are settled in the same transaction)
SET LOCAL lock_timeout = '1s'

-- name: lost_tables (those that have another name by now, or are gone)
SELECT format('%%I.%%I', k.schema_name, k.table_name)
FROM unnest(%(schemas)s::text[], %(tables)s::text[]) AS k (schema_name, table_name)
WHERE to_regclass(format('%%I.%%I', k.schema_name, k.table_name)) IS NULL
