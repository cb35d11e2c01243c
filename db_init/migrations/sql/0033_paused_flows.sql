-- Who stopped a flow, when and why: what waits is named with its cause.
ALTER TABLE bridge.flow ADD COLUMN IF NOT EXISTS paused_at timestamptz;
ALTER TABLE bridge.flow ADD COLUMN IF NOT EXISTS paused_by text NOT NULL DEFAULT '';
ALTER TABLE bridge.flow ADD COLUMN IF NOT EXISTS pause_reason text NOT NULL DEFAULT '';
