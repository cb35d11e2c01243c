-- name: links (of one tenant's users, what was decided)
SELECT user_id, odoo_user_id, odoo_login, state, decided_by, decided_at
FROM bridge.user_link
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s

-- name: decide (a user's only row; the unique index keeps one user of Odoo one person within the tenant)
INSERT INTO bridge.user_link AS l
    (instance_id, tenant_id, user_id, odoo_user_id, odoo_login, state, decided_by)
VALUES (%(instance)s, %(tenant)s, %(user)s, %(odoo_user)s, %(login)s, %(state)s, %(by)s)
ON CONFLICT (instance_id, tenant_id, user_id) DO UPDATE
SET odoo_user_id = EXCLUDED.odoo_user_id, odoo_login = EXCLUDED.odoo_login, state = EXCLUDED.state,
    decided_by = EXCLUDED.decided_by, decided_at = now()

-- name: linked (of these users of the app, those that are users of Odoo)
SELECT l.tenant_id, l.user_id, l.odoo_user_id::text
FROM bridge.user_link AS l
JOIN unnest(%(tenants)s::uuid[], %(ids)s::uuid[]) AS k (tenant_id, user_id) USING (tenant_id, user_id)
WHERE l.instance_id = %(instance)s AND l.state = 'confirmed'

-- name: named_by_odoo (of these users of Odoo, those that are users of this tenant)
SELECT odoo_user_id::text, user_id, odoo_login
FROM bridge.user_link
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND state = 'confirmed'
  AND odoo_user_id::text = ANY(%(users)s::text[])
