-- name: limit_collecting (the relay halves what it takes at once after a statement that was too slow)
SET LOCAL statement_timeout = '3s'

-- name: collect (marks become owed records, one per record; the version is drawn here, after the marks' commit)
WITH near AS MATERIALIZED (
    -- how many ids a mark holds is seen by its size: to read an array of millions takes long
    SELECT ctid AS place, id, schema_name, greatest((pg_column_size(record_ids) - 20) / 16, 1) AS ids, taken
    FROM bridge.outbox
    -- A mark belongs to the schema it was made in, whatever tenant the row names.
    WHERE (schema_name IN (SELECT schema_name FROM bridge.tenant WHERE selftest)) = %(selftest)s
    ORDER BY id
    LIMIT %(limit)s
    -- Another relay that collects at the same time takes the next ones.
    FOR UPDATE SKIP LOCKED
), placed AS (
    SELECT place, id, ids, least(ids - taken, %(limit)s) AS part, ids - taken > %(limit)s AS is_more,
           sum(least(ids - taken, %(limit)s)) OVER (PARTITION BY schema_name ORDER BY id)
               - least(ids - taken, %(limit)s) AS turn
    FROM near
), chosen AS (
    -- tenants in turn: a large one holds up no other
    SELECT place, ids, is_more
    FROM (SELECT place, id, ids, is_more, turn, sum(part) OVER (ORDER BY turn, id) - part AS before FROM placed
          WHERE turn < %(limit)s) AS fair
    WHERE before < 2 * %(limit)s
), whole AS (
    DELETE FROM bridge.outbox AS o
    USING chosen AS c
    -- The marks are locked, so they stay in their places; no estimate of the planner can go wrong here.
    WHERE o.ctid = c.place AND NOT c.is_more
    RETURNING o.tenant_id, o.schema_name, o.entity, o.record_ids[o.taken + 1:] AS record_ids, o.lane, o.marked_at, c.ids
), part AS (
    UPDATE bridge.outbox AS o
    SET taken = o.taken + %(limit)s
    FROM chosen AS c
    WHERE o.ctid = c.place AND c.is_more
    RETURNING o.tenant_id, o.schema_name, o.entity, o.record_ids[o.taken - %(limit)s + 1:o.taken] AS record_ids,
              o.lane, o.marked_at, c.ids
), taken AS (
    SELECT tenant_id, schema_name, entity, record_ids, marked_at,
           -- a statement about so many rows is a load: edits go first
           CASE WHEN ids > %(edit)s THEN 'bulk' ELSE lane END AS lane
    FROM (SELECT tenant_id, schema_name, entity, record_ids, lane, marked_at, ids FROM whole
          UNION ALL
          SELECT tenant_id, schema_name, entity, record_ids, lane, marked_at, ids FROM part) AS found
), compact AS (
    SELECT tenant_id, schema_name, entity, record_id, min(marked_at) AS marked_at,
           CASE WHEN bool_or(lane = 'live') THEN 'live' ELSE 'bulk' END AS lane
    FROM taken, unnest(record_ids) AS record_id
    GROUP BY tenant_id, schema_name, entity, record_id
), named AS (
    SELECT DISTINCT tenant_id, schema_name FROM compact
), tenant AS MATERIALIZED (
    SELECT t.tenant_id, t.schema_name, t.instance_id
    FROM named
    CROSS JOIN LATERAL (SELECT * FROM bridge.tenant AS t WHERE t.tenant_id = named.tenant_id OFFSET 0) AS t
    UNION
    SELECT t.tenant_id, t.schema_name, t.instance_id
    FROM named
    CROSS JOIN LATERAL (SELECT * FROM bridge.tenant AS t WHERE t.schema_name = named.schema_name OFFSET 0) AS t
), foreign_rows AS (
    INSERT INTO bridge.dead_letter
        (instance_id, tenant_id, direction, entity, record_id, version, code, message, field, value, attempts)
    SELECT owner.instance_id, owner.tenant_id, 'app_to_odoo', c.entity, c.record_id::text, '', 'foreign_tenant',
           format('%%s %%s in schema %%s names the tenant %%s, but the schema belongs to tenant %%s',
                  c.entity, c.record_id, c.schema_name, c.tenant_id, owner.tenant_id),
           'tenant_id', c.tenant_id::text, 1
    FROM compact AS c
    JOIN tenant AS owner USING (schema_name)
    WHERE owner.tenant_id <> c.tenant_id
    ON CONFLICT (instance_id, tenant_id, direction, entity, record_id, field) DO UPDATE
    SET last_at = now(), resolved_at = NULL, attempts = bridge.dead_letter.attempts + 1,
        message = EXCLUDED.message, value = EXCLUDED.value, code = EXCLUDED.code
    RETURNING instance_id, tenant_id, id
), own AS (
    SELECT t.instance_id, c.tenant_id, t.schema_name, c.entity, c.record_id, c.lane, c.marked_at
    FROM compact AS c
    JOIN tenant AS t USING (tenant_id, schema_name)
    UNION ALL
    -- Its schema was renamed, and the bridge has not followed yet; a copy of a schema that is there is none of ours.
    SELECT t.instance_id, c.tenant_id, t.schema_name, c.entity, c.record_id, max(c.lane), min(c.marked_at)
    FROM compact AS c
    JOIN tenant AS t USING (tenant_id)
    WHERE c.schema_name NOT IN (SELECT schema_name FROM tenant)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = t.schema_name)
      AND NOT EXISTS (SELECT FROM compact AS same
                      WHERE (same.tenant_id, same.schema_name, same.entity, same.record_id)
                          = (t.tenant_id, t.schema_name, c.entity, c.record_id))
    GROUP BY t.instance_id, c.tenant_id, t.schema_name, c.entity, c.record_id
    UNION ALL
    SELECT f.instance_id, f.tenant_id, t.schema_name, 'issue', f.id, 'live', now()
    FROM foreign_rows AS f
    JOIN tenant AS t USING (tenant_id)
), owed AS (
    INSERT INTO bridge.delivery AS d
        (instance_id, tenant_id, schema_name, entity, record_id, version, lane, marked_at, due_at)
    SELECT instance_id, tenant_id, schema_name, entity, record_id, nextval('bridge.version_seq'), lane, marked_at,
           -- People come after what shows them: most often they were written for its sake, and go along with it.
           CASE WHEN entity IN ('client', 'user') THEN now() + interval '200 ms' ELSE now() END
    FROM own
    ORDER BY tenant_id, entity, record_id
    ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE
    SET version = nextval('bridge.version_seq'),
        lane = CASE WHEN 'live' IN (d.lane, EXCLUDED.lane) THEN 'live' ELSE 'bulk' END,
        attempts = 0,
        -- A hint in flight finds the new version by itself; anything else is due at once.
        due_at = CASE WHEN d.published_at IS NULL THEN now() ELSE d.due_at END
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM owed)

