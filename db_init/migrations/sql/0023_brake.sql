-- The brake: many records of one kind that lose values, end or step back at once wait for a person.

-- which fields held a value in Odoo when the record was last applied, and its status; not the values
ALTER TABLE bridge.binding ADD COLUMN outline text NOT NULL DEFAULT '';

CREATE TABLE bridge.brake (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    -- lapsed: nothing is held any more, because the app took back what it had done
    state text NOT NULL DEFAULT 'engaged' CHECK (state IN ('engaged', 'released', 'rejected', 'lapsed')),
    reason text NOT NULL,
    engaged_at timestamptz NOT NULL DEFAULT now(),
    -- what was owed at a version up to this one is decided
    until_version bigint NOT NULL DEFAULT 0,
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz
);
COMMENT ON TABLE bridge.brake IS 'Stops of one kind of a tenant''s records. Written by pushers and c360 brake.';
-- serves pushers, which look for the stop of a kind; there is at most one
CREATE UNIQUE INDEX brake_engaged ON bridge.brake (instance_id, tenant_id, entity) WHERE state = 'engaged';
-- serves pushers, which look for what was decided
CREATE INDEX brake_of_kind ON bridge.brake (instance_id, tenant_id, entity, state, until_version);

CREATE TABLE bridge.brake_held (
    brake_id uuid NOT NULL REFERENCES bridge.brake ON DELETE CASCADE,
    record_id uuid NOT NULL,
    version bigint NOT NULL,
    ends boolean NOT NULL,
    -- the fields that would change, and what statuses and emptied fields would become
    changes jsonb NOT NULL,
    PRIMARY KEY (brake_id, record_id)
);
COMMENT ON TABLE bridge.brake_held IS 'The records that a stop holds or held. Written by pushers.';
-- serves comparisons, which know a record by its id
CREATE INDEX brake_held_record ON bridge.brake_held (record_id);

CREATE TABLE bridge.brake_passed (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    record_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, tenant_id, entity, record_id)
);
COMMENT ON TABLE bridge.brake_passed IS 'The records that lost something lately. Written by pushers.';

GRANT SELECT, INSERT, UPDATE, DELETE ON bridge.brake, bridge.brake_held, bridge.brake_passed TO comply360_sync;

-- An emptied table asks for a comparison, and its records are marked: none of them fires a row's trigger. They are
-- marked in pieces, because one mark of all of them would be read at once.
CREATE OR REPLACE FUNCTION bridge.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    INSERT INTO bridge.reconcile_request (schema_name, entity, reason)
    VALUES (TG_TABLE_SCHEMA, TG_ARGV[0], 'truncate');
    INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids)
    SELECT bound.tenant_id, TG_TABLE_SCHEMA, TG_ARGV[0], array_agg(bound.record_id)
      FROM (SELECT b.tenant_id, b.record_id, row_number() OVER (ORDER BY b.record_id) / 1000 AS piece
              FROM bridge.tenant AS t
              JOIN bridge.binding AS b USING (instance_id, tenant_id)
             WHERE t.schema_name = TG_TABLE_SCHEMA AND b.entity = TG_ARGV[0] AND b.state = 'active') AS bound
     GROUP BY bound.tenant_id, bound.piece;
    RETURN NULL;
END;
$$;
