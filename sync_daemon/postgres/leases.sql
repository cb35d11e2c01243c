-- name: acquire (the lease on one task; free, expired or our own; gives since when)
INSERT INTO bridge.lease AS l (name, holder, until)
VALUES (%(name)s, %(holder)s, now() + %(duration)s)
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE l.holder = EXCLUDED.holder OR l.until < now()
RETURNING now()

-- name: release
DELETE FROM bridge.lease WHERE name = %(name)s AND holder = %(holder)s
