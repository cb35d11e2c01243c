-- name: types (of these columns of a table, as the server writes them)
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = format('%%I.%%I', %(schema)s, %(table)s)::regclass AND a.attname = ANY(%(columns)s::text[])
  AND a.attnum > 0 AND NOT a.attisdropped
