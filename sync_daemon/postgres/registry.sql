-- name: level
SELECT version_num FROM bridge.schema_version

-- name: installation
SELECT id FROM bridge.installation

-- name: registered (every tenant that the app names, and what the bridge made of it; attaching that was cut short
-- before the records that were there had been marked begins anew)
SELECT t.id, t.subdomain, CASE WHEN t.deleted_at IS NULL THEN t.status ELSE 'deleted' END, s.schema_name, s.status, coalesce(b.state, ''),
       CASE WHEN b.queued_at IS NULL THEN 0 ELSE b.attach_level END,
       coalesce(b.tenant_digest, ''), md5(concat_ws('|', t.name, t.subdomain, t.status)), coalesce(b.problem, ''),
       coalesce(b.instance_id, '')
FROM public.tenants AS t
JOIN public.tenant_schemas AS s ON s.tenant_id = t.id
LEFT JOIN bridge.tenant AS b ON b.tenant_id = t.id
WHERE coalesce(b.selftest, false) = %(selftest)s
ORDER BY t.subdomain

-- name: follow_schemas
SELECT bridge.follow_schemas()

-- name: end_dropped (the app's registry and its schema are gone)
UPDATE bridge.tenant AS b SET state = 'deleted', updated_at = now()
WHERE b.state IN ('active', 'suspended') AND b.selftest = %(selftest)s
  AND NOT EXISTS (SELECT FROM public.tenants AS t WHERE t.id = b.tenant_id)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = b.schema_name)

-- name: set_state
UPDATE bridge.tenant SET state = %(state)s, updated_at = now()
WHERE tenant_id = %(tenant)s AND state <> %(state)s

-- name: set_digest
UPDATE bridge.tenant SET tenant_digest = %(digest)s WHERE tenant_id = %(tenant)s

-- name: see_instance (what Odoo says of itself; the first one to answer is the one)
UPDATE bridge.odoo_instance SET uuid = %(uuid)s, epoch = %(epoch)s
WHERE id = %(instance)s AND uuid = ''

-- name: odoo_reached (the epoch that was seen last, and the newest change of Odoo that was taken)
SELECT epoch, 0 FROM bridge.odoo_instance WHERE id = %(instance)s
UNION ALL
(SELECT odoo_epoch, odoo_version FROM bridge.binding
 WHERE instance_id = %(instance)s AND odoo_version > 0
 ORDER BY odoo_epoch DESC, odoo_version DESC
 LIMIT 1)

-- name: is_newer_epoch
SELECT EXISTS (SELECT FROM bridge.odoo_instance WHERE id = %(instance)s AND epoch < %(epoch)s)

-- name: see_epoch (a row only where it is a newer one)
UPDATE bridge.odoo_instance SET epoch = %(epoch)s WHERE id = %(instance)s AND epoch < %(epoch)s RETURNING epoch

-- name: uncompared (tenants and open issues, whose remembered digests are forgotten)
UPDATE bridge.binding AS b SET digest = ''
WHERE b.instance_id = %(instance)s
  AND (b.entity = 'tenant'
       OR (b.entity = 'issue'
           AND (b.tenant_id, b.record_id) IN (SELECT tenant_id, id FROM bridge.dead_letter WHERE resolved_at IS NULL)))
RETURNING b.tenant_id, b.entity, b.record_id

-- name: epochs
SELECT b.tenant_id, coalesce(t.subdomain, b.schema_name), b.epoch
FROM bridge.tenant AS b
LEFT JOIN public.tenants AS t ON t.id = b.tenant_id
WHERE b.selftest = %(selftest)s
ORDER BY 2

-- name: raise_epochs
UPDATE bridge.tenant SET epoch = %(epoch)s, updated_at = now()
WHERE epoch < %(epoch)s AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)
RETURNING tenant_id

-- name: instance_uuid
SELECT uuid FROM bridge.odoo_instance WHERE id = %(instance)s

-- name: is_bound
SELECT EXISTS (SELECT 1 FROM bridge.binding
               WHERE tenant_id = %(tenant)s AND entity = 'tenant' AND record_id = %(tenant)s AND state = 'active')

