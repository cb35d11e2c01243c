-- name: bound (what a tenant has in the Odoo that was there until now, by entity)
SELECT entity, count(*)
FROM bridge.binding
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND state = 'active'
GROUP BY entity

-- name: is_held_up (a transaction of the app that is open would fail)
SELECT bridge.writing_snapshots()

-- name: keep_instance (the former Odoo under a name that no setting can have)
INSERT INTO bridge.odoo_instance (id, uuid, epoch)
SELECT %(former)s, uuid, epoch FROM bridge.odoo_instance WHERE id = %(instance)s
ON CONFLICT (id) DO UPDATE SET epoch = EXCLUDED.epoch

-- name: keep_bindings (history: no record of theirs is there, except the adopted ones)
UPDATE bridge.binding AS b
SET instance_id = %(former)s, state = CASE state WHEN 'active' THEN 'unlinked' ELSE state END
WHERE b.instance_id = %(instance)s
  AND NOT EXISTS (SELECT FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[])
                      AS k (tenant_id, entity, record_id)
                  WHERE (b.tenant_id, b.entity, b.record_id) = (k.tenant_id, k.entity, k.record_id))

-- name: let_go (adopted records may have changed places: one record of Odoo has one active binding)
UPDATE bridge.binding SET state = 'unlinked' WHERE instance_id = %(instance)s AND state = 'active'

-- name: adopt (nothing is known to be applied; in the same database changes are numbered anew, and the bases hold)
INSERT INTO bridge.binding AS b (instance_id, tenant_id, entity, record_id, res_model, res_id, state, odoo_epoch)
SELECT %(instance)s, k.tenant_id, k.entity, k.record_id, k.model, k.res_id, k.state, %(epoch)s
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[], %(models)s::text[], %(res_ids)s::int[],
            %(states)s::text[]) AS k (tenant_id, entity, record_id, model, res_id, state)
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE
SET res_model = EXCLUDED.res_model, res_id = EXCLUDED.res_id, state = EXCLUDED.state, digest = '',
    compared_digest = NULL, compared_from = NULL,
    odoo_epoch = CASE WHEN %(is_same_database)s THEN EXCLUDED.odoo_epoch ELSE b.odoo_epoch END,
    odoo_version = CASE WHEN %(is_same_database)s THEN 0 ELSE b.odoo_version END

-- name: keep_base_values (those of adopted records hold)
UPDATE bridge.base_value AS b SET instance_id = %(former)s
WHERE b.instance_id = %(instance)s
  AND NOT EXISTS (SELECT FROM unnest(%(based_tenants)s::uuid[], %(based_entities)s::text[], %(based_ids)s::uuid[])
                      AS k (tenant_id, entity, record_id)
                  WHERE (b.tenant_id, b.entity, b.record_id) = (k.tenant_id, k.entity, k.record_id))

-- name: keep_conflicts (one of the two values is gone)
UPDATE bridge.conflict
SET instance_id = %(former)s, resolution = CASE state WHEN 'open' THEN 'rebuilt' ELSE resolution END,
    resolved_at = coalesce(resolved_at, now()), state = 'resolved'
WHERE instance_id = %(instance)s

-- name: keep_links (who is whom was decided about the users of that Odoo; the numbers are other people's in another one)
UPDATE bridge.user_link SET instance_id = %(former)s
WHERE instance_id = %(instance)s AND NOT %(is_same_database)s

-- name: keep_letters (whatever is still wrong is found anew)
UPDATE bridge.dead_letter
SET instance_id = %(former)s, resolved_at = coalesce(resolved_at, now())
WHERE instance_id = %(instance)s

-- name: keep_invoices
UPDATE bridge.invoice AS i SET of_former_odoo = true
WHERE i.instance_id = %(instance)s
  AND NOT EXISTS (SELECT FROM bridge.binding AS b
                  WHERE b.instance_id = i.instance_id AND b.state = 'active'
                    AND (b.tenant_id, b.entity, b.record_id) = (i.tenant_id, 'invoice', i.id))

-- name: keep_outcomes
UPDATE bridge.lead_outcome AS o SET of_former_odoo = true
WHERE o.instance_id = %(instance)s
  AND NOT EXISTS (SELECT FROM bridge.binding AS b
                  WHERE b.instance_id = o.instance_id AND b.state = 'active'
                    AND (b.tenant_id, b.entity, b.record_id) = (o.tenant_id, 'registration', o.registration_id))

-- name: forget_deliveries (of the tenants whose rows are owed anew; one that waited for an Odoo to be made keeps its own)
DELETE FROM bridge.delivery
WHERE instance_id = %(instance)s
  AND tenant_id IN (SELECT tenant_id FROM bridge.tenant WHERE state IN ('active', 'suspended'))

-- name: introduce_tenants (the keeper of tenants sends each of them)
UPDATE bridge.tenant SET tenant_digest = '', updated_at = now() WHERE instance_id = %(instance)s

-- name: note
SELECT bridge.append_to_ledger(
           NULL, %(instance)s, 'app_to_odoo', array_agg(tenant_id), array_agg('tenant'::text),
           array_agg(tenant_id::text), array_agg('rebuilt'::text), array_agg(''::text),
           array_agg(jsonb_build_object('former', %(known)s::text, 'present', %(uuid)s::text)))
FROM bridge.tenant
WHERE instance_id = %(instance)s
HAVING count(*) > 0

-- name: take_place (only if nobody else has done it meanwhile)
UPDATE bridge.odoo_instance SET uuid = %(uuid)s, epoch = %(epoch)s WHERE id = %(instance)s AND uuid = %(known)s
