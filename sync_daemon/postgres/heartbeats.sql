-- name: begin (for the instances whose heartbeat is due; of several daemons one begins it)
INSERT INTO bridge.heartbeat AS h (instance_id, beat, begun_at)
SELECT i.id, 1, now()
FROM bridge.odoo_instance AS i
LEFT JOIN bridge.heartbeat AS last ON last.instance_id = i.id
WHERE i.id = ANY(%(instances)s::text[]) AND (last.begun_at IS NULL OR last.begun_at <= now() - %(interval)s)
ORDER BY i.id
ON CONFLICT (instance_id) DO UPDATE SET beat = h.beat + 1, begun_at = now()
WHERE h.begun_at <= now() - %(interval)s
RETURNING instance_id, beat

-- name: published
UPDATE bridge.heartbeat SET published_at = now() WHERE instance_id = %(instance)s

-- name: tenants (those whose records flow)
SELECT tenant_id FROM bridge.tenant WHERE instance_id = %(instance)s AND state = 'active' ORDER BY tenant_id

-- name: arrived
UPDATE bridge.heartbeat SET arrived_at = now(), unserved = %(unserved)s::uuid[], missing = %(missing)s::text[]
WHERE instance_id = %(instance)s

-- name: returned (numbers are not compared: after a restore they begin again)
UPDATE bridge.heartbeat SET returned_at = now(), returned_beat = %(beat)s
WHERE instance_id = %(instance)s AND returned_beat IS DISTINCT FROM %(beat)s

-- name: newest
SELECT instance_id, beat, created_at, begun_at, published_at, arrived_at, returned_at, unserved, missing
FROM bridge.heartbeat
ORDER BY instance_id