-- name: owe (records that must go along, such as a parent; already owed ones stay as they are)
INSERT INTO bridge.delivery AS d (instance_id, tenant_id, schema_name, entity, record_id, version, lane, marked_at)
SELECT t.instance_id, t.tenant_id, t.schema_name, k.entity, k.record_id, nextval('bridge.version_seq'), 'live', now()
FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
CROSS JOIN LATERAL (SELECT * FROM bridge.tenant AS t WHERE t.tenant_id = k.tenant_id OFFSET 0) AS t
ORDER BY k.tenant_id, k.entity, k.record_id
ON CONFLICT (instance_id, tenant_id, entity, record_id) DO NOTHING

-- name: owes (whether a claim can find anything: less work than a claim, and most looks find nothing)
WITH RECURSIVE owing AS (
    (SELECT tenant_id FROM bridge.delivery WHERE dead_version IS DISTINCT FROM version
     ORDER BY tenant_id, lane, due_at LIMIT 1)
    UNION ALL
    SELECT next.tenant_id
    FROM owing
    CROSS JOIN LATERAL (
        SELECT tenant_id FROM bridge.delivery
        WHERE tenant_id > owing.tenant_id AND dead_version IS DISTINCT FROM version
        ORDER BY tenant_id, lane, due_at
        LIMIT 1) AS next
)
SELECT EXISTS (
    SELECT FROM owing
    CROSS JOIN LATERAL (
        SELECT FROM bridge.tenant AS t
        WHERE t.tenant_id = owing.tenant_id AND t.selftest = %(selftest)s AND t.state IN ('active', 'suspended')
        OFFSET 0) AS t)

