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
