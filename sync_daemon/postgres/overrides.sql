-- name: in_force (the newest overrides are the ones that hold; the version alone is asked for more often than it changes)
SELECT coalesce(max(version), 0) FROM bridge.contract_override

-- name: overrides
SELECT rules FROM bridge.contract_override WHERE version = %(version)s

-- name: described (who applied what is in force, and when)
SELECT version, applied_by, applied_at FROM bridge.contract_override ORDER BY version DESC LIMIT 1

-- name: apply (nothing, if somebody else applied that version meanwhile)
INSERT INTO bridge.contract_override (version, rules, applied_by)
VALUES (%(version)s, %(rules)s::jsonb, %(by)s)
ON CONFLICT (version) DO NOTHING
RETURNING version

-- name: in_odoo (all records of one kind that are bound)
SELECT record_id FROM bridge.binding
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND state = 'active'
