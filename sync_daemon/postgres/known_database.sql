-- name: identities (the database that was noted, and the present one; the server's identifier may be hidden)
SELECT i.database_name, i.system_identifier, i.database_oid::bigint, i.schema_oid::bigint,
       current_database()::text, d.oid::bigint, 'bridge.installation'::regclass::oid::bigint,
       has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
FROM bridge.installation AS i
JOIN pg_catalog.pg_database AS d ON d.datname = current_database()

-- name: server
SELECT system_identifier::text FROM pg_catalog.pg_control_system()

-- name: replaced
SELECT t.tenant_id, coalesce(a.subdomain, t.schema_name), t.schema_name,
       coalesce(array_agg(r.table_name ORDER BY r.table_name) FILTER (WHERE r.table_name IS NOT NULL), '{}'::text[])
FROM bridge.tenant AS t
LEFT JOIN public.tenants AS a ON a.id = t.tenant_id
LEFT JOIN bridge.replaced_table AS r ON r.tenant_id = t.tenant_id
WHERE NOT t.selftest AND t.attach_level > 0 AND (%(all)s OR r.tenant_id IS NOT NULL)
GROUP BY t.tenant_id, a.subdomain, t.schema_name
ORDER BY 2

-- name: announce (Odoo takes the next token of this database whatever it has)
UPDATE bridge.claim SET is_announced = true

-- name: accept_schema
UPDATE bridge.installation SET schema_oid = 'bridge.installation'::regclass
