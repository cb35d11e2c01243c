-- name: owed (to Odoo, by tenants whose records flow; marks that are not collected yet count once per record, while they
-- are few; of more than `most` an estimate)
WITH flowing AS (
    SELECT t.tenant_id
    FROM bridge.tenant AS t
    LEFT JOIN bridge.flow AS f
        ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = 'app_to_odoo'
    WHERE t.state = 'active' AND NOT t.selftest AND NOT coalesce(f.paused, false)
), near AS MATERIALIZED (
    SELECT entity, record_ids, taken, marked_at, greatest((pg_column_size(record_ids) - 20) / 16 - taken, 0) AS ids
    FROM bridge.outbox JOIN flowing USING (tenant_id)
    ORDER BY id
    LIMIT %(most)s
), size AS (
    SELECT coalesce(sum(ids), 0) AS ids, min(marked_at) AS oldest FROM near
), marks AS (
    SELECT oldest, CASE WHEN ids > %(most)s THEN ids ELSE (
               SELECT count(DISTINCT (n.entity, k.record_id))
               FROM near AS n CROSS JOIN unnest(n.record_ids[n.taken + 1:]) AS k (record_id))
           END AS owed
    FROM size
), deliveries AS (
    SELECT coalesce(sum(d.owed), 0) AS owed, min(d.oldest) AS oldest
    FROM flowing
    CROSS JOIN LATERAL (
        SELECT count(*) AS owed, min(marked_at) AS oldest
        -- in the order of the index: else the whole queue is read for a tenant that owes nothing
        FROM (SELECT marked_at FROM bridge.delivery
              WHERE tenant_id = flowing.tenant_id AND dead_version IS DISTINCT FROM version
              ORDER BY tenant_id, lane, due_at
              LIMIT %(most)s) AS near_ones
    ) AS d
)
SELECT now(), (marks.owed + deliveries.owed)::bigint,
       coalesce(extract(epoch FROM now() - least(marks.oldest, deliveries.oldest)), 0)::float
FROM marks, deliveries

-- name: dead (open letters by direction)
SELECT direction, count(*) FROM bridge.dead_letter WHERE resolved_at IS NULL AND instance_id <> 'self-test'
GROUP BY direction

-- name: receiving (tenants whose changes from Odoo may be applied)
SELECT t.tenant_id
FROM bridge.tenant AS t
LEFT JOIN bridge.flow AS f
    ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = 'odoo_to_app'
WHERE t.state = 'active' AND NOT t.selftest AND NOT coalesce(f.paused, false)

-- name: not_attached (tenants in use whose objects are not whole, and whether attaching was tried and failed)
SELECT a.id, coalesce(t.problem, '') <> ''
FROM public.tenants AS a
JOIN public.tenant_schemas AS s ON s.tenant_id = a.id AND s.status = 'active'
LEFT JOIN bridge.tenant AS t ON t.tenant_id = a.id
WHERE a.status = 'active' AND a.deleted_at IS NULL AND NOT coalesce(t.selftest, false) AND (t.queued_at IS NULL OR t.problem <> '')
ORDER BY a.id

-- name: bloat (row versions in the queues that nobody needs any more and no vacuum could remove yet)
SELECT coalesce(sum(n_dead_tup), 0)::bigint
FROM pg_catalog.pg_stat_user_tables
WHERE schemaname = 'bridge' AND relname IN ('outbox', 'delivery')

-- name: lacking (what attaching put into the schemas of tenants in these states and is not there any more)
WITH attached AS (
    SELECT t.tenant_id, t.schema_name, n.oid AS schema_oid
    FROM bridge.tenant AS t
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema_name
    WHERE t.attach_level > 0 AND NOT t.selftest AND t.state = ANY(%(states)s::text[])
), captured AS (
    SELECT a.tenant_id, k.name AS table_name, c.oid
    FROM attached AS a
    CROSS JOIN unnest(%(tables)s::text[]) AS k (name)
    LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = a.schema_oid AND c.relname = k.name
)
SELECT tenant_id, 'table ' || table_name AS what FROM captured WHERE oid IS NULL
UNION ALL
SELECT c.tenant_id, format('trigger comply360_bridge_%%s on %%s', e.name, c.table_name)
FROM captured AS c
JOIN unnest(%(trigger_tables)s::text[], %(triggers)s::text[]) AS e (table_name, name) USING (table_name)
WHERE c.oid IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                  WHERE g.tgrelid = c.oid AND g.tgname = 'comply360_bridge_' || e.name AND g.tgenabled IN ('O', 'A'))
UNION ALL
SELECT c.tenant_id, 'policy comply360_bridge_sync on ' || c.table_name
FROM captured AS c
WHERE c.oid IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p
                  WHERE p.polrelid = c.oid AND p.polname = 'comply360_bridge_sync')
UNION ALL
SELECT a.tenant_id, 'view ' || v.name
FROM attached AS a CROSS JOIN unnest(%(views)s::text[]) AS v (name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c
                  WHERE c.relnamespace = a.schema_oid AND c.relname = v.name AND c.relkind = 'v')
UNION ALL
SELECT c.tenant_id, format('right %%s on %%s.%%s', r.privilege, r.table_name, r.column_name)
FROM captured AS c
JOIN unnest(%(right_tables)s::text[], %(right_columns)s::text[], %(privileges)s::text[])
     AS r (table_name, column_name, privilege) USING (table_name)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = r.column_name AND NOT a.attisdropped
