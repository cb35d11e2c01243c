-- Erasures: which customers were erased, at whose word, and which records went with them. Ids and counts only: the list
-- is what a restored backup is made to forget again.

CREATE TABLE bridge.erasure (
    id uuid PRIMARY KEY,
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    client_id uuid NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    -- when each side was done; both empty after a restore, until it is carried out again
    app_done_at timestamptz,
    odoo_done_at timestamptz,
    -- a side was set back to before it: the daemon must not start
    is_undone boolean NOT NULL DEFAULT false,
    receipt jsonb NOT NULL DEFAULT '{}',
    UNIQUE (instance_id, tenant_id, client_id)
);
COMMENT ON TABLE bridge.erasure IS 'Erased customers, with their receipts: ids and counts, no values. Written by c360 erase.';

CREATE TABLE bridge.erased (
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    record_id uuid NOT NULL,
    erasure_id uuid NOT NULL REFERENCES bridge.erasure,
    PRIMARY KEY (tenant_id, entity, record_id)
);
COMMENT ON TABLE bridge.erased IS 'The records of erased customers. Nothing of them is kept or sent again.';

-- Whoever writes about an erased record, and from wherever, leaves nothing: a batch that was under way, a late answer, a
-- mark of the row that the app still has.
CREATE FUNCTION bridge.keep_erased_out() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM bridge.erased) THEN
        EXECUTE format(
            'DELETE FROM bridge.%I AS t USING written AS w, bridge.erased AS e
              WHERE e.tenant_id = w.tenant_id AND e.entity = w.entity AND e.record_id::text = w.record_id::text
                AND t.instance_id = w.instance_id AND t.tenant_id = w.tenant_id AND t.entity = w.entity
                AND t.record_id = w.record_id', TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER keep_erased_out AFTER INSERT ON bridge.delivery REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.keep_erased_out();
CREATE TRIGGER keep_erased_out AFTER INSERT ON bridge.base_value REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.keep_erased_out();
CREATE TRIGGER keep_erased_out AFTER INSERT ON bridge.conflict REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.keep_erased_out();
CREATE TRIGGER keep_erased_out AFTER INSERT ON bridge.dead_letter REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.keep_erased_out();

-- Erases what schema bridge holds of an erasure's records; returns how much of each kind. Repeating it erases what came
-- since.
CREATE FUNCTION bridge.erase(erasure uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
DECLARE
    counts jsonb := '{}';
    number bigint;
    letters uuid[];
BEGIN
    DELETE FROM bridge.base_value AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('base values', number);

    DELETE FROM bridge.conflict AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('conflicts', number);

    WITH gone AS (
        DELETE FROM bridge.dead_letter AS t USING bridge.erased AS e
         WHERE e.erasure_id = erasure AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id::text)
        RETURNING t.id
    ) SELECT coalesce(array_agg(id), '{}') INTO letters FROM gone;
    counts := counts || jsonb_build_object('letters', cardinality(letters));
    DELETE FROM bridge.binding AS t USING bridge.erasure AS r
     WHERE r.id = erasure AND t.tenant_id = r.tenant_id AND t.entity = 'issue' AND t.record_id = ANY(letters);
    DELETE FROM bridge.delivery AS t USING bridge.erasure AS r
     WHERE r.id = erasure AND t.tenant_id = r.tenant_id AND t.entity = 'issue' AND t.record_id = ANY(letters);

    DELETE FROM bridge.delivery AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('owed records', number);

    DELETE FROM bridge.brake_held AS t USING bridge.brake AS b, bridge.erased AS e
     WHERE e.erasure_id = erasure AND b.id = t.brake_id
       AND (b.tenant_id, b.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('held by the brake', number);
    DELETE FROM bridge.brake_passed AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);

    DELETE FROM bridge.content AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND e.entity = 'document' AND (t.tenant_id, t.document_id) = (e.tenant_id, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('contents', number);

    DELETE FROM bridge.lead_outcome AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND e.entity = 'registration'
       AND (t.tenant_id, t.registration_id) = (e.tenant_id, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('outcomes of leads', number);

    -- A commission still needs the binding of its registration.
    DELETE FROM bridge.binding AS t USING bridge.erased AS e
     WHERE e.erasure_id = erasure AND e.entity <> 'registration'
       AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('bindings', number);
    UPDATE bridge.binding AS t SET digest = '', compared_digest = NULL, compared_from = NULL
      FROM bridge.erased AS e
     WHERE e.erasure_id = erasure AND e.entity = 'registration'
       AND (t.tenant_id, t.entity, t.record_id) = (e.tenant_id, e.entity, e.record_id);

    -- The chain is over the digest of the values and a salt; without the salt the digest says nothing.
    UPDATE bridge.ledger AS t SET detail = '{}', salt = NULL, erasure = e.erasure_id
      FROM bridge.erased AS e
     WHERE e.erasure_id = erase.erasure AND t.erasure IS NULL
       AND (t.tenant_id, t.record_id) = (e.tenant_id, e.record_id::text) AND t.entity = e.entity;
    GET DIAGNOSTICS number = ROW_COUNT;
    counts := counts || jsonb_build_object('ledger entries', number);
    UPDATE bridge.ledger AS t SET detail = '{}', salt = NULL, erasure = r.id
      FROM bridge.erasure AS r
     WHERE r.id = erase.erasure AND t.erasure IS NULL AND t.tenant_id = r.tenant_id AND t.entity = 'issue'
       AND t.record_id = ANY(letters::text[]);

    UPDATE bridge.erasure AS r
       SET receipt = jsonb_set(r.receipt, '{app}', (
               SELECT coalesce(jsonb_object_agg(total.kind, total.number), '{}')
                 FROM (SELECT each.key AS kind, sum(each.value::bigint) AS number
                         FROM (SELECT * FROM jsonb_each_text(coalesce(r.receipt -> 'app', '{}'))
                               UNION ALL SELECT * FROM jsonb_each_text(counts)) AS each
                        GROUP BY each.key HAVING sum(each.value::bigint) > 0) AS total))
     WHERE r.id = erase.erasure;
    RETURN counts;
END;
$$;

-- As before; entries about erased records are blank from the start.
CREATE OR REPLACE FUNCTION bridge.append_to_ledger(
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
    erasures uuid[] := '{}';
BEGIN
    INSERT INTO bridge.ledger_head (tenant_id)
    SELECT DISTINCT k.tenant_id FROM unnest(tenants) AS k (tenant_id) ORDER BY k.tenant_id
    ON CONFLICT DO NOTHING;
    FOR entry IN
        SELECT k.*, e.erasure_id
          FROM unnest(tenants, entities, record_ids, actions, versions, details) WITH ORDINALITY
               AS k (tenant_id, entity, record_id, action, version, detail, place)
          LEFT JOIN bridge.erased AS e
            ON (e.tenant_id, e.entity, e.record_id::text) = (k.tenant_id, k.entity, k.record_id)
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
        salts := salts || CASE WHEN entry.erasure_id IS NULL THEN salt END;
        digests := digests || digest;
        hashes := hashes || head.hash;
        erasures := erasures || entry.erasure_id;
    END LOOP;
    UPDATE bridge.ledger_head AS h SET number = head.number, hash = head.hash, at = head.at
     WHERE h.tenant_id = head.tenant_id;
    INSERT INTO bridge.ledger (at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail,
                               number, hash, salt, detail_digest, erasure)
    SELECT c.at, run, instance, tenants[c.place], direction, entities[c.place], record_ids[c.place], actions[c.place],
           versions[c.place], CASE WHEN c.erasure IS NULL THEN details[c.place] ELSE '{}' END, c.number, c.hash, c.salt,
           c.digest, c.erasure
      FROM unnest(places, times, numbers, hashes, salts, digests, erasures)
           AS c (place, at, number, hash, salt, digest, erasure);
    RETURN cardinality(places);
END;
$$;

REVOKE ALL ON FUNCTION bridge.keep_erased_out(), bridge.erase(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.erase(uuid) TO comply360_migrator;
GRANT SELECT, INSERT, UPDATE (app_done_at, odoo_done_at, is_undone, receipt) ON bridge.erasure TO comply360_sync;
GRANT SELECT, INSERT ON bridge.erased TO comply360_sync;