-- name: ensure_partitions (the ledger's, for this month and the next two)
SELECT bridge.ensure_ledger_partition((date_trunc('month', now()) + ahead * interval '1 month')::date)
FROM generate_series(0, 2) AS ahead

-- name: owed (per tenant, app to Odoo; marks that are not collected yet count once per record, while they are few; what
-- is more than `most` is not counted on)
WITH near AS MATERIALIZED (
    SELECT tenant_id, entity, record_ids, taken, marked_at,
           greatest((pg_column_size(record_ids) - 20) / 16 - taken, 0) AS ids
    FROM bridge.outbox
    ORDER BY id
    LIMIT %(most)s
), sizes AS (
    SELECT tenant_id, sum(ids) AS ids, min(marked_at) AS oldest FROM near GROUP BY tenant_id
), few AS (
    SELECT n.tenant_id, count(DISTINCT (n.entity, k.record_id)) AS owed
    FROM near AS n
    JOIN sizes AS s ON s.tenant_id = n.tenant_id AND s.ids <= %(most)s
    CROSS JOIN unnest(n.record_ids[n.taken + 1:]) AS k (record_id)
    GROUP BY n.tenant_id
), marks AS (
    SELECT s.tenant_id, s.oldest, coalesce(f.owed, s.ids) AS owed
    FROM sizes AS s
    LEFT JOIN few AS f USING (tenant_id)
), counted AS (
    SELECT t.tenant_id, d.owed, d.oldest, d.held
    FROM bridge.tenant AS t
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE due_at <> 'infinity') AS owed, min(marked_at) AS oldest,
               count(*) FILTER (WHERE due_at = 'infinity') AS held
        -- in the order of the index: else the whole queue is read for a tenant that owes nothing
        FROM (SELECT marked_at, due_at FROM bridge.delivery
              WHERE tenant_id = t.tenant_id AND dead_version IS DISTINCT FROM version
              ORDER BY tenant_id, lane, due_at
              LIMIT %(most)s + 1) AS near_ones
    ) AS d
), deliveries AS (
    -- what is not counted is what the table's statistics say beyond what is
    SELECT c.tenant_id, c.oldest, c.held, CASE WHEN c.owed <= %(most)s THEN c.owed ELSE greatest(c.owed,
               (s.reltuples::bigint - coalesce(sum(c.owed) FILTER (WHERE c.owed <= %(most)s) OVER (), 0))
               / count(*) FILTER (WHERE c.owed > %(most)s) OVER ()) END AS owed
    FROM counted AS c
    CROSS JOIN (SELECT reltuples FROM pg_catalog.pg_class WHERE oid = 'bridge.delivery'::regclass) AS s
), letters AS (
    SELECT tenant_id, direction, count(*) AS dead
    FROM bridge.dead_letter
    WHERE resolved_at IS NULL
    GROUP BY tenant_id, direction
)
SELECT t.id, t.subdomain,
       CASE WHEN b.tenant_id IS NULL OR (b.queued_at IS NULL AND s.status = 'active' AND b.state = 'creating')
            THEN 'not attached' ELSE b.state END,
       d.direction, coalesce(f.paused, false), f.last_success,
       CASE d.direction WHEN 'app_to_odoo' THEN coalesce(m.owed, 0) + coalesce(v.owed, 0) ELSE 0 END::bigint,
       CASE d.direction WHEN 'app_to_odoo' THEN least(m.oldest, v.oldest) END,
       coalesce(l.dead, 0), coalesce(b.problem, ''),
       CASE d.direction WHEN 'app_to_odoo' THEN coalesce(v.held, 0) ELSE 0 END,
       d.direction = 'app_to_odoo' AND (coalesce(m.owed, 0) > %(most)s OR coalesce(v.owed, 0) > %(most)s),
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = s.schema_name)
            THEN format('c360 db attach --tenant %%s', t.id) ELSE format('c360 tenant create %%s', t.subdomain) END
FROM public.tenants AS t
JOIN public.tenant_schemas AS s ON s.tenant_id = t.id
CROSS JOIN (VALUES ('app_to_odoo'), ('odoo_to_app')) AS d (direction)
LEFT JOIN bridge.tenant AS b ON b.tenant_id = t.id
LEFT JOIN bridge.flow AS f
    ON f.instance_id = b.instance_id AND f.tenant_id = t.id AND f.direction = d.direction
LEFT JOIN marks AS m ON m.tenant_id = t.id
LEFT JOIN deliveries AS v ON v.tenant_id = t.id
LEFT JOIN letters AS l ON l.tenant_id = t.id AND l.direction = d.direction
WHERE coalesce(b.selftest, false) = %(selftest)s
ORDER BY t.subdomain, d.direction

-- name: now
SELECT now()
