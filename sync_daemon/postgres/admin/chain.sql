-- name: tenants (with entries or a head; one that the app no longer registers has only its uuid)
SELECT k.tenant_id, coalesce(p.subdomain, '')
FROM (SELECT tenant_id FROM bridge.ledger_head UNION SELECT DISTINCT tenant_id FROM bridge.ledger) AS k
LEFT JOIN public.tenants AS p ON p.id = k.tenant_id
WHERE %(tenant)s::text IS NULL OR p.subdomain = %(tenant)s::text OR k.tenant_id::text = %(tenant)s::text
ORDER BY k.tenant_id

-- name: head (without one nothing was ever written down)
SELECT number, hash, dropped_number, dropped_hash FROM bridge.ledger_head WHERE tenant_id = %(tenant)s

-- name: page (its first broken entry, if any, and its last one)
WITH page AS (
    SELECT l.*, coalesce(lag(l.number) OVER place, %(number)s) AS number_before,
           coalesce(lag(l.hash) OVER place, %(hash)s) AS hash_before
    FROM (SELECT id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail, number,
                 hash, salt, detail_digest, erasure
          FROM bridge.ledger
          WHERE tenant_id = %(tenant)s AND (number, id) > (%(after)s, %(after_id)s)
          ORDER BY number, id
          LIMIT %(limit)s) AS l
    WINDOW place AS (ORDER BY l.number, l.id)
), judged AS (
    SELECT number, id, at, entity, record_id, action, hash, number_before,
           CASE WHEN number <= number_before THEN 'inserted'
                WHEN number > number_before + 1 THEN 'removed'
                WHEN hash <> bridge.ledger_hash(hash_before, number, at, run_id, instance_id, tenant_id, direction,
                                                entity, record_id, action, version, detail_digest) THEN 'changed'
                WHEN erasure IS NULL AND (salt IS NULL
                     OR detail_digest <> sha256(salt || convert_to(detail::text, 'UTF8'))) THEN 'values_changed'
                WHEN erasure IS NOT NULL AND (salt IS NOT NULL OR detail <> '{}' OR NOT EXISTS (
                     SELECT FROM bridge.erasure AS r WHERE r.id = erasure AND r.tenant_id = judged_of.tenant_id))
                     THEN 'blanked'
           END AS fault
    FROM page AS judged_of
)
(SELECT fault, number, id, at, entity, record_id, action, hash, number_before
 FROM judged WHERE fault IS NOT NULL ORDER BY number, id LIMIT 1)
UNION ALL
(SELECT NULL, number, id, at, entity, record_id, action, hash, number_before FROM judged ORDER BY number DESC, id DESC LIMIT 1)
