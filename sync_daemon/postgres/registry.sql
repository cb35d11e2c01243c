-- name: installation
SELECT id FROM bridge.installation

-- name: registered (every tenant that the app names, and what the bridge made of it; attaching that was cut short
-- before the records that were there had been marked begins anew)
SELECT t.id, t.subdomain, t.status, s.schema_name, s.status, coalesce(b.state, ''),
       CASE WHEN b.queued_at IS NULL THEN 0 ELSE b.attach_level END,
       coalesce(b.tenant_digest, ''), md5(concat_ws('|', t.name, t.subdomain, t.status)), coalesce(b.problem, ''),
       coalesce(b.instance_id, '')
FROM public.tenants AS t
JOIN public.tenant_schemas AS s ON s.tenant_id = t.id
LEFT JOIN bridge.tenant AS b ON b.tenant_id = t.id
WHERE coalesce(b.selftest, false) = %(selftest)s
ORDER BY t.subdomain

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

-- name: ensure_partitions (the ledger's, for this month and the next)
SELECT bridge.ensure_ledger_partition(now()::date),
       bridge.ensure_ledger_partition((now() + interval '1 month')::date)

-- name: owed (per tenant, app to Odoo; marks that are not collected yet count once per record)
WITH marks AS (
    SELECT tenant_id, count(DISTINCT (entity, record_id)) AS owed, min(marked_at) AS oldest
    FROM bridge.outbox, unnest(record_ids) AS record_id
    GROUP BY tenant_id
), deliveries AS (
    SELECT tenant_id,
           count(*) FILTER (WHERE dead_version IS DISTINCT FROM version AND due_at <> 'infinity') AS owed,
           min(marked_at) FILTER (WHERE dead_version IS DISTINCT FROM version) AS oldest,
           count(*) FILTER (WHERE due_at = 'infinity') AS held
    FROM bridge.delivery
    GROUP BY tenant_id
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
       CASE d.direction WHEN 'app_to_odoo' THEN coalesce(m.owed, 0) + coalesce(v.owed, 0) ELSE 0 END,
       CASE d.direction WHEN 'app_to_odoo' THEN least(m.oldest, v.oldest) END,
       coalesce(l.dead, 0), coalesce(b.problem, ''), CASE d.direction WHEN 'app_to_odoo' THEN coalesce(v.held, 0) ELSE 0 END
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
