-- Every batch asks which of its tenants' tables were replaced: names are compared as names and oids as oids, so that the
-- catalogue's indexes serve it, however many tenants there are.
CREATE OR REPLACE VIEW bridge.replaced_table AS
SELECT tenant.tenant_id, known.key AS table_name
  FROM bridge.tenant
 CROSS JOIN LATERAL jsonb_each_text(tenant.tables) AS known
  JOIN pg_namespace ON pg_namespace.nspname = tenant.schema_name::name
  JOIN pg_class ON pg_class.relnamespace = pg_namespace.oid AND pg_class.relname = known.key::name
 WHERE pg_class.oid <> known.value::oid;
