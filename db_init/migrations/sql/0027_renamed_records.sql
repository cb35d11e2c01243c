-- The app may change the primary key of a row. It is one record all the same: its binding gets the new id, on both sides and
-- in this order, before anything is concluded from the row that is gone and the row that is new.
CREATE TABLE bridge.renamed_record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    former_id uuid NOT NULL,
    present_id uuid NOT NULL,
    renamed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.renamed_record IS 'Rows whose id the app changed. Written by a trigger; pushers take them away.';
-- serves every batch, which looks for those of its tenants; there are few
CREATE INDEX renamed_record_of_tenant ON bridge.renamed_record (tenant_id, id);

CREATE FUNCTION bridge.capture_renamed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, bridge, pg_temp AS $$
BEGIN
    IF OLD.tenant_id = NEW.tenant_id
       AND EXISTS (SELECT FROM bridge.tenant
                    WHERE tenant.tenant_id = NEW.tenant_id
                      AND (tenant.schema_name = TG_TABLE_SCHEMA
                           -- it was renamed; a copy of a schema that is there names no record of ours
                           OR NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = tenant.schema_name))) THEN
        INSERT INTO bridge.renamed_record (tenant_id, entity, former_id, present_id)
        VALUES (NEW.tenant_id, TG_ARGV[0], OLD.id, NEW.id);
    END IF;
    RETURN NULL;
END;
$$;
REVOKE ALL ON FUNCTION bridge.capture_renamed() FROM PUBLIC;
-- FOR UPDATE wants UPDATE on one column
GRANT SELECT, DELETE, UPDATE (renamed_at) ON bridge.renamed_record TO comply360_sync;
