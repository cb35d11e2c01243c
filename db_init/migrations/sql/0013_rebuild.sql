-- Level 13: another Odoo takes the place of the one that was there; what only the former one told stays, and says so.

ALTER TABLE bridge.invoice
    ADD COLUMN of_former_odoo boolean NOT NULL DEFAULT false,
    -- what was told is kept whole, so that it can be compared
    ADD COLUMN concern_about text;
ALTER TABLE bridge.lead_outcome ADD COLUMN of_former_odoo boolean NOT NULL DEFAULT false;

COMMENT ON TABLE bridge.odoo_instance IS
    'Odoo databases by name. name@uuid is one that another took the place of; its bindings are history.';
GRANT INSERT ON bridge.odoo_instance TO comply360_sync;
