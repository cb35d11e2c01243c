-- Level 9: documents: what was read of their contents, and whom their number concerns.

CREATE TABLE bridge.content (
    tenant_id uuid NOT NULL,
    document_id uuid NOT NULL,
    path text NOT NULL,
    -- the storage's own: another one means another content
    stamp text NOT NULL,
    sha256 text NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, document_id)
);
COMMENT ON TABLE bridge.content IS 'The identity of each document''s content that was read. Written by pushers.';

-- Marks the records that the changed rows name. A column that is not there (any more) names none: the app's migrations
-- go on. The column's name comes from our own triggers only.
CREATE FUNCTION bridge.capture_named() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = TG_RELID AND attname = TG_ARGV[1] AND NOT attisdropped
                      AND atttypid = 'uuid'::regtype) THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids)
         SELECT changed.tenant_id, %L, %L, array_agg(DISTINCT changed.%I) FROM changed WHERE changed.%I IS NOT NULL
          GROUP BY changed.tenant_id',
        TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_ARGV[1]);
    RETURN NULL;
END;
$$;

REVOKE ALL ON FUNCTION bridge.capture_named() FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON bridge.content TO comply360_sync;
