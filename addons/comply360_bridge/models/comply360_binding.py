from odoo import fields, models
from odoo.tools import SQL

from ..mappers import MAPPERS, Refused

# what pages call them everywhere else
LABELS = {"client": "Customer", "user": "Agent"}
STATES = [
    ("active", "Active"),
    ("alias", "Merged into another"),
    ("unlinked", "Deleted in Odoo"),
    ("tombstone", "Deleted on both sides"),
    ("ambiguous", "Several may be it"),
]


class Comply360Binding(models.Model):
    """Links a record of the app to one of Odoo. Written only by SQL, in the transaction that writes the record."""

    _name = "comply360.binding"
    _inherit = ["comply360.walled", "comply360.guarded"]
    _description = "Comply360 Binding"
    _order = "id desc"
    _rec_name = "external_id"

    installation = fields.Char(string="App Installation", required=True, readonly=True)
    tenant = fields.Char(string="Tenant UUID", required=True, readonly=True)
    tenant_id = fields.Many2one("comply360.tenant", readonly=True, index="btree_not_null", ondelete="set null")
    entity = fields.Selection(
        [(entity, LABELS.get(entity, entity.capitalize())) for entity in MAPPERS],
        string="Kind of Record",
        required=True,
        readonly=True,
    )
    external_id = fields.Char(string="ID in the App", required=True, readonly=True, index=True)
    res_model = fields.Char(string="Model", required=True, readonly=True)
    res_id = fields.Many2oneReference(string="Record", model_field="res_model", readonly=True)
    state = fields.Selection(STATES, required=True, readonly=True)
    version = fields.Char(string="Applied Version", readonly=True)
    digest = fields.Char(readonly=True, help="Digest of the content that was applied. Empty if fields were left out.")
    sent = fields.Json(
        string="Values Sent by the App",
        readonly=True,
        help="For each two-way field: the base that the app sent, the value in Odoo after the write, and the newest "
        "version of Odoo's changes at that time.",
    )
    synced_at = fields.Datetime(string="Last Synced", readonly=True)
    compared_digest = fields.Char(readonly=True, help="The record's digest at the last comparison.")
    compared_from = fields.Char(
        readonly=True,
        help="Fingerprint of the values the compared digest was computed from; it is valid only for these.",
    )
    candidates = fields.Char(
        readonly=True, help="Records that may be this one, found when the bindings were adopted. A user must choose."
    )
    is_created = fields.Boolean(
        string="Created by the Bridge",
        readonly=True,
        help="The bridge created the record. Others were in Odoo before, and removing a test tenant keeps them.",
    )
    erasure = fields.Char(
        readonly=True, help="The erasure of the customer whose record this was. It is not synced again."
    )
    opted_out = fields.Boolean(readonly=True, help="A user stopped syncing this record, in both directions.")

    _record_unique = models.UniqueIndex(
        "(installation, tenant, entity, external_id)",
        "An app record can be bound only once.",
    )
    # which bindings lead to a record: for the triggers of deleted records, and for merges
    _target_index = models.Index("(res_model, res_id) WHERE state IN ('active', 'alias')")
    _target_unique = models.UniqueIndex(
        "(res_model, res_id) WHERE state = 'active'",
        "An Odoo record can be bound to only one app record.",
    )

    def _find(self, installation, keys):
        """(model, id, state) by key, for the keys that are bound to a record."""
        rows = self.env.execute_query(
            SQL(
                """
            SELECT b.tenant, b.entity, b.external_id, b.res_model, b.res_id, b.state
              FROM comply360_binding b
              JOIN unnest(%s::text[], %s::text[], %s::text[]) AS k(tenant, entity, id)
                ON (b.tenant, b.entity, b.external_id) = (k.tenant, k.entity, k.id)
             WHERE b.installation = %s AND b.res_id IS NOT NULL
            """,
                *_columns(keys),
                installation,
            )
        )
        return {
            (tenant, entity, record_id): (model, res_id, state)
            for tenant, entity, record_id, model, res_id, state in rows
        }

    def _is_foreign(self, installation, key, referrer):
        """Whether another tenant has the record of this key, and not the one that refers to it: a clone has both."""
        tenants = [
            {tenant for (tenant,) in self._tenants_with(installation, entity, record_id)}
            for _tenant, entity, record_id in (key, referrer)
        ]
        return key[0] not in tenants[0] and bool(tenants[0] - tenants[1])

    def _tenants_with(self, installation, entity, record_id):
        return self.env.execute_query(
            SQL(
                "SELECT tenant FROM comply360_binding WHERE installation = %s AND entity = %s AND external_id = %s",
                installation,
                entity,
                record_id,
            )
        )

    def _newest_epoch(self, installation):
        """The greatest epoch of the app's applied versions; 0 if there are none."""
        return self.env.execute_query(
            SQL(
                """
                SELECT coalesce(max(split_part(version, '.', 1)::int), 0) FROM comply360_binding
                 WHERE installation = %s AND version <> ''
                """,
                installation,
            )
        )[0][0]

    def _lock(self, installation, keys):
        """The bindings of these keys as dicts by key, locked in key order until the transaction ends.

        Batches with the same records wait for each other here instead of deadlocking later.
        """
        # a serialization failure decides a race, here and in _claim: it is no error for the log
        self.env.cr.execute(
            """
            SELECT b.id, b.tenant, b.entity, b.external_id, b.res_model, b.res_id, b.state, b.version, b.digest,
                   b.opted_out, b.sent, b.erasure
              FROM comply360_binding b
              JOIN unnest(%s::text[], %s::text[], %s::text[]) AS k(tenant, entity, id)
                ON (b.tenant, b.entity, b.external_id) = (k.tenant, k.entity, k.id)
             WHERE b.installation = %s
             ORDER BY b.tenant, b.entity, b.external_id
               FOR NO KEY UPDATE OF b
            """,
            (*_columns(keys), installation),
            log_exceptions=False,
        )
        rows = self.env.cr.dictfetchall()
        return {(row["tenant"], row["entity"], row["external_id"]): row for row in rows}

    def _claim(self, installation, keys):
        """Create the missing bindings; gives their ids by key.

        Waits for a concurrent transaction's claim. Once that commits, PostgreSQL ends this transaction with a
        serialization failure, and Odoo's retry finds the other's record.
        """
        if not keys:
            return {}
        self.env.cr.execute(
            """
            INSERT INTO comply360_binding
                   (installation, tenant, entity, external_id, res_model, state, create_uid, create_date)
            SELECT %s, k.tenant, k.entity, k.id, k.model, 'active', %s, now() AT TIME ZONE 'UTC'
              FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k(tenant, entity, id, model)
             ORDER BY k.tenant, k.entity, k.id
                ON CONFLICT (installation, tenant, entity, external_id) DO NOTHING
            RETURNING id, tenant, entity, external_id
            """,
            (installation, self.env.uid, *_columns(keys), [MAPPERS[key[1]].model for key in sorted(keys)]),
            log_exceptions=False,
        )
        return {(tenant, entity, record_id): row_id for row_id, tenant, entity, record_id in self.env.cr.fetchall()}

    def _insert(self, installation, rows):
        """Bind new records that nobody claimed; gives the bindings' ids by key.

        Shapes: (tenant, entity, id, model, tenant record's id, Odoo's id, version, digest, what the app sent as JSON)
        each, in the order of the keys. Where a concurrent transaction has bound the same record, this waits for it and
        ends like `_claim`.
        """
        if not rows:
            return {}
        self.env.cr.execute(
            """
            INSERT INTO comply360_binding
                   (installation, tenant, entity, external_id, res_model, tenant_id, res_id, version, digest, sent,
                    state, is_created, synced_at, create_uid, create_date, write_uid, write_date)
            SELECT %s, k.tenant, k.entity, k.id, k.model, k.tenant_id, k.res_id, k.version, k.digest, k.sent::jsonb,
                   'active', TRUE, now() AT TIME ZONE 'UTC', %s, now() AT TIME ZONE 'UTC', %s,
                   now() AT TIME ZONE 'UTC'
              FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::text[], %s::text[],
                          %s::text[])
                   AS k(tenant, entity, id, model, tenant_id, res_id, version, digest, sent)
                ON CONFLICT (installation, tenant, entity, external_id) DO NOTHING
         RETURNING id, tenant, entity, external_id
            """,
            (installation, self.env.uid, self.env.uid, *map(list, zip(*rows, strict=True))),
            log_exceptions=False,
        )
        return {(tenant, entity, record_id): row_id for row_id, tenant, entity, record_id in self.env.cr.fetchall()}

    def _settle(self, applied):
        """Store what was applied.

        Shapes: (binding id, tenant record's id, Odoo's id, version, digest, state, what the app sent as JSON) each.
        """
        if not applied:
            return
        columns = [list(column) for column in zip(*applied, strict=True)]
        self.env.execute_query(
            SQL(
                """
            UPDATE comply360_binding b
               SET tenant_id = a.tenant_id, res_id = a.res_id, version = a.version, digest = a.digest, state = a.state,
                   is_created = b.is_created IS TRUE OR b.res_id IS DISTINCT FROM a.res_id,
                   sent = a.sent::jsonb, synced_at = now() AT TIME ZONE 'UTC', write_uid = %s,
                   write_date = now() AT TIME ZONE 'UTC'
              FROM unnest(%s::int[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[])
                   AS a(id, tenant_id, res_id, version, digest, state, sent)
             WHERE b.id = a.id
         RETURNING b.id
            """,
                self.env.uid,
                *columns,
            )
        )
        self.invalidate_model()

    def _touch(self, records):
        """Make concurrent batches that write one of these records fail and retry.

        A transaction that waits for the binding or has read it ends with a serialization failure.
        """
        if records:
            self.env.cr.execute(
                """
                UPDATE comply360_binding SET write_date = now() AT TIME ZONE 'UTC'
                 WHERE id IN (SELECT id FROM comply360_binding
                               WHERE res_model = %s AND res_id = ANY(%s) AND state = 'active'
                               ORDER BY tenant, entity, external_id FOR NO KEY UPDATE)
                """,
                (records._name, records.ids),
                log_exceptions=False,
            )
            self.invalidate_model()

    def _release(self, binding_ids):
        """Delete claims whose record was not created."""
        if binding_ids:
            self.env.execute_query(
                SQL(
                    "DELETE FROM comply360_binding WHERE id = ANY(%s) AND res_id IS NULL RETURNING id",
                    list(binding_ids),
                )
            )

    def _bind(self, installation, tenant, key, record):
        """Bind a record of the app to an existing one of Odoo, with nothing applied yet; gives the binding's id."""
        rows = self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_binding
                   (installation, tenant, tenant_id, entity, external_id, res_model, res_id, state, create_uid,
                    create_date)
            VALUES (%s, %s, %s, %s, %s, %s, %s, 'active', %s, now() AT TIME ZONE 'UTC')
                ON CONFLICT (installation, tenant, entity, external_id) DO UPDATE
               SET is_created = comply360_binding.is_created AND comply360_binding.res_id = EXCLUDED.res_id,
                   res_id = EXCLUDED.res_id, tenant_id = EXCLUDED.tenant_id, state = 'active', opted_out = FALSE,
                   version = NULL, digest = NULL, sent = NULL
         RETURNING id
            """,
                installation,
                key[0],
                tenant.id,
                key[1],
                key[2],
                record._name,
                record.id,
                self.env.uid,
            )
        )
        self.invalidate_model()
        named = [("x_comply360_tenant_id", "=", tenant.id), ("x_comply360_external_id", "=", key[2])]
        former = record.with_context(active_test=False).search(named) - record
        former.write({"x_comply360_tenant_id": False, "x_comply360_external_id": False})
        record.write(record._comply360_key_values(tenant, key))
        return rows[0][0]

    def _rename(self, installation, key, record_id):
        """Let everything that names a record of the app name it by its new id; without effect once that is done."""
        tenant, entity, former = key
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                UPDATE comply360_binding SET external_id = %s, compared_digest = NULL
                 WHERE installation = %s AND tenant = %s AND entity = %s AND external_id = %s
             RETURNING res_model, res_id, state
                """,
                record_id,
                installation,
                tenant,
                entity,
                former,
            )
        )
        self.env.invalidate_all()
        for model, res_id, state in rows:
            record = self.env[model].browse(res_id or []).exists()
            if state == "active" and record and record._fields["x_comply360_external_id"].store:
                record.write({"x_comply360_external_id": record_id})
        of_tenant = [("tenant_id.uuid", "=", tenant), ("tenant_id.installation", "=", installation)]
        issues = self.env["comply360.issue"].search(
            [*of_tenant, ("record_entity", "=", entity), ("record_id", "=", former)]
        )
        issues.write({"record_id": record_id})
        if entity == "client":
            proposals = self.env["comply360.link"].search([*of_tenant, ("external_id", "=", former)])
            proposals.write({"external_id": record_id})

    def _set_opted_out(self, model, ids, opted_out):
        """Opt bound records out of the sync, or in again: then the app is asked to send them."""
        rows = self.env.execute_query(
            SQL(
                """
            UPDATE comply360_binding SET opted_out = %s
             WHERE res_model = %s AND res_id = ANY(%s) AND state = 'active' AND opted_out IS DISTINCT FROM %s
         RETURNING id
            """,
                opted_out,
                model,
                list(ids),
                opted_out,
            )
        )
        self.invalidate_model()
        if not opted_out:
            self.env["comply360.outbox"]._append([row_id for (row_id,) in rows], "ask")

    def _merge_into(self, losers, survivor):
        """Make the losers' bindings aliases of the survivor, before the losers are deleted."""
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
            UPDATE comply360_binding SET state = 'alias', res_id = %s
             WHERE res_model = %s AND res_id = ANY(%s) AND state IN ('active', 'alias')
         RETURNING id
            """,
                survivor.id,
                survivor._name,
                losers.ids,
            )
        )
        self.invalidate_model()
        self.env["comply360.outbox"]._append([row_id for (row_id,) in rows], "alias")
        # what came from a tenant stays within its walls
        tenants = (losers | survivor).sudo().x_comply360_tenant_id
        if tenants and not survivor.sudo().x_comply360_tenant_id:
            survivor.sudo().x_comply360_tenant_id = tenants[0]
        survivor._comply360_check_wall()

    def _settle_tenant(self, installation, tenant):
        """Bind a tenant that arrives before its own document."""
        key = (tenant.uuid, "tenant", tenant.uuid)
        claimed = self._claim(installation, {key})
        self.browse(claimed.values()).write({"res_id": tenant.id, "tenant_id": tenant.id})

    def _leave_open(self, installation, tenant, key, candidates):
        """Hold a record of the app back until a user chooses its half: `candidates` says which ones there are."""
        self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_binding
                   (installation, tenant, tenant_id, entity, external_id, res_model, state, candidates, create_uid,
                    create_date)
            VALUES (%s, %s, %s, %s, %s, %s, 'ambiguous', %s, %s, now() AT TIME ZONE 'UTC')
                ON CONFLICT (installation, tenant, entity, external_id) DO UPDATE
               SET state = 'ambiguous', res_id = NULL, version = NULL, digest = NULL, sent = NULL,
                   candidates = EXCLUDED.candidates
         RETURNING id
            """,
                installation,
                key[0],
                tenant.id,
                key[1],
                key[2],
                MAPPERS[key[1]].model,
                candidates,
                self.env.uid,
            )
        )
        self.invalidate_model()

    def _why_ambiguous(self):
        """The refusal of a document whose record nobody has chosen yet."""
        message = (
            f"Odoo may already have this record: {self.candidates}; choose it with c360 binding relink, or have a new "
            "one made with c360 binding recreate"
        )
        return Refused("ambiguous", message)

    def _mark_unlinked(self, binding_ids):
        """Mark these bindings' records as deleted."""
        if binding_ids:
            self.env.execute_query(
                SQL(
                    "UPDATE comply360_binding SET state = 'unlinked' WHERE id = ANY(%s) RETURNING id",
                    list(binding_ids),
                )
            )
            self.invalidate_model()

    def action_open_record(self):
        """Open the bound record."""
        self.ensure_one()
        self.check_access("read")
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }


def _columns(keys):
    ordered = sorted(keys)
    return [list(column) for column in zip(*ordered, strict=True)] if ordered else [[], [], []]
