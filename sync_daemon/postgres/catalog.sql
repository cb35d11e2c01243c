-- name: columns (of the app's tables, those the sync role may read; a renamed or dropped column is simply not there)
SELECT n.nspname, c.relname, array_agg(a.attname::text)
FROM pg_catalog.pg_namespace AS n
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = ANY(%(schemas)s::text[])
  AND c.relname IN ('tenants', 'users', 'clients', 'registrations', 'commissions', 'documents')
  AND has_schema_privilege(n.oid, 'USAGE')
  AND has_column_privilege(c.oid, a.attnum, 'SELECT')
GROUP BY n.nspname, c.relname
