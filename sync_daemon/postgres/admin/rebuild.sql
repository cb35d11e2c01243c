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

-- name: keep_bindings (history: no record of theirs is there)
UPDATE bridge.binding
SET instance_id = %(former)s, state = CASE state WHEN 'active' THEN 'unlinked' ELSE state END
WHERE instance_id = %(instance)s

-- name: keep_base_values
UPDATE bridge.base_value SET instance_id = %(former)s WHERE instance_id = %(instance)s

-- name: keep_conflicts (one of the two values is gone)
UPDATE bridge.conflict
SET instance_id = %(former)s, resolution = CASE state WHEN 'open' THEN 'rebuilt' ELSE resolution END,
    resolved_at = coalesce(resolved_at, now()), state = 'resolved'
WHERE instance_id = %(instance)s

-- name: keep_links (who is whom was decided about the users of that Odoo; the numbers are other people's in another one)
UPDATE bridge.user_link SET instance_id = %(former)s WHERE instance_id = %(instance)s

-- name: keep_letters (whatever is still wrong is found anew)
UPDATE bridge.dead_letter
SET instance_id = %(former)s, resolved_at = coalesce(resolved_at, now())
WHERE instance_id = %(instance)s

-- name: keep_invoices
UPDATE bridge.invoice SET of_former_odoo = true WHERE instance_id = %(instance)s

-- name: keep_outcomes
UPDATE bridge.lead_outcome SET of_former_odoo = true WHERE instance_id = %(instance)s

-- name: forget_deliveries (of the tenants whose rows are owed anew; one that waited for an Odoo to be made keeps its own)
DELETE FROM bridge.delivery
WHERE instance_id = %(instance)s
  AND tenant_id IN (SELECT tenant_id FROM bridge.tenant WHERE state IN ('active', 'suspended'))

-- name: introduce_tenants (the keeper of tenants sends each of them)
UPDATE bridge.tenant SET tenant_digest = '', updated_at = now() WHERE instance_id = %(instance)s

-- name: note
INSERT INTO bridge.ledger (instance_id, tenant_id, direction, entity, record_id, action, detail)
SELECT %(instance)s, tenant_id, 'app_to_odoo', 'tenant', tenant_id::text, 'rebuilt',
       jsonb_build_object('former', %(known)s::text, 'present', %(uuid)s::text)
FROM bridge.tenant
WHERE instance_id = %(instance)s

-- name: take_place (only if nobody else has done it meanwhile)
UPDATE bridge.odoo_instance SET uuid = %(uuid)s, epoch = %(epoch)s WHERE id = %(instance)s AND uuid = %(known)s
