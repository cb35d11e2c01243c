-- Level 12: what a deployment changes of the contract. Versions are added, never changed; the newest is in force.

CREATE TABLE bridge.contract_override (
    version int PRIMARY KEY,
    -- tenants by uuid: another tenant that takes over a subdomain must not take over its rules
    rules jsonb NOT NULL,
    applied_by text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bridge.contract_override IS 'The overrides of the contract, by version. Written by c360 contract apply.';

GRANT SELECT, INSERT ON bridge.contract_override TO comply360_sync;
