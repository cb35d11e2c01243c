-- The ledger is chained: each entry's hash covers the hash before it, per tenant. Entries are made by one function only,
-- so time, number and hash are the server's. The values of an entry are hashed with a salt; an erasure blanks both, and
-- the chain still holds.

-- The ends of each tenant's chain stand outside of the partitions, so that a missing first or last entry shows.
CREATE TABLE bridge.ledger_head (
    tenant_id uuid PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT '-infinity',
    -- the last entry that was dropped with its month
    dropped_number bigint NOT NULL DEFAULT 0,
    dropped_hash bytea NOT NULL DEFAULT ''
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.01, vacuum_truncate = off);
COMMENT ON TABLE bridge.ledger_head IS 'Both ends of each tenant''s chain of ledger entries. Written by bridge.append_to_ledger.';

ALTER TABLE bridge.ledger
    ADD COLUMN number bigint,
    ADD COLUMN hash bytea,
    ADD COLUMN salt bytea,
    ADD COLUMN detail_digest bytea,
    ADD COLUMN erasure uuid;
COMMENT ON COLUMN bridge.ledger.erasure IS 'The erasure that blanked detail and salt; null while they are there.';

-- The text of jsonb is the same on every server, and nothing in it can be moved from one field to the next.
CREATE FUNCTION bridge.ledger_hash(
    previous bytea, number bigint, at timestamptz, run_id uuid, instance_id text, tenant_id uuid, direction text,
    entity text, record_id text, action text, version text, detail_digest bytea
) RETURNS bytea LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(
        number, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), run_id, instance_id, tenant_id, direction,
        entity, record_id, action, version, encode(detail_digest, 'hex'))::text, 'UTF8'));
$$;

-- The head is locked from here to the end of the transaction: call it last.
CREATE FUNCTION bridge.append_to_ledger(
    run uuid, instance text, direction text, tenants uuid[], entities text[], record_ids text[], actions text[],
    versions text[], details jsonb[]
) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
DECLARE
    entry record;
    head bridge.ledger_head;
    salt bytea;
    digest bytea;
    places bigint[] := '{}';
    numbers bigint[] := '{}';
    times timestamptz[] := '{}';
    salts bytea[] := '{}';
    digests bytea[] := '{}';
    hashes bytea[] := '{}';
BEGIN
    INSERT INTO bridge.ledger_head (tenant_id)
    SELECT DISTINCT k.tenant_id FROM unnest(tenants) AS k (tenant_id) ORDER BY k.tenant_id
    ON CONFLICT DO NOTHING;
    FOR entry IN
        SELECT k.*
          FROM unnest(tenants, entities, record_ids, actions, versions, details) WITH ORDINALITY
               AS k (tenant_id, entity, record_id, action, version, detail, place)
         ORDER BY k.tenant_id, k.place
    LOOP
        IF head.tenant_id IS DISTINCT FROM entry.tenant_id THEN
            IF head.tenant_id IS NOT NULL THEN
                UPDATE bridge.ledger_head AS h SET number = head.number, hash = head.hash, at = head.at
                 WHERE h.tenant_id = head.tenant_id;
            END IF;
            SELECT h.* INTO head FROM bridge.ledger_head AS h WHERE h.tenant_id = entry.tenant_id FOR NO KEY UPDATE;
            -- Another transaction may have begun later and be first here: times follow the numbers, so that months
            -- hold whole pieces of the chain. A clock that was far ahead for a moment is not followed.
            head.at := CASE WHEN head.at < now() + interval '1 day' THEN greatest(head.at, now()) ELSE now() END;
        END IF;
        salt := uuid_send(gen_random_uuid());
        digest := sha256(salt || convert_to(entry.detail::text, 'UTF8'));
        head.number := head.number + 1;
        head.hash := bridge.ledger_hash(head.hash, head.number, head.at, run, instance, entry.tenant_id, direction,
                                        entry.entity, entry.record_id, entry.action, entry.version, digest);
        places := places || entry.place;
        numbers := numbers || head.number;
        times := times || head.at;
        salts := salts || salt;
        digests := digests || digest;
        hashes := hashes || head.hash;
    END LOOP;
    UPDATE bridge.ledger_head AS h SET number = head.number, hash = head.hash, at = head.at
     WHERE h.tenant_id = head.tenant_id;
    INSERT INTO bridge.ledger (at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail,
                               number, hash, salt, detail_digest)
    SELECT c.at, run, instance, tenants[c.place], direction, entities[c.place], record_ids[c.place], actions[c.place],
           versions[c.place], details[c.place], c.number, c.hash, c.salt, c.digest
      FROM unnest(places, times, numbers, hashes, salts, digests) AS c (place, at, number, hash, salt, digest);
    RETURN cardinality(places);
END;
$$;

-- Entries from before this level are chained in the order of their times.
DO $$
DECLARE
    entry record;
    head bridge.ledger_head;
    own bytea;
    digest bytea;
