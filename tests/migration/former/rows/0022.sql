-- what the app had before Odoo's values
INSERT INTO bridge.former_value (instance_id, tenant_id, entity, record_id, field, app_values, taken_value)
SELECT instance_id, tenant_id, entity, record_id, field, ARRAY['before'], app_value FROM bridge.base_value;
