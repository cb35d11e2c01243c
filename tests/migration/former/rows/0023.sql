-- a stop, what it holds, and what passed before
INSERT INTO bridge.brake (instance_id, tenant_id, entity, reason)
SELECT 'main', tenant_id, 'client', 'at least 201 records lose something' FROM bridge.tenant;
INSERT INTO bridge.brake_held (brake_id, record_id, version, ends, changes)
SELECT id, gen_random_uuid(), 7, false, '[{"field": "email", "old": "", "new": ""}]' FROM bridge.brake;
INSERT INTO bridge.brake_passed (instance_id, tenant_id, entity, record_id)
SELECT 'main', tenant_id, 'client', gen_random_uuid() FROM bridge.tenant;
