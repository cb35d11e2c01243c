-- Level 9, once per tenant: a lead shows how many documents its registration has; and the documents that are there.
CREATE OR REPLACE TRIGGER comply360_bridge_count_insert AFTER INSERT ON {schema}.documents
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture_named('registration', 'registration_id');
CREATE OR REPLACE TRIGGER comply360_bridge_count_update_from AFTER UPDATE ON {schema}.documents
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture_named('registration', 'registration_id');
CREATE OR REPLACE TRIGGER comply360_bridge_count_update_to AFTER UPDATE ON {schema}.documents
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture_named('registration', 'registration_id');
CREATE OR REPLACE TRIGGER comply360_bridge_count_delete AFTER DELETE ON {schema}.documents
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture_named('registration', 'registration_id');
-- of a tenant that was attached before documents were captured
SELECT bridge.mark(documents.tenant_id, {name}, 'document', array_agg(documents.id), 'bulk')
  FROM {schema}.documents
  JOIN bridge.tenant ON tenant.schema_name = {name} AND tenant.queued_at IS NOT NULL AND tenant.attach_level < 9
 GROUP BY documents.tenant_id;
