-- name: note
INSERT INTO bridge.daemon (id, host, pid, version, contract_file, problems)
VALUES (%(id)s, %(host)s, %(pid)s, %(version)s, %(contract_file)s, %(problems)s::text[])
ON CONFLICT (id) DO UPDATE SET problems = EXCLUDED.problems, seen_at = now()

-- name: forget
DELETE FROM bridge.daemon WHERE seen_at < now() - %(after)s

-- name: ended
DELETE FROM bridge.daemon WHERE id = %(id)s

-- name: running
SELECT host, pid, version, contract_file, problems FROM bridge.daemon
WHERE seen_at >= now() - %(after)s
ORDER BY started_at, id
