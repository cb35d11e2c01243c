-- a copy of the database is another instance: it must never be taken for the one the app talks to
UPDATE ir_config_parameter SET value = gen_random_uuid()::text WHERE key = 'comply360_bridge.instance';
DELETE FROM res_users_apikeys
 WHERE user_id IN (
       SELECT rel.uid FROM res_groups_users_rel rel
         JOIN ir_model_data data ON data.model = 'res.groups' AND data.res_id = rel.gid
        WHERE data.module = 'comply360_bridge' AND data.name = 'group_service');
