-- One statement of the app may mark millions of records. The relay takes such a mark in parts: so many ids are done.
ALTER TABLE bridge.outbox ADD COLUMN taken int NOT NULL DEFAULT 0;
GRANT UPDATE (taken) ON bridge.outbox TO comply360_sync;
-- serves `c360 status`, which shows what ended in Odoo; there are few
CREATE INDEX binding_ended ON bridge.binding (tenant_id, state) WHERE state IN ('alias', 'unlinked');
