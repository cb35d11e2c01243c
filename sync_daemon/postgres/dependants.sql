-- name: renew_unread (of those, the ones that wait to be read; who has read one before settles an older version)
UPDATE bridge.delivery AS d
SET version = nextval('bridge.version_seq')
FROM (
    SELECT found.place
    FROM unnest(%(ids)s::uuid[]) AS k (record_id)
    CROSS JOIN LATERAL (
        SELECT ctid AS place
        FROM bridge.delivery
        WHERE instance_id = %(instance)s AND tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = k.record_id
          -- No other is locked: a pusher leaves a locked one alone, and one on its way would wait for its next hint.
          AND published_at IS NULL AND due_at <= now()
          -- Not by IS DISTINCT FROM: a planner that believes in an empty queue would take the index of all that is due.
          AND coalesce(dead_version <> version, true)
          AND NOT coalesce(version > %(version)s, false)
        OFFSET 0
        -- One that is being settled right now was read.
        FOR UPDATE SKIP LOCKED) AS found
) AS unread
WHERE d.ctid = unread.place
RETURNING d.record_id

-- name: dependants (of those, the ones that are bound or wait for the record that changed)
SELECT k.record_id
FROM unnest(%(ids)s::uuid[]) AS k (record_id)
LEFT JOIN LATERAL (
    SELECT id, version FROM bridge.binding AS b
    WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s AND b.entity = %(entity)s
      AND b.record_id = k.record_id
    OFFSET 0) AS b ON true
LEFT JOIN LATERAL (
    SELECT version FROM bridge.delivery AS d
    WHERE d.instance_id = %(instance)s AND d.tenant_id = %(tenant)s AND d.entity = %(entity)s
      AND d.record_id = k.record_id
    OFFSET 0) AS d ON true
WHERE (%(filtered)s OR b.id IS NOT NULL OR d.version IS NOT NULL)
  -- One whose version was drawn later has been read, or will be, with the change in sight.
  AND NOT coalesce(greatest(b.version, d.version) > %(version)s, false)
