-- serves comparisons, which look for records that were merged in Odoo; there are few
CREATE INDEX binding_merged ON bridge.binding (instance_id, tenant_id, entity) WHERE state = 'alias';
