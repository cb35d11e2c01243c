-- name: columns (of the app's tables, those the sync role may read; a column that was renamed, dropped or given a type
-- that our statements cannot use is simply not there)
SELECT n.nspname, c.relname, array_agg(a.attname::text)
FROM pg_catalog.pg_namespace AS n
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN unnest(%(typed)s::text[], %(types)s::text[]) AS needed (name, types) ON needed.name = a.attname
WHERE n.nspname = ANY(%(schemas)s::text[])
  AND c.relname IN ('tenants', 'users', 'clients', 'registrations', 'commissions', 'documents')
  AND has_schema_privilege(n.oid, 'USAGE')
  AND has_column_privilege(c.oid, a.attnum, 'SELECT')
  AND (needed.name IS NULL
       OR (SELECT coalesce(own.typname, t.typname)
           FROM pg_catalog.pg_type AS t
           LEFT JOIN pg_catalog.pg_type AS own ON own.oid = t.typbasetype
           WHERE t.oid = a.atttypid) = ANY(string_to_array(needed.types, ' ')))
GROUP BY n.nspname, c.relname
