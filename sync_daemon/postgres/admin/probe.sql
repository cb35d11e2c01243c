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
SELECT n.nspname, c.relname, a.attname
FROM bridge.tenant AS t
JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'users'
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('password_hash', 'mfa_secret')
WHERE has_column_privilege(c.oid, a.attnum, 'SELECT')

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
