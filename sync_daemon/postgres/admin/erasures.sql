-- name: listed (oldest first)
SELECT id, tenant_id, client_id, requested_by, requested_at, app_done_at, odoo_done_at, is_undone, receipt
FROM bridge.erasure
WHERE instance_id = %(instance)s
ORDER BY requested_at, id

-- name: find
SELECT id, tenant_id, client_id, requested_by, requested_at, app_done_at, odoo_done_at, is_undone, receipt
FROM bridge.erasure
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND client_id = %(client)s

-- name: begin
INSERT INTO bridge.erasure (id, instance_id, tenant_id, client_id, requested_by)
VALUES (%(id)s, %(instance)s, %(tenant)s, %(client)s, %(by)s)
ON CONFLICT DO NOTHING

-- name: list_records (a record that went with an earlier erasure stays there)
INSERT INTO bridge.erased (tenant_id, entity, record_id, erasure_id)
SELECT k.tenant_id, k.entity, k.record_id, %(id)s
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
ON CONFLICT DO NOTHING

-- name: records
SELECT tenant_id, entity, record_id FROM bridge.erased WHERE erasure_id = %(id)s

-- name: same_customer (records of the app that Odoo merged into one contact)
SELECT DISTINCT other.record_id
FROM bridge.binding AS own
JOIN bridge.binding AS other USING (instance_id, tenant_id, entity, res_model, res_id)
WHERE own.instance_id = %(instance)s AND own.tenant_id = %(tenant)s AND own.entity = 'client'
  AND own.record_id = ANY(%(ids)s::uuid[]) AND own.state IN ('active', 'alias') AND other.state IN ('active', 'alias')

-- name: is_known (the bridge has heard of the record)
SELECT EXISTS (SELECT FROM bridge.binding WHERE (tenant_id, entity, record_id) = (%(tenant)s, 'client', %(id)s))
    OR EXISTS (SELECT FROM bridge.delivery WHERE (tenant_id, entity, record_id) = (%(tenant)s, 'client', %(id)s))
    OR EXISTS (SELECT FROM bridge.dead_letter
               WHERE (tenant_id, entity, record_id) = (%(tenant)s, 'client', %(id)s::text))
    OR EXISTS (SELECT FROM bridge.ledger
               WHERE (tenant_id, entity, record_id) = (%(tenant)s, 'client', %(id)s::text))

-- name: under_way (the bridge's transactions that began before)
SELECT count(*)
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND usename = 'comply360_sync' AND pid <> pg_backend_pid()
  AND xact_start < %(before)s

-- name: now
SELECT clock_timestamp()

-- name: app_done
UPDATE bridge.erasure SET app_done_at = now(), receipt = receipt || %(receipt)s::jsonb, is_undone = false WHERE id = %(id)s

-- name: odoo_done
UPDATE bridge.erasure SET odoo_done_at = now(), receipt = receipt || %(receipt)s::jsonb WHERE id = %(id)s

-- name: undone
UPDATE bridge.erasure SET is_undone = true, odoo_done_at = NULL WHERE id = ANY(%(ids)s::uuid[])
