INSERT INTO bridge.renamed_record (tenant_id, entity, former_id, present_id)
SELECT tenant_id, 'client', gen_random_uuid(), gen_random_uuid() FROM bridge.tenant;