-- name: claim (due records of one lane, tenants in turn, within what may be in flight; only those that owe anything)
WITH RECURSIVE owing AS (
    (SELECT tenant_id FROM bridge.delivery WHERE dead_version IS DISTINCT FROM version
     ORDER BY tenant_id, lane, due_at LIMIT 1)
    UNION ALL
    SELECT next.tenant_id
    FROM owing
    CROSS JOIN LATERAL (
        SELECT tenant_id FROM bridge.delivery
        WHERE tenant_id > owing.tenant_id AND dead_version IS DISTINCT FROM version
        ORDER BY tenant_id, lane, due_at
        LIMIT 1) AS next
), busy AS (
    SELECT tenant_id, count(*) AS records
    FROM bridge.delivery
    WHERE published_at IS NOT NULL AND due_at > now()
    GROUP BY tenant_id
), due AS (
    SELECT d.place
    FROM owing
    CROSS JOIN LATERAL (
        SELECT t.tenant_id, t.selftest, t.state, f.paused
        FROM bridge.tenant AS t
        LEFT JOIN bridge.flow AS f
            ON f.instance_id = t.instance_id AND f.tenant_id = t.tenant_id AND f.direction = 'app_to_odoo'
        WHERE t.tenant_id = owing.tenant_id
        OFFSET 0) AS t
    LEFT JOIN busy ON busy.tenant_id = t.tenant_id
    CROSS JOIN LATERAL (
        SELECT ready.place, row_number() OVER (ORDER BY ready.due_at) AS turn
        FROM (
            SELECT ctid AS place, due_at
            FROM bridge.delivery
            WHERE tenant_id = t.tenant_id AND lane = %(lane)s AND due_at <= now()
              AND dead_version IS DISTINCT FROM version
              AND (t.state = 'active' OR entity = 'tenant')
            ORDER BY due_at
            LIMIT greatest(0, %(per_tenant)s - coalesce(busy.records, 0))
            -- Another relay that claims at the same time takes the next ones.
            FOR UPDATE SKIP LOCKED
        ) AS ready
    ) AS d
    WHERE t.selftest = %(selftest)s AND t.state IN ('active', 'suspended') AND NOT coalesce(t.paused, false)
    ORDER BY d.turn
    LIMIT greatest(0, %(in_all)s - (SELECT coalesce(sum(records), 0) FROM busy))
)
UPDATE bridge.delivery AS d
SET published_at = now(), due_at = now() + %(lease)s
FROM due
-- The rows are locked, so they stay in their places; no estimate of the planner can go wrong here.
WHERE d.ctid = due.place
RETURNING d.instance_id, d.tenant_id, d.entity, d.record_id

-- name: begin_attempt (committed before the call, so that a crash is counted)
UPDATE bridge.delivery AS d
SET attempts = d.attempts + 1, sent_at = now()
WHERE d.ctid = ANY (ARRAY(
    SELECT d.place
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM bridge.delivery AS d
        WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
          AND d.record_id = k.record_id
        OFFSET 0) AS d))
RETURNING d.tenant_id, d.entity, d.record_id

-- name: draw
SELECT nextval('bridge.version_seq')

-- name: has_marks
SELECT EXISTS (SELECT 1 FROM bridge.outbox
               WHERE (schema_name IN (SELECT schema_name FROM bridge.tenant WHERE selftest)) = %(selftest)s)

-- name: release
UPDATE bridge.delivery AS d
SET published_at = NULL, due_at = now()
WHERE d.ctid = ANY (ARRAY(
    SELECT d.place
    FROM unnest(%(tenants)s::uuid[], %(entities)s::text[], %(ids)s::uuid[]) AS k (tenant_id, entity, record_id)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM bridge.delivery AS d
        WHERE d.instance_id = %(instance)s AND d.tenant_id = k.tenant_id AND d.entity = k.entity
          AND d.record_id = k.record_id
        OFFSET 0) AS d))
