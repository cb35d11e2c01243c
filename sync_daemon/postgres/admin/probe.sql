-- name: server
SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
       current_setting('fsync'), current_setting('full_page_writes'),
       extract(epoch FROM clock_timestamp())::float

-- name: rights (what must not be)
SELECT r.rolsuper, r.rolbypassrls, r.rolcreaterole OR r.rolcreatedb,
       has_database_privilege('public', current_database(), 'CONNECT')
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = session_user

-- name: readable_secrets (columns of the app that the sync role must not read)
SELECT t.tenant_id::text, n.nspname, c.relname, a.attname
FROM bridge.tenant AS t
JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'users'
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('password_hash', 'mfa_secret')
WHERE has_column_privilege(c.oid, a.attnum, 'SELECT')

-- name: open_walls (what would show rows of the bridge to whoever got a right by mistake: tables, then tenants' views)
SELECT coalesce(string_agg(c.relname::text, ', ' ORDER BY c.relname) FILTER (WHERE n.nspname = 'bridge'), ''),
       coalesce(string_agg(n.nspname || '.' || c.relname, ', ' ORDER BY n.nspname, c.relname)
                FILTER (WHERE n.nspname <> 'bridge'), ''),
       NOT pg_has_role('comply360_bridge_owner', 'pg_read_all_stats', 'USAGE')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT c.relispartition
  AND ((n.nspname = 'bridge' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity))
       OR (c.relkind = 'v' AND NOT coalesce('security_barrier=true' = ANY(c.reloptions), false)
           AND (n.nspname = 'bridge' OR (starts_with(c.relname::text, 'comply360_')
                AND EXISTS (SELECT FROM bridge.tenant AS t WHERE t.schema_name = n.nspname)))))

-- name: without_schema (tenants in use whose schema is not there)
SELECT t.id
FROM public.tenants AS t
JOIN public.tenant_schemas AS s ON s.tenant_id = t.id
WHERE t.deleted_at IS NULL AND t.status <> 'deleted'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = s.schema_name)

-- name: events (how many wait to be published, and for how long the oldest does)
SELECT waiting, floor(coalesce(extract(epoch FROM now() - oldest), 0) / 60)::int FROM bridge.monitor_events

-- name: stops (of the brake, that hold something)
SELECT left(e.id::text, 8), e.tenant_id, e.entity, e.reason, count(*)
FROM bridge.brake AS e
JOIN bridge.brake_held AS h ON h.brake_id = e.id
JOIN bridge.delivery AS d
    ON (d.instance_id, d.tenant_id, d.entity, d.record_id) = (e.instance_id, e.tenant_id, e.entity, h.record_id)
WHERE e.state = 'engaged' AND d.due_at = 'infinity' AND e.instance_id <> 'self-test'
GROUP BY e.id
ORDER BY e.engaged_at, e.id

-- name: refused (what the app's own tables refuse, by tenant)
SELECT coalesce(t.subdomain, l.tenant_id::text),
       regexp_replace(l.message, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '...', 'g') AS problem, count(*)
FROM bridge.dead_letter AS l
LEFT JOIN public.tenants AS t ON t.id = l.tenant_id
WHERE l.resolved_at IS NULL AND l.code = 'refused_by_app' AND l.instance_id <> 'self-test'
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
LIMIT 20
