-- An erased customer.
INSERT INTO bridge.erasure (id, instance_id, tenant_id, client_id, requested_by, app_done_at, odoo_done_at, receipt)
SELECT gen_random_uuid(), 'main', tenant_id, gen_random_uuid(), 'ann (c360)', now(), now(), '{"app": {"letters": 1}}'
  FROM bridge.tenant;
INSERT INTO bridge.erased (tenant_id, entity, record_id, erasure_id)
SELECT tenant_id, 'client', client_id, id FROM bridge.erasure;
