-- name: bound (the bindings of the changed records; a binding being settled right now is left for later)
SELECT b.entity, b.record_id, b.state, b.odoo_epoch, b.odoo_version, b.synced_at
FROM bridge.binding AS b
JOIN unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id) USING (entity, record_id)
WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s
ORDER BY b.entity, b.record_id
FOR UPDATE OF b SKIP LOCKED

-- name: agreed
SELECT v.record_id, v.field, v.app_value, v.odoo_value
FROM bridge.base_value AS v
WHERE v.instance_id = %(instance)s AND v.tenant_id = %(tenant)s AND v.entity = %(entity)s
  AND v.record_id = ANY(%(ids)s::uuid[])

-- name: forget_bases (both sides are compared as if they had never agreed)
DELETE FROM bridge.base_value
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s

-- name: advance (Odoo's versions up to this one are done)
UPDATE bridge.binding
SET odoo_epoch = %(epoch)s, odoo_version = %(version)s, state = %(state)s, synced_at = now(),
    res_id = CASE WHEN %(state)s = 'alias' THEN %(res_id)s ELSE res_id END
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s

-- name: known_invoice (as texts)
SELECT to_jsonb(i) FROM (
    SELECT kind, number, state, payment_state, total::text, residual::text, currency, invoice_date::text,
           due_date::text, paid_on::text, payment_reference, registration_id::text, client_id::text, credits_id::text
    FROM bridge.invoice
    WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = %(id)s
) AS i

-- name: take_invoice
INSERT INTO bridge.invoice AS i
    (instance_id, tenant_id, id, odoo_id, kind, number, state, payment_state, total, residual, currency, invoice_date,
     due_date, paid_on, payment_reference, registration_id, client_id, credits_id, payment_discrepancy,
     payment_discrepancy_about)
VALUES (%(instance)s, %(tenant)s, %(id)s, %(odoo_id)s, %(kind)s, %(number)s, %(state)s, %(payment_state)s, %(total)s,
        %(residual)s, %(currency)s, %(invoice_date)s, %(due_date)s, %(paid_on)s, %(payment_reference)s,
        %(registration)s, %(client)s, %(credits)s, %(concern)s, %(concern_about)s)
ON CONFLICT (instance_id, tenant_id, id) DO UPDATE
SET odoo_id = EXCLUDED.odoo_id, kind = EXCLUDED.kind, number = EXCLUDED.number, state = EXCLUDED.state,
    payment_state = EXCLUDED.payment_state, total = EXCLUDED.total, residual = EXCLUDED.residual,
    currency = EXCLUDED.currency, invoice_date = EXCLUDED.invoice_date, due_date = EXCLUDED.due_date,
    paid_on = EXCLUDED.paid_on, payment_reference = EXCLUDED.payment_reference,
    registration_id = EXCLUDED.registration_id, client_id = EXCLUDED.client_id, credits_id = EXCLUDED.credits_id,
    payment_discrepancy = EXCLUDED.payment_discrepancy,
    payment_discrepancy_about = EXCLUDED.payment_discrepancy_about, changed_at = now()

-- name: delete_invoice (it is kept: what the app has seen does not vanish)
UPDATE bridge.invoice SET state = 'deleted', payment_discrepancy = NULL, payment_discrepancy_about = NULL, changed_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = %(id)s

-- name: invoiced_registration (the one this invoice was for until now)
SELECT registration_id FROM bridge.invoice
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = %(id)s AND registration_id IS NOT NULL

-- name: newest_invoices (per registration; none where all are cancelled or deleted)
SELECT k.id, max(i.odoo_id)
FROM unnest(%(ids)s::uuid[]) AS k (id)
LEFT JOIN bridge.invoice AS i
    ON i.instance_id = %(instance)s AND i.tenant_id = %(tenant)s AND i.registration_id = k.id
   AND i.kind = 'invoice' AND i.state IN ('draft', 'posted') AND NOT i.of_former_odoo
GROUP BY k.id

-- name: bind_told (a record that Odoo made; Odoo gave it its id)
INSERT INTO bridge.binding
    (instance_id, tenant_id, entity, record_id, res_model, res_id, state, odoo_epoch, odoo_version, synced_at)
VALUES (%(instance)s, %(tenant)s, %(entity)s, %(id)s, %(model)s, %(res_id)s, %(state)s, %(epoch)s, %(version)s, now())
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE
SET res_id = EXCLUDED.res_id, state = EXCLUDED.state, odoo_epoch = EXCLUDED.odoo_epoch,
    odoo_version = EXCLUDED.odoo_version, synced_at = now()

-- name: displace_told (of the same tenant, and from before Odoo was set back)
WITH lost AS (
    UPDATE bridge.binding SET state = 'unlinked'
    WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id <> %(id)s
      AND (res_model, res_id) = (%(model)s, %(res_id)s) AND state = 'active' AND odoo_epoch < %(epoch)s
    RETURNING record_id
)
UPDATE bridge.invoice AS i SET state = 'deleted', payment_discrepancy = NULL, payment_discrepancy_about = NULL, changed_at = now()
FROM lost
WHERE i.instance_id = %(instance)s AND i.tenant_id = %(tenant)s AND i.id = lost.record_id
RETURNING i.registration_id

-- name: has_letter
SELECT 1 FROM bridge.dead_letter
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = %(id)s

-- name: raise_conflict
INSERT INTO bridge.conflict AS c
    (instance_id, tenant_id, entity, record_id, field, base_value, app_value, odoo_value, state)
VALUES (%(instance)s, %(tenant)s, %(entity)s, %(id)s, %(field)s, %(base)s, %(app)s, %(odoo)s, 'open')
ON CONFLICT (instance_id, tenant_id, entity, record_id, field) WHERE state = 'open' DO UPDATE
SET app_value = EXCLUDED.app_value, odoo_value = EXCLUDED.odoo_value,
    -- a decision is about the values it was made for
    decision = CASE WHEN (c.app_value, c.odoo_value) IS NOT DISTINCT FROM (EXCLUDED.app_value, EXCLUDED.odoo_value)
                     AND NOT %(refused)s
                    THEN c.decision ELSE '' END
-- a row that this statement inserted was never updated or locked by anyone
RETURNING c.xmax = 0 AS is_new

-- name: close_conflicts
UPDATE bridge.conflict
SET state = 'resolved', resolution = coalesce(nullif(decision, ''), 'agreed'), resolved_at = now()
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(id)s
  AND state = 'open' AND field = ANY(%(fields)s::text[])
RETURNING field, resolution

-- name: acquire (the lease on one task; free, expired or our own; gives since when)
INSERT INTO bridge.lease AS l (name, holder, until)
VALUES (%(name)s, %(holder)s, now() + %(duration)s)
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE l.holder = EXCLUDED.holder OR l.until < now()
RETURNING now()

-- name: release
DELETE FROM bridge.lease WHERE name = %(name)s AND holder = %(holder)s

-- name: receiving (tenants whose changes from Odoo may be applied)
SELECT t.tenant_id, t.schema_name
FROM bridge.tenant AS t
LEFT JOIN bridge.flow AS f
    ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = 'odoo_to_app'
WHERE t.instance_id = %(instance)s AND t.state = 'active' AND NOT coalesce(f.paused, false)

-- name: tell_outcome (what became of a lead; written only if it is news, and then gives what this Odoo had told before)
WITH before AS (
    SELECT outcome FROM bridge.lead_outcome
    WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND registration_id = %(id)s AND NOT of_former_odoo
)
INSERT INTO bridge.lead_outcome AS o
    (instance_id, tenant_id, registration_id, outcome, lost_reason, changed_by, changed_at)
VALUES (%(instance)s, %(tenant)s, %(id)s, %(outcome)s, %(lost_reason)s, %(by)s, %(at)s::timestamp AT TIME ZONE 'UTC')
ON CONFLICT (instance_id, tenant_id, registration_id) DO UPDATE
SET outcome = EXCLUDED.outcome, lost_reason = EXCLUDED.lost_reason, changed_by = EXCLUDED.changed_by,
    changed_at = EXCLUDED.changed_at, of_former_odoo = false
WHERE (o.outcome, o.lost_reason, o.of_former_odoo) IS DISTINCT FROM (EXCLUDED.outcome, EXCLUDED.lost_reason, false)
RETURNING coalesce((SELECT outcome FROM before), '')

-- name: patience (no row while no transaction of the app would fail)
SELECT (now() - %(patience)s) AT TIME ZONE 'UTC' WHERE bridge.writing_snapshots()
