-- name: hidden (tables of tenants that may have rows which the bridge does not see, or not all of what decides about them;
-- asked after rows were read, because the lock of that lets no policy change until the transaction ends)
WITH wanted AS (
    SELECT k.tenant_id, k.schema_name, k.table_name, k.entity, c.oid, c.relkind
    FROM unnest(%(tenants)s::uuid[], %(schemas)s::text[], %(tables)s::text[], %(entities)s::text[])
        AS k (tenant_id, schema_name, table_name, entity)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = k.schema_name
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = k.table_name
)
SELECT w.tenant_id, w.schema_name, w.table_name, 'replaced', coalesce((
           SELECT format('%%I.%%I', other_schema.nspname, other.relname)
           FROM pg_catalog.pg_policy AS p
           JOIN pg_catalog.pg_class AS other ON other.oid = p.polrelid
           JOIN pg_catalog.pg_namespace AS other_schema ON other_schema.oid = other.relnamespace
           JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = other.oid AND g.tgname = 'comply360_bridge_delete'
           WHERE p.polname = 'comply360_bridge_sync'
             AND pg_get_expr(p.polqual, p.polrelid) = format('(tenant_id = %%L::uuid)', w.tenant_id)
             AND other.oid <> w.oid AND g.tgargs = convert_to(w.entity, 'UTF8') || '\x00'::bytea
             AND other_schema.nspname = w.schema_name
           LIMIT 1), ''), w.relkind::text
FROM wanted AS w
WHERE w.relkind NOT IN ('r', 'p')
   OR NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                  WHERE g.tgrelid = w.oid AND g.tgname = 'comply360_bridge_delete')
UNION ALL
SELECT w.tenant_id, w.schema_name, w.table_name, 'policy', '', ''
FROM wanted AS w
WHERE w.relkind IN ('r', 'p') AND row_security_active(w.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p
                  JOIN pg_catalog.pg_roles AS r ON r.oid = ANY (p.polroles) AND r.rolname = current_user
                  WHERE p.polrelid = w.oid AND p.polname = 'comply360_bridge_sync' AND p.polpermissive AND p.polcmd = '*'
                    AND pg_get_expr(p.polqual, p.polrelid) = format('(tenant_id = %%L::uuid)', w.tenant_id))
UNION ALL
SELECT w.tenant_id, w.schema_name, w.table_name, 'restricted', p.polname, ''
FROM wanted AS w
JOIN pg_catalog.pg_policy AS p ON p.polrelid = w.oid AND NOT p.polpermissive AND p.polcmd IN ('*', 'r')
WHERE row_security_active(w.oid)
  AND EXISTS (SELECT FROM unnest(p.polroles) AS r (oid) WHERE r.oid = 0 OR pg_has_role(r.oid, 'USAGE'))
UNION ALL
SELECT w.tenant_id, w.schema_name, w.table_name, 'column', a.attname, ''
FROM wanted AS w
JOIN unnest(%(link_tables)s::text[], %(links)s::text[]) AS k (table_name, column_name) USING (table_name)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = w.oid AND a.attname = k.column_name AND NOT a.attisdropped
WHERE NOT has_column_privilege(w.oid, a.attnum, 'SELECT')
ORDER BY 1, 3, 4, 5

-- name: app_role
SELECT app_role FROM bridge.installation
