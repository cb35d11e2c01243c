-- name: receiving (tenants whose changes from Odoo may be applied)
SELECT t.tenant_id, coalesce(p.subdomain, ''), t.schema_name
FROM bridge.tenant AS t
LEFT JOIN public.tenants AS p ON p.id = t.tenant_id
LEFT JOIN bridge.flow AS f
    ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = 'odoo_to_app'
WHERE t.instance_id = %(instance)s AND t.state = 'active' AND NOT coalesce(f.paused, false)
  -- a row that was restored is merged without its base, once somebody has said that it was
  AND NOT EXISTS (SELECT FROM bridge.replaced_table AS r WHERE r.tenant_id = t.tenant_id)

-- name: limit_waiting (a table that one tenant's app has locked must not keep the others waiting)
SET LOCAL lock_timeout = '1s'
