-- Level 10: outgoing events have an order, the Odoo they come from and the time it happened; published ones go.

-- Nothing wrote into this table before.
ALTER TABLE bridge.event
    ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN instance_id text NOT NULL,
    ADD COLUMN occurred_at timestamptz NOT NULL;
COMMENT ON TABLE bridge.event IS 'What the app''s other services are told. Written by the puller, published by the event relay.';

DROP INDEX bridge.event_unpublished;
-- serves the event relay, in order
CREATE INDEX event_unpublished ON bridge.event (position) WHERE published_at IS NULL;
-- serves the removal of old ones
CREATE INDEX event_published ON bridge.event (published_at) WHERE published_at IS NOT NULL;

CREATE VIEW bridge.monitor_events AS
SELECT count(*) AS waiting, min(created_at) AS oldest FROM bridge.event WHERE published_at IS NULL;

GRANT DELETE ON bridge.event TO comply360_sync;
GRANT SELECT ON bridge.monitor_events TO comply360_sync, comply360_monitor;
