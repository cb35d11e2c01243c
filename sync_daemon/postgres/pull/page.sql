-- name: bindings (of the changed records; one that is being settled right now is left for later)
SELECT b.entity, b.record_id, b.res_model, b.res_id, b.state, b.odoo_epoch, b.odoo_version, b.synced_at
FROM (SELECT * FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
      ORDER BY entity, record_id) AS k
CROSS JOIN LATERAL (
    SELECT * FROM bridge.binding AS b
    WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s AND b.entity = k.entity
      AND b.record_id = k.record_id
    OFFSET 0
    FOR UPDATE SKIP LOCKED) AS b

-- name: bases
SELECT v.entity, v.record_id, v.field, v.app_value, v.odoo_value
FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.base_value AS v
    WHERE v.instance_id = %(instance)s AND v.tenant_id = %(tenant)s AND v.entity = k.entity
      AND v.record_id = k.record_id
    OFFSET 0) AS v

-- name: formers (what the app had before Odoo's values; one write's are of one age)
SELECT f.entity, f.record_id, f.field, f.app_values, f.taken_value, now() - f.written_at, f.repeats
FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.former_value AS f
    WHERE f.instance_id = %(instance)s AND f.tenant_id = %(tenant)s AND f.entity = k.entity
      AND f.record_id = k.record_id
    OFFSET 0) AS f

-- name: issues (the dead letters that they show)
SELECT id, direction, entity, record_id, field, resolved_at IS NULL
FROM bridge.dead_letter
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])

-- name: conflicts (open ones of these records; who decides about one meanwhile waits)
SELECT c.entity, c.record_id, c.field, c.app_value, c.odoo_value, c.decision, c.decided_value, c.decided_by
FROM (
    -- what an issue is about need not be a record
    SELECT DISTINCT entity,
           CASE WHEN record ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN record::uuid END AS record_id
    FROM unnest(%(entities)s::text[], %(records)s::text[]) AS named (entity, record)
    ORDER BY entity, record_id
) AS k
CROSS JOIN LATERAL (
    SELECT * FROM bridge.conflict AS c
    WHERE c.instance_id = %(instance)s AND c.tenant_id = %(tenant)s AND c.entity = k.entity
      AND c.record_id = k.record_id AND c.state = 'open'
    ORDER BY c.field
    FOR UPDATE) AS c

-- name: outcomes (what became of these registrations' leads)
SELECT registration_id, outcome, lost_reason, of_former_odoo
FROM bridge.lead_outcome
WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND registration_id = ANY(%(ids)s::uuid[])

-- name: holders (active pairs with these records of Odoo, whosever they are)
SELECT b.res_model, b.res_id, b.tenant_id, b.entity, b.record_id, b.odoo_epoch
FROM unnest(%(models)s::text[], %(res_ids)s::int[]) AS k (res_model, res_id)
CROSS JOIN LATERAL (
    SELECT * FROM bridge.binding AS b
    WHERE b.instance_id = %(instance)s AND b.state = 'active' AND b.res_model = k.res_model AND b.res_id = k.res_id
    OFFSET 0) AS b

-- name: invoices (as texts: these, and all of the registrations that they are or were for)
WITH named AS (
    SELECT id, registration_id FROM bridge.invoice
    WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])
), wanted AS (
    SELECT id FROM named
    UNION
    SELECT i.id FROM bridge.invoice AS i
    WHERE i.instance_id = %(instance)s AND i.tenant_id = %(tenant)s
      AND (i.registration_id = ANY(%(registrations)s::uuid[])
           OR i.registration_id IN (SELECT registration_id FROM named))
)
SELECT i.id, i.odoo_id, i.of_former_odoo, jsonb_build_object(
    'kind', i.kind, 'number', i.number, 'state', i.state, 'payment_state', i.payment_state, 'total', i.total::text,
    'residual', i.residual::text, 'currency', i.currency, 'invoice_date', i.invoice_date::text,
    'due_date', i.due_date::text, 'paid_on', i.paid_on::text, 'payment_reference', i.payment_reference,
    'registration_id', i.registration_id::text, 'client_id', i.client_id::text, 'credits_id', i.credits_id::text)
FROM bridge.invoice AS i
JOIN wanted USING (id)
WHERE i.instance_id = %(instance)s AND i.tenant_id = %(tenant)s

-- name: erased (those of these records that are erased customers' own)
SELECT e.entity, e.record_id
FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, record_id)
JOIN bridge.erased AS e ON e.tenant_id = %(tenant)s AND e.entity = k.entity AND e.record_id = k.record_id

-- name: app_busy_since (no row while no transaction of the app would fail)
SELECT (now() - %(patience)s) AT TIME ZONE 'UTC' WHERE bridge.writing_snapshots(%(schema)s)

-- name: renamed (kinds of records of which one of these has another id in the app by now)
SELECT DISTINCT entity FROM bridge.renamed_record
WHERE tenant_id = %(tenant)s AND (former_id = ANY(%(ids)s::uuid[]) OR present_id = ANY(%(ids)s::uuid[]))
