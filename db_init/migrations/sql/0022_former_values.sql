-- What the app had in a field before Odoo's value was written over it: a row that was read before then, and is saved
-- whole, repeats it. It goes with its base.
CREATE TABLE bridge.former_value (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    record_id uuid NOT NULL,
    field text NOT NULL,
    app_values text[] NOT NULL,
    taken_value text NOT NULL,
    -- how often the app had one of these values again and was given Odoo's back
    repeats int NOT NULL DEFAULT 0,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, tenant_id, entity, record_id, field),
    FOREIGN KEY (instance_id, tenant_id, entity, record_id, field) REFERENCES bridge.base_value
        ON DELETE CASCADE ON UPDATE CASCADE
);
COMMENT ON TABLE bridge.former_value IS 'The app''s values from before Odoo''s, by field. Written by the puller.';

GRANT SELECT, INSERT, UPDATE, DELETE ON bridge.former_value TO comply360_sync;
