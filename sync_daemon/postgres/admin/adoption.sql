-- name: invoices (no row of the app has them: Odoo named them)
SELECT record_id
FROM bridge.binding
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = 'invoice'
ORDER BY record_id
