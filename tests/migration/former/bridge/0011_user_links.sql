-- Level 11: which user of Odoo a user of the app is, as an admin decided it.

CREATE TABLE bridge.user_link (
    instance_id text NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    odoo_user_id int NOT NULL,
    -- as it was when it was decided, for people; the id is what counts
    odoo_login text NOT NULL,
    -- proposals are found anew at every look; a declined pair is not proposed again
    state text NOT NULL CHECK (state IN ('confirmed', 'declined')),
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, tenant_id, user_id)
);
COMMENT ON TABLE bridge.user_link IS 'Who of the app is whom in Odoo. Written by c360 user.';
-- within a tenant one user of Odoo is one person; serves the puller, which knows the approver by Odoo's id
CREATE UNIQUE INDEX user_link_of_odoo ON bridge.user_link (instance_id, tenant_id, odoo_user_id)
    WHERE state = 'confirmed';

GRANT SELECT, INSERT, UPDATE ON bridge.user_link TO comply360_sync;
