-- Level 19: which deliveries are in flight, found without reading all of them.

-- Asked at every claim, ten times a second: it must not cost more because the table was once large, or because somebody
-- holds a snapshot and its dead rows stay.
CREATE INDEX delivery_in_flight ON bridge.delivery (due_at) INCLUDE (tenant_id) WHERE published_at IS NOT NULL;
