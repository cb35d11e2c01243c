-- Where this installation lives, and which tables its tenants have: a copy of the database, and a part of it that was
-- restored alone, are told from what was there before.

ALTER TABLE bridge.installation
    ADD COLUMN database_name text NOT NULL DEFAULT '',
    -- of the server; empty where nobody may read it
    ADD COLUMN system_identifier text NOT NULL DEFAULT '',
    ADD COLUMN database_oid oid NOT NULL DEFAULT 0,
    -- of this table: another one was restored without the rest of the database
    ADD COLUMN schema_oid oid NOT NULL DEFAULT 0;
GRANT UPDATE (schema_oid) ON bridge.installation TO comply360_sync;

-- The oids of a tenant's captured tables, by name.
CREATE FUNCTION bridge.tables_of(schema_name text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(c.relname, c.oid), '{}')
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = tables_of.schema_name AND c.relkind IN ('r', 'p')
       AND c.relname IN ('users', 'clients', 'registrations', 'commissions', 'documents')
$$;
REVOKE ALL ON FUNCTION bridge.tables_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.tables_of(text) TO comply360_sync, comply360_migrator;

ALTER TABLE bridge.tenant ADD COLUMN tables jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN bridge.tenant.tables IS
    'The oids of the captured tables that the bases are about. Written when attaching, and after a restore.';
UPDATE bridge.tenant SET tables = bridge.tables_of(schema_name);

-- Tables that are not the ones that the bases are about: somebody restored them, or made them anew.
CREATE VIEW bridge.replaced_table AS
SELECT tenant.tenant_id, known.key AS table_name
  FROM bridge.tenant
 CROSS JOIN LATERAL jsonb_each_text(tenant.tables) AS known
  JOIN pg_namespace ON pg_namespace.nspname = tenant.schema_name
  JOIN pg_class ON pg_class.relnamespace = pg_namespace.oid AND pg_class.relname = known.key
 WHERE pg_class.oid::text <> known.value;
GRANT SELECT ON bridge.replaced_table TO comply360_sync;

-- The token that this database left in Odoo last, and the next one. A copy of the database has an older one.
CREATE TABLE bridge.claim (
    instance_id text NOT NULL,
    -- as Odoo knows it: the selftest is another one
    installation uuid NOT NULL,
    token uuid NOT NULL DEFAULT gen_random_uuid(),
    -- drawn when it is about to be sent: a copy of the database draws another one
    next_token uuid,
    number int NOT NULL DEFAULT 0,
    -- somebody said that the database was restored or moved: Odoo takes the next token whatever it has
    is_announced boolean NOT NULL DEFAULT false,
    -- uuid and epoch of the Odoo that has the token
    odoo text NOT NULL DEFAULT '',
    PRIMARY KEY (instance_id, installation)
);
COMMENT ON TABLE bridge.claim IS 'What tells this database from a copy of it, per Odoo instance. Written by the daemon.';
GRANT SELECT, INSERT, UPDATE ON bridge.claim TO comply360_sync;
