-- name: decide_conflicts
UPDATE bridge.conflict AS c
SET decision = k.decision, decided_value = k.value, decided_by = k.by, decided_at = now()
FROM unnest(%(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(decisions)s::text[], %(values)s::text[],
            %(by)s::text[]) AS k (entity, record_id, field, decision, value, by)
WHERE c.instance_id = %(instance)s AND c.tenant_id = %(tenant)s AND c.state = 'open'
  AND (c.entity, c.record_id, c.field) = (k.entity, k.record_id, k.field)

-- name: raise_conflicts
INSERT INTO bridge.conflict
    (instance_id, tenant_id, entity, record_id, field, base_value, app_value, odoo_value, decision, state)
SELECT %(instance)s, %(tenant)s, k.entity, k.record_id, k.field, k.base, k.app, k.odoo, k.decision, 'open'
FROM unnest(%(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(bases)s::text[], %(app)s::text[],
            %(odoo)s::text[], %(decisions)s::text[]) AS k (entity, record_id, field, base, app, odoo, decision)
ORDER BY k.entity, k.record_id, k.field
ON CONFLICT (instance_id, tenant_id, entity, record_id, field) WHERE state = 'open' DO UPDATE
SET app_value = EXCLUDED.app_value, odoo_value = EXCLUDED.odoo_value, decision = EXCLUDED.decision

-- name: close_conflicts
UPDATE bridge.conflict AS c
SET state = 'resolved', resolution = k.resolution, resolved_at = now()
FROM unnest(%(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(resolutions)s::text[])
    AS k (entity, record_id, field, resolution)
WHERE c.instance_id = %(instance)s AND c.tenant_id = %(tenant)s AND c.state = 'open'
  AND (c.entity, c.record_id, c.field) = (k.entity, k.record_id, k.field)

-- name: displace (pairs of before Odoo was set back: it has given their numbers away again)
UPDATE bridge.binding AS b SET state = 'unlinked'
WHERE b.id = ANY (ARRAY(
    SELECT b.id
    FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
    CROSS JOIN LATERAL (
        SELECT id FROM bridge.binding AS b
        WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s AND b.entity = k.entity
          AND b.record_id = k.record_id
        OFFSET 0) AS b))

-- name: bind (Odoo's versions up to these are done; pairs that end first: their records may be another one's now)
INSERT INTO bridge.binding
    (instance_id, tenant_id, entity, record_id, res_model, res_id, state, odoo_epoch, odoo_version, synced_at)
SELECT %(instance)s, %(tenant)s, k.entity, k.record_id, k.model, k.res_id, k.state, k.epoch, k.version, now()
FROM unnest(%(entities)s::text[], %(ids)s::uuid[], %(models)s::text[], %(res_ids)s::int[], %(states)s::text[],
            %(epochs)s::int[], %(versions)s::bigint[])
    AS k (entity, record_id, model, res_id, state, epoch, version)
ORDER BY k.state = 'active', k.entity, k.record_id
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE
SET res_id = EXCLUDED.res_id, state = EXCLUDED.state, odoo_epoch = EXCLUDED.odoo_epoch,
    odoo_version = EXCLUDED.odoo_version, synced_at = now()

-- name: forget_bases (both sides are compared as if they had never had one)
DELETE FROM bridge.base_value AS v
USING unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
WHERE v.instance_id = %(instance)s AND v.tenant_id = %(tenant)s
  AND (v.entity, v.record_id) = (k.entity, k.record_id)

-- name: keep_formers (the values as lists in JSON; of one time, because one transaction wrote them over)
INSERT INTO bridge.former_value
    (instance_id, tenant_id, entity, record_id, field, app_values, taken_value, repeats, written_at)
SELECT %(instance)s, %(tenant)s, k.entity, k.record_id, k.field,
       ARRAY(SELECT jsonb_array_elements_text(k.app_values)), k.taken, k.repeats, now()
FROM unnest(%(entities)s::text[], %(ids)s::uuid[], %(fields)s::text[], %(values)s::jsonb[], %(taken)s::text[],
            %(repeats)s::int[]) AS k (entity, record_id, field, app_values, taken, repeats)
ORDER BY k.entity, k.record_id, k.field
ON CONFLICT (instance_id, tenant_id, entity, record_id, field) DO UPDATE
SET app_values = EXCLUDED.app_values, taken_value = EXCLUDED.taken_value, repeats = EXCLUDED.repeats,
    written_at = EXCLUDED.written_at

-- name: change_outcomes
INSERT INTO bridge.lead_outcome
    (instance_id, tenant_id, registration_id, outcome, lost_reason, changed_by, changed_at)
SELECT %(instance)s, %(tenant)s, k.registration_id, k.outcome, k.lost_reason, k.by, k.at::timestamp AT TIME ZONE 'UTC'
FROM unnest(%(ids)s::uuid[], %(outcomes)s::text[], %(reasons)s::text[], %(by)s::text[], %(at)s::text[])
    AS k (registration_id, outcome, lost_reason, by, at)
ORDER BY k.registration_id
ON CONFLICT (instance_id, tenant_id, registration_id) DO UPDATE
SET outcome = EXCLUDED.outcome, lost_reason = EXCLUDED.lost_reason, changed_by = EXCLUDED.changed_by,
    changed_at = EXCLUDED.changed_at, of_former_odoo = false

-- name: end_invoices (they are kept: what the app has seen does not vanish)
UPDATE bridge.invoice
SET state = 'deleted', payment_discrepancy = NULL, payment_discrepancy_about = NULL, changed_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])

-- name: take_invoices (rows as JSON by column; the values were checked when they were decoded)
INSERT INTO bridge.invoice
    (instance_id, tenant_id, id, odoo_id, kind, number, state, payment_state, total, residual, currency, invoice_date,
     due_date, paid_on, payment_reference, registration_id, client_id, credits_id, payment_discrepancy,
     payment_discrepancy_about)
SELECT %(instance)s, %(tenant)s, k.id, k.odoo_id, k.kind, k.number, k.state, k.payment_state, k.total, k.residual,
       k.currency, k.invoice_date, k.due_date, k.paid_on, k.payment_reference, k.registration_id, k.client_id,
       k.credits_id, k.payment_discrepancy, k.payment_discrepancy_about
FROM json_populate_recordset(NULL::bridge.invoice, %(rows)s::json) AS k
ORDER BY k.id
ON CONFLICT (instance_id, tenant_id, id) DO UPDATE
SET odoo_id = EXCLUDED.odoo_id, kind = EXCLUDED.kind, number = EXCLUDED.number, state = EXCLUDED.state,
    payment_state = EXCLUDED.payment_state, total = EXCLUDED.total, residual = EXCLUDED.residual,
    currency = EXCLUDED.currency, invoice_date = EXCLUDED.invoice_date, due_date = EXCLUDED.due_date,
    paid_on = EXCLUDED.paid_on, payment_reference = EXCLUDED.payment_reference,
    registration_id = EXCLUDED.registration_id, client_id = EXCLUDED.client_id, credits_id = EXCLUDED.credits_id,
    payment_discrepancy = EXCLUDED.payment_discrepancy,
    payment_discrepancy_about = EXCLUDED.payment_discrepancy_about, changed_at = now()

-- name: ignore_letters
UPDATE bridge.dead_letter SET resolved_at = now() WHERE id = ANY(%(ids)s::uuid[]) AND resolved_at IS NULL
