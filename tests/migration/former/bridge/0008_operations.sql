-- Level 8: backfills that go on where they stopped, and what people decided about conflicts.

CREATE TABLE bridge.backfill (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    entity text NOT NULL,
    -- what was asked for besides: since, ids; a second run with the same words goes on with this one
    selection jsonb NOT NULL,
    after_id uuid,
    marked bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE bridge.backfill IS 'How far each backfill came. Written by c360 backfill.';
CREATE UNIQUE INDEX backfill_open ON bridge.backfill (tenant_id, entity, md5(selection::text)) WHERE finished_at IS NULL;

ALTER TABLE bridge.conflict
    ADD COLUMN decision text NOT NULL DEFAULT '' CHECK (decision IN ('', 'keep_app', 'keep_odoo', 'edit')),
    ADD COLUMN decided_value text NOT NULL DEFAULT '',
    ADD COLUMN decided_by text NOT NULL DEFAULT '',
    ADD COLUMN decided_at timestamptz;

GRANT SELECT, INSERT, UPDATE ON bridge.backfill TO comply360_sync;
