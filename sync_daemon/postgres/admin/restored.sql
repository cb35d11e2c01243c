-- name: forget_bases (what both sides had before says nothing about restored rows)
DELETE FROM bridge.base_value WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s

-- name: close_conflicts (about rows that are not there any more)
UPDATE bridge.conflict AS c
SET state = 'resolved', resolution = 'restored', resolved_at = now()
WHERE c.instance_id = %(instance)s AND c.tenant_id = %(tenant)s AND c.state = 'open'
  AND NOT EXISTS (SELECT FROM bridge.binding AS b
                  WHERE (b.instance_id, b.tenant_id, b.entity, b.record_id)
                      = (c.instance_id, c.tenant_id, c.entity, c.record_id))

-- name: accept (from now on the bases are about these tables)
UPDATE bridge.tenant SET tables = bridge.tables_of(%(schema)s), updated_at = now() WHERE tenant_id = %(tenant)s

-- name: note
SELECT bridge.append_to_ledger(NULL, %(instance)s, 'app_to_odoo', ARRAY[%(tenant)s::uuid], ARRAY['tenant'::text],
                               ARRAY[%(tenant)s::text], ARRAY['restored'::text], ARRAY[''::text],
                               ARRAY[jsonb_build_object('marked', %(marked)s::int)])
