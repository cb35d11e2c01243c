-- A row at least for every table of schema bridge, with the two tenants that are attached. Odoo's side as it may be.
UPDATE bridge.tenant SET state = 'active', epoch = 2, tenant_digest = 'd1', problem = '';
INSERT INTO bridge.odoo_instance (id, uuid, epoch) VALUES ('main@5f0c', '5f0c', 3);

INSERT INTO bridge.user_link (instance_id, tenant_id, user_id, odoo_user_id, odoo_login, state, decided_by)
SELECT 'main', tenant_id, gen_random_uuid(), 7, 'ann@example.org', 'confirmed', 'admin' FROM bridge.tenant;
INSERT INTO bridge.contract_override (version, rules, applied_by) VALUES (1, '{"rules": []}', 'admin');

INSERT INTO bridge.delivery (instance_id, tenant_id, schema_name, entity, record_id, version, lane, marked_at,
                             published_at, attempts, dead_version, last_error, sent_at)
SELECT 'main', tenant_id, schema_name, entity, record_id, nextval('bridge.version_seq'), lane, marked_at,
       now(), 2, 1, 'Odoo is away', now()
  FROM bridge.outbox, unnest(record_ids) AS record_id WHERE entity = 'registration';
INSERT INTO bridge.content (tenant_id, document_id, path, stamp, sha256)
SELECT tenant_id, gen_random_uuid(), 'a/b.pdf', 's1', repeat('0', 64) FROM bridge.tenant;
INSERT INTO bridge.backfill (tenant_id, entity, selection, after_id, marked)
SELECT tenant_id, 'client', '{"since": "2025-01-01"}', gen_random_uuid(), 12 FROM bridge.tenant;
INSERT INTO bridge.reconcile_request (schema_name, entity, reason) SELECT schema_name, 'client', 'truncate' FROM bridge.tenant;

INSERT INTO bridge.binding (instance_id, tenant_id, entity, external_id, res_model, res_id, version, digest, odoo_epoch,
                            odoo_version, compared_digest, compared_from)
SELECT 'main', tenant_id, entity, record_id, 'crm.lead', row_number() OVER (), 7, 'd7', 1, 9, 'd7', 'f7'
  FROM bridge.outbox, unnest(record_ids) AS record_id WHERE entity = 'registration';
INSERT INTO bridge.base_value (instance_id, tenant_id, entity, external_id, field, app_value, odoo_value)
SELECT instance_id, tenant_id, entity, external_id, 'company_name', 'Firm', 'FIRM' FROM bridge.binding;
INSERT INTO bridge.conflict (instance_id, tenant_id, entity, external_id, field, base_value, app_value, odoo_value,
                             decision, decided_value, decided_by, decided_at)
SELECT instance_id, tenant_id, entity, external_id, 'company_name', 'Firm', 'Firm 1', 'Firm 2', 'edit', 'Firm 3',
       'ann', now()
  FROM bridge.binding;

INSERT INTO bridge.lead_outcome (instance_id, tenant_id, registration_id, outcome, lost_reason, changed_by, changed_at,
                                 of_former_odoo)
SELECT instance_id, tenant_id, external_id, 'lost', 'too dear', 'Ann', now(), true FROM bridge.binding;
INSERT INTO bridge.invoice (instance_id, tenant_id, id, odoo_id, kind, number, state, payment_state, total, residual,
                            currency, invoice_date, due_date, paid_on, payment_reference, registration_id, client_id,
                            credits_id, concern, concern_about, of_former_odoo)
SELECT instance_id, tenant_id, gen_random_uuid(), res_id, 'credit_note', 'RINV/1', 'posted', 'paid', 100.10, 0, 'ZAR',
       '2025-01-02', '2025-02-02', '2025-01-09', 'P1', external_id, gen_random_uuid(), gen_random_uuid(), 'less paid',
       'P1', true
  FROM bridge.binding;
INSERT INTO bridge.event (tenant_id, type, subject, data, instance_id, occurred_at, published_at)
SELECT tenant_id, 'comply360.lead.lost.v1', external_id::text, '{"outcome": "lost"}', instance_id, now(), now()
  FROM bridge.binding;

INSERT INTO bridge.dead_letter (instance_id, tenant_id, direction, entity, record_id, field, version, code, message, value)
SELECT 'main', tenant_id, 'app_to_odoo', 'client', record_id::text, 'full_name', '7', 'required', 'no name', ''
  FROM bridge.outbox, unnest(record_ids) AS record_id WHERE entity = 'client';
INSERT INTO bridge.ledger (at, run_id, instance_id, tenant_id, direction, entity, record_id, action, version, detail)
SELECT at, gen_random_uuid(), 'main', tenant_id, 'odoo_to_app', 'registration', external_id::text, 'updated', '7', '{"a": 1}'
  FROM bridge.binding, unnest(ARRAY[now(), now() - interval '1 year']) AS at;

INSERT INTO bridge.flow (instance_id, tenant_id, direction, paused, last_success)
SELECT 'main', tenant_id, 'odoo_to_app', true, now() FROM bridge.tenant;
INSERT INTO bridge.lease (name, holder, until) VALUES ('pull main', gen_random_uuid(), now());
INSERT INTO bridge.run (id, service, finished_at, host, pid) VALUES (gen_random_uuid(), 'pull', now(), 'host', 7);
INSERT INTO bridge.heartbeat (instance_id, beat, begun_at, published_at, arrived_at, returned_at, returned_beat, unserved,
                              missing)
SELECT 'main', 3, now(), now(), now(), now(), 2, array_agg(tenant_id), '{clients}' FROM bridge.tenant;
