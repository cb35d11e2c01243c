-- name: never_sent (of these commissions of registrations that stay in the app, those that never went to Odoo)
SELECT k.id
FROM unnest(%(ids)s::uuid[]) AS k (id)
WHERE NOT EXISTS (SELECT FROM bridge.binding AS b
                  WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s AND b.entity = 'commission'
                    AND b.record_id = k.id)
