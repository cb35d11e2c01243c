-- Level 16: records that were sent to Odoo, and no answer was written down since.

-- Odoo may have such a record although no binding says so: it is asked before the record is given up.
ALTER TABLE bridge.delivery ADD COLUMN sent_at timestamptz;