WHERE NOT has_column_privilege(c.oid, a.attnum, r.privilege)
ORDER BY tenant_id, what

-- name: attached (tenants in these states, whether their schema is there, and whether the app still names them)
SELECT b.tenant_id, coalesce(t.subdomain, b.schema_name), b.schema_name, n.oid IS NOT NULL,
       t.id IS NOT NULL AND t.deleted_at IS NULL AND t.status <> 'deleted'
FROM bridge.tenant AS b
LEFT JOIN public.tenants AS t ON t.id = b.tenant_id
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = b.schema_name
WHERE b.attach_level > 0 AND NOT b.selftest AND b.state = ANY(%(states)s::text[])

-- name: causes (why records do not flow now; equal words but for the ids that they name are one cause; of each tenant at
-- most so many records are looked at)
WITH paused AS (
    SELECT instance_id, tenant_id, CASE paused_by
               WHEN '' THEN 'the flow is paused'
               ELSE format('the flow is paused by %%s: %%s', paused_by, pause_reason) END AS cause
    FROM bridge.flow
    WHERE paused AND direction = 'app_to_odoo'
), tenant AS (
    SELECT t.instance_id, t.tenant_id, coalesce(a.subdomain, t.tenant_id::text) AS subdomain, t.state, p.cause AS paused
    FROM bridge.tenant AS t
    LEFT JOIN public.tenants AS a ON a.id = t.tenant_id
    LEFT JOIN paused AS p ON (p.instance_id, p.tenant_id) = (t.instance_id, t.tenant_id)
    WHERE NOT t.selftest
), near AS MATERIALIZED (
    SELECT tenant_id, entity, record_ids, taken, sum(ids) OVER (PARTITION BY tenant_id ORDER BY id) - ids AS before
    FROM (SELECT id, tenant_id, entity, record_ids, taken,
                 greatest((pg_column_size(record_ids) - 20) / 16 - taken, 0) AS ids
          FROM bridge.outbox ORDER BY id LIMIT 10 * %(most)s) AS o
), found AS (
    SELECT t.subdomain, 'app_to_odoo' AS direction, CASE
               WHEN d.dead_version = d.version AND l.code IS NULL
                   THEN 'its dead letter was discarded: it goes with its next change'
               WHEN d.dead_version = d.version THEN NULL
               WHEN t.state <> 'active' THEN format('the tenant is %%s', t.state)
               WHEN t.paused IS NOT NULL THEN t.paused
               WHEN d.last_error <> '' THEN d.last_error
               WHEN d.published_at IS NOT NULL THEN 'it is on its way: Odoo has not answered yet'
               ELSE 'it is about to be sent'
           END AS cause
    FROM tenant AS t
    CROSS JOIN LATERAL (
        SELECT instance_id, tenant_id, entity, record_id, version, dead_version, last_error, published_at
        FROM bridge.delivery WHERE instance_id = t.instance_id AND tenant_id = t.tenant_id
        ORDER BY instance_id, tenant_id, entity, record_id
        LIMIT %(most)s) AS d
    LEFT JOIN LATERAL (
        SELECT l.code FROM bridge.dead_letter AS l
        WHERE l.resolved_at IS NULL AND l.instance_id = d.instance_id AND l.tenant_id = d.tenant_id
          AND l.record_id = d.record_id::text AND l.entity = d.entity
        LIMIT 1) AS l ON true
    UNION ALL
    SELECT t.subdomain, 'app_to_odoo', CASE
               WHEN t.state <> 'active' THEN format('the tenant is %%s', t.state)
               WHEN t.paused IS NOT NULL THEN t.paused
               ELSE 'it was marked just now and is about to be collected'
           END
    FROM (SELECT DISTINCT n.tenant_id, n.entity, k.record_id
          FROM near AS n CROSS JOIN unnest(n.record_ids[n.taken + 1:n.taken + %(most)s]) AS k (record_id)
          WHERE n.before < %(most)s) AS o
    JOIN tenant AS t USING (tenant_id)
    UNION ALL
    SELECT t.subdomain, l.direction, format('%%s: c360 dead list --code %%s', l.message, l.code)
    FROM bridge.dead_letter AS l
    JOIN tenant AS t USING (tenant_id)
    WHERE l.resolved_at IS NULL
    UNION ALL
    SELECT t.subdomain, 'odoo_to_app', format('both sides changed %%s: c360 conflict list', c.field)
    FROM bridge.conflict AS c
    JOIN tenant AS t USING (tenant_id)
    WHERE c.state = 'open'
    UNION ALL
    SELECT t.subdomain, 'odoo_to_app', CASE b.state
               WHEN 'alias' THEN 'a user merged the record into another one in Odoo: c360 binding show'
               ELSE 'a user deleted the record in Odoo: c360 binding show' END
    FROM bridge.binding AS b
    JOIN tenant AS t USING (tenant_id)
    WHERE b.state IN ('alias', 'unlinked')
)
SELECT subdomain, direction,
       regexp_replace(cause, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '...', 'g') AS cause, count(*)
FROM found
WHERE cause IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2, 4 DESC, 3