BEGIN
    FOR entry IN SELECT l.tableoid AS part, l.ctid AS place, l.* FROM bridge.ledger AS l ORDER BY l.tenant_id, l.at, l.id
    LOOP
        IF head.tenant_id IS DISTINCT FROM entry.tenant_id THEN
            INSERT INTO bridge.ledger_head AS h (tenant_id) VALUES (entry.tenant_id) RETURNING h.* INTO head;
        END IF;
        own := uuid_send(gen_random_uuid());
        digest := sha256(own || convert_to(entry.detail::text, 'UTF8'));
        head.number := head.number + 1;
        head.hash := bridge.ledger_hash(head.hash, head.number, entry.at, entry.run_id, entry.instance_id,
                                        entry.tenant_id, entry.direction, entry.entity, entry.record_id, entry.action,
                                        entry.version, digest);
        UPDATE bridge.ledger AS l SET number = head.number, hash = head.hash, salt = own, detail_digest = digest
         WHERE l.tableoid = entry.part AND l.ctid = entry.place;
        UPDATE bridge.ledger_head AS h SET number = head.number, hash = head.hash, at = entry.at
         WHERE h.tenant_id = head.tenant_id;
    END LOOP;
END;
$$;

ALTER TABLE bridge.ledger
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL,
    ALTER COLUMN detail_digest SET NOT NULL;
-- serves `c360 audit verify`, which reads a tenant's chain in order, and the drop of a month
CREATE INDEX ledger_of_tenant ON bridge.ledger (tenant_id, number);

-- As before, with the columns of the chain.
CREATE OR REPLACE FUNCTION bridge.ensure_ledger_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    part text := 'ledger_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('bridge.' || part) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(360360, 2);
    IF to_regclass('bridge.' || part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE bridge.%I (LIKE bridge.ledger INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format(
        'WITH moved AS (DELETE FROM bridge.ledger_default WHERE at >= $1 AND at < $2
                        RETURNING id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action,
                                  version, detail, number, hash, salt, detail_digest, erasure)
         INSERT INTO bridge.%I (id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action,
                                version, detail, number, hash, salt, detail_digest, erasure)
         SELECT id, at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail, number,
                hash, salt, detail_digest, erasure
           FROM moved', part) USING first, next;
    EXECUTE format('ALTER TABLE bridge.ledger ATTACH PARTITION bridge.%I FOR VALUES FROM (%L) TO (%L)',
                   part, first, next);
    -- as db_init/row_security.py closes every other table
    EXECUTE format('CREATE POLICY comply360_bridge_rows ON bridge.%I TO comply360_sync, comply360_bridge_owner'
                   ' USING (true) WITH CHECK (true)', part);
    EXECUTE format('ALTER TABLE bridge.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    RETURN true;
END;
$$;

-- Drops a month of the ledger; true if it was there. Only whole beginnings of a chain go, and the chain is verified
-- from their last entry on.
CREATE OR REPLACE FUNCTION bridge.drop_ledger_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
DECLARE
    part text := 'ledger_' || to_char(month, 'YYYY_MM');
    oldest date := date_trunc('month', now() AT TIME ZONE 'UTC') - interval '12 months';
    broken uuid;
BEGIN
    IF month IS NULL OR date_trunc('month', month::timestamp) >= oldest THEN
        RAISE EXCEPTION 'the ledger of % is kept: months go after a year at the earliest, and this one is not before %',
            coalesce(to_char(month, 'YYYY-MM'), 'no month'), to_char(oldest, 'YYYY-MM') USING ERRCODE = 'check_violation';
    END IF;
    IF to_regclass('bridge.' || part) IS NULL THEN
        RETURN false;
    END IF;
    -- pushers wait for this lock
    PERFORM set_config('lock_timeout', '2s', true);
    EXECUTE format('LOCK TABLE bridge.ledger, bridge.%I IN ACCESS EXCLUSIVE MODE', part);
    EXECUTE format(
        'SELECT l.tenant_id FROM bridge.%I AS l LEFT JOIN bridge.ledger_head AS h USING (tenant_id)
          GROUP BY l.tenant_id, h.dropped_number
         HAVING min(l.number) IS DISTINCT FROM h.dropped_number + 1
             OR max(l.number) - min(l.number) + 1 <> count(*) LIMIT 1', part) INTO broken;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'the ledger of % is kept: entries of tenant % are missing, or an older month is still there; '
            'run: c360 audit verify', to_char(month, 'YYYY-MM'), broken USING ERRCODE = 'check_violation';
    END IF;
    EXECUTE format(
        'UPDATE bridge.ledger_head AS h SET dropped_number = last.number, dropped_hash = last.hash
           FROM (SELECT DISTINCT ON (tenant_id) tenant_id, number, hash FROM bridge.%I
                  ORDER BY tenant_id, number DESC) AS last
          WHERE h.tenant_id = last.tenant_id', part);
    EXECUTE format('DROP TABLE bridge.%I', part);
    RETURN true;
END;
$$;

REVOKE ALL ON FUNCTION bridge.append_to_ledger(uuid, text, text, uuid[], text[], text[], text[], text[], jsonb[]),
    bridge.ledger_hash(bytea, bigint, timestamptz, uuid, text, uuid, text, text, text, text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.append_to_ledger(uuid, text, text, uuid[], text[], text[], text[], text[], jsonb[]),
    bridge.ledger_hash(bytea, bigint, timestamptz, uuid, text, uuid, text, text, text, text, text, bytea)
    TO comply360_sync;
REVOKE EXECUTE ON FUNCTION bridge.drop_ledger_partition(date) FROM comply360_sync;
GRANT EXECUTE ON FUNCTION bridge.drop_ledger_partition(date) TO comply360_migrator;
REVOKE INSERT ON bridge.ledger FROM comply360_sync;
GRANT SELECT ON bridge.ledger_head TO comply360_sync;
