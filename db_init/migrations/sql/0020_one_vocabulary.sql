-- One name per concept. Views and indexes follow a renamed column by themselves; values and comments do not.

-- the app record's uuid is record_id in every table
ALTER TABLE bridge.binding RENAME COLUMN external_id TO record_id;
ALTER TABLE bridge.base_value RENAME COLUMN external_id TO record_id;
ALTER TABLE bridge.conflict RENAME COLUMN external_id TO record_id;
ALTER TABLE bridge.binding RENAME CONSTRAINT binding_instance_id_tenant_id_entity_external_id_key
    TO binding_instance_id_tenant_id_entity_record_id_key;

-- what contradicts a payment; readers see it in comply360_invoices, which attaching makes anew
ALTER TABLE bridge.invoice RENAME COLUMN concern TO payment_discrepancy;
ALTER TABLE bridge.invoice RENAME COLUMN concern_about TO payment_discrepancy_about;
UPDATE bridge.dead_letter SET field = 'payment_discrepancy' WHERE field = 'concern';

-- rows that a deployment keeps in the app are filtered; rules are by kind of record, for all tenants and for each
UPDATE bridge.contract_override
   SET rules = jsonb_set(jsonb_set(rules, '{all}', (
           SELECT coalesce(jsonb_object_agg(entity, CASE WHEN rule ? 'held_back'
                      THEN rule - 'held_back' || jsonb_build_object('filtered', rule -> 'held_back') ELSE rule END), '{}')
             FROM jsonb_each(rules -> 'all') AS common (entity, rule))), '{tenants}', (
           SELECT coalesce(jsonb_object_agg(tenant, (
                      SELECT coalesce(jsonb_object_agg(entity, CASE WHEN rule ? 'held_back'
                                 THEN rule - 'held_back' || jsonb_build_object('filtered', rule -> 'held_back')
                                 ELSE rule END), '{}')
                        FROM jsonb_each(own) AS part (entity, rule))), '{}')
             FROM jsonb_each(rules -> 'tenants') AS each_tenant (tenant, own)))
 WHERE rules::text LIKE '%"held_back"%';

COMMENT ON TABLE bridge.installation IS 'This app installation; id is "installation" on the wire. Written by db_init.';
