-- name: bound (the bindings of the changed records; a binding being settled right now is left for later)
SELECT b.entity, b.external_id, b.state, b.odoo_epoch, b.odoo_version
FROM bridge.binding AS b
JOIN unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, external_id) USING (entity, external_id)
WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s
ORDER BY b.entity, b.external_id
FOR UPDATE OF b SKIP LOCKED

-- name: agreed
SELECT v.external_id, v.field, v.app_value, v.odoo_value
FROM bridge.base_value AS v
WHERE v.instance_id = %(instance)s AND v.tenant_id = %(tenant)s AND v.entity = %(entity)s
  AND v.external_id = ANY(%(ids)s::uuid[])

-- name: advance (Odoo's versions up to this one are done)
UPDATE bridge.binding
SET odoo_epoch = %(epoch)s, odoo_version = %(version)s, state = %(state)s, synced_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND external_id = %(id)s

-- name: raise_conflict
INSERT INTO bridge.conflict AS c
    (instance_id, tenant_id, entity, external_id, field, base_value, app_value, odoo_value, state)
VALUES (%(instance)s, %(tenant)s, %(entity)s, %(id)s, %(field)s, %(base)s, %(app)s, %(odoo)s, 'open')
ON CONFLICT (instance_id, tenant_id, entity, external_id, field) WHERE state = 'open' DO UPDATE
SET app_value = EXCLUDED.app_value, odoo_value = EXCLUDED.odoo_value

-- name: close_conflicts
UPDATE bridge.conflict
SET state = 'resolved', resolution = 'agreed', resolved_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND external_id = %(id)s
  AND state = 'open' AND field = ANY(%(fields)s::text[])

-- name: seize (the lease on one task; free, expired or our own)
INSERT INTO bridge.lease AS l (name, holder, until)
VALUES (%(name)s, %(holder)s, now() + %(duration)s)
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE l.holder = EXCLUDED.holder OR l.until < now()
RETURNING 1

-- name: release
DELETE FROM bridge.lease WHERE name = %(name)s AND holder = %(holder)s

-- name: receiving (tenants whose changes from Odoo may be applied)
SELECT t.tenant_id, t.schema_name
FROM bridge.tenant AS t
LEFT JOIN bridge.flow AS f
    ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = 'odoo_to_app'
WHERE t.instance_id = %(instance)s AND t.state = 'active' AND NOT coalesce(f.paused, false)

-- name: patience (no row while no transaction of the app would fail)
SELECT (now() - %(patience)s) AT TIME ZONE 'UTC' WHERE bridge.writing_snapshots()
