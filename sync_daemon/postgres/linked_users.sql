-- name: linked (of these users of the app, those that are users of Odoo)
SELECT l.tenant_id, l.user_id, l.odoo_user_id::text
FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[]) AS k (tenant_id, user_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.user_link AS l
    WHERE l.instance_id = %(instance)s AND l.tenant_id = k.tenant_id AND l.user_id = k.user_id
    OFFSET 0) AS l
WHERE l.state = 'confirmed'

-- name: named_by_odoo (of these users of Odoo, those that are users of this tenant)
SELECT odoo_user_id::text, user_id, odoo_login
FROM bridge.user_link
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND state = 'confirmed'
  AND odoo_user_id::text = ANY(%(users)s::text[])
