-- Level 15: tenants of the selftest.

-- They belong to an Odoo instance of their own, whose name no setting can have: so nobody can flag a tenant by hand, and
-- what is kept apart by instance is kept apart from them.
ALTER TABLE bridge.tenant ADD COLUMN selftest boolean NOT NULL GENERATED ALWAYS AS (instance_id = 'self-test') STORED;
COMMENT ON COLUMN bridge.tenant.selftest IS 'Made by c360 selftest: served by its own daemon only, and may be purged.';

-- for the relay: whose marks are not its own
CREATE INDEX tenant_selftest ON bridge.tenant (schema_name) WHERE selftest;
