-- name: make
INSERT INTO bridge.claim (instance_id, installation) VALUES (%(instance)s, %(installation)s) ON CONFLICT DO NOTHING

-- name: present
SELECT token, next_token, number, is_announced, odoo
FROM bridge.claim
WHERE instance_id = %(instance)s AND installation = %(installation)s

-- name: begin (the next token, which stays the same until Odoo has it)
UPDATE bridge.claim SET next_token = coalesce(next_token, gen_random_uuid())
WHERE instance_id = %(instance)s AND installation = %(installation)s
RETURNING token, next_token, number, is_announced, odoo

-- name: left (only once, whichever processes heard of it)
UPDATE bridge.claim
SET token = next_token, next_token = NULL, number = %(number)s, is_announced = false, odoo = %(odoo)s
WHERE instance_id = %(instance)s AND installation = %(installation)s AND next_token = %(token)s
