from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

SYNC_STATES = [("synced", "Synced"), ("waiting", "Waiting"), ("failed", "Failed"), ("opted_out", "Not Synced")]


class Comply360Synced(models.AbstractModel):
    """Fields that show where a record comes from and whether it is in sync with the app."""

    _name = "comply360.synced"
    _inherit = ["comply360.record", "comply360.walled", "comply360.guarded"]
    _description = "Record Synced with the Comply360 App"
    x_comply360_tenant_id = fields.Many2one(
        "comply360.tenant",
        string="Comply360 Tenant",
        index="btree_not_null",
        readonly=True,
        copy=False,
        ondelete="restrict",
    )
    x_comply360_external_id = fields.Char(
        string="Comply360 ID",
        index="btree_not_null",
        readonly=True,
        copy=False,
        help="The record's id in the Comply360 app.",
    )
    x_comply360_sync_state = fields.Selection(
        SYNC_STATES,
        string="Sync State",
        compute="_compute_x_comply360_sync",
        compute_sudo=True,
        help="Synced: the app and Odoo have the same values. Waiting: a change made in Odoo has not reached the app. "
        "Failed: the record needs attention; see the sync error. Not Synced: a user stopped syncing this record.",
    )
    x_comply360_synced_at = fields.Datetime(
        string="Last Synced",
        compute="_compute_x_comply360_sync",
        compute_sudo=True,
    )
    x_comply360_sync_error = fields.Char(
        string="Sync Error",
        compute="_compute_x_comply360_sync",
        compute_sudo=True,
    )

    def _compute_x_comply360_sync(self):
        found = self._comply360_sync_of(self.ids)
        for record in self:
            state, synced_at, error = found.get(record._origin.id, (False, False, False))
            record.x_comply360_sync_state = state
            record.x_comply360_synced_at = synced_at
            record.x_comply360_sync_error = error

    @api.model
    def _comply360_sync_of(self, ids):
        """Sync state, time and error of bound records, by id, read from the bridge's own tables."""
        if not ids:
            return {}
        self.env["comply360.issue"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
            SELECT b.res_id, b.opted_out, b.synced_at, issue.message,
                   EXISTS (SELECT FROM comply360_outbox o WHERE o.binding_id = b.id AND o.state = 'pending'),
                   EXISTS (SELECT FROM comply360_outbox o WHERE o.binding_id = b.id AND o.state = 'parked')
              FROM comply360_binding b
              LEFT JOIN LATERAL (
                   SELECT i.message FROM comply360_issue i
                    WHERE i.record_id = b.external_id AND i.record_entity = b.entity
                      AND i.tenant_id = b.tenant_id AND i.state = 'open' AND i.kind <> 'money'
                    ORDER BY i.id DESC LIMIT 1) issue ON TRUE
             WHERE b.res_model = %s AND b.res_id = ANY(%s) AND b.state = 'active'
            """,
                self._name,
                list(ids),
            )
        )
        return {res_id: _sync_state(*rest) for res_id, *rest in rows}

    def _comply360_retry(self):
        """Retry the open issues of these records, within the user's own rights, and notify the user of the counts."""
        self.check_access("read")
        rows = self.env.execute_query(
            SQL(
                """
                SELECT tenant_id, entity, external_id FROM comply360_binding
                 WHERE res_model = %s AND res_id = ANY(%s) AND state = 'active' AND tenant_id IS NOT NULL
                """,
                self._name,
                self.ids,
            )
        )
        named = [
            Domain("tenant_id", "=", tenant)
            & Domain("record_entity", "=", entity)
            & Domain("record_id", "=", record_id)
            for tenant, entity, record_id in rows
        ]
        issues = self.env["comply360.issue"].search(Domain("state", "=", "open") & Domain.OR(named))
        return issues.action_retry_selected()

    @api.model
    def _comply360_twins(self, bindings):
        if not self._fields["x_comply360_external_id"].store:
            return {}
        carried = {}
        for record in self.search([("x_comply360_external_id", "in", bindings.mapped("external_id"))], order="id"):
            carried.setdefault(record.x_comply360_external_id, []).append(record)
        # another tenant's record may have the same id: tenants that were cloned have
        return {
            binding.id: [
                record.id
                for record in carried.get(binding.external_id, ())
                if record.id != binding.res_id and record.x_comply360_tenant_id <= binding.tenant_id
            ]
            for binding in bindings
        }

    @api.model
    def _comply360_has_twin(self):
        """`_comply360_twins` as an SQL condition on the binding `p`."""
        if not self._fields["x_comply360_external_id"].store:
            return SQL("FALSE")
        return SQL(
            "EXISTS (SELECT FROM %s t WHERE t.x_comply360_external_id = p.external_id AND t.id <> p.res_id"
            " AND coalesce(t.x_comply360_tenant_id, p.tenant_id) = p.tenant_id)",
            SQL.identifier(self._table),
        )

    @api.model
    def _comply360_key_values(self, tenant, key):
        return {"x_comply360_tenant_id": tenant.id, "x_comply360_external_id": key[2]}

    @api.model
    def _comply360_carries_identity(self, tenant, entity):
        if not self._fields["x_comply360_external_id"].store:
            return SQL("TRUE")
        identity = self._comply360_key_values(tenant, (tenant.uuid, entity, None))
        del identity["x_comply360_external_id"]
        return SQL(
            "(t.x_comply360_external_id = p.external_id AND %s) IS TRUE",
            SQL(" AND ").join(
                SQL("%s = %s", SQL.identifier("t", name), value or None) for name, value in identity.items()
            ),
        )

    @api.model
    def _comply360_restore_identities(self, installation, entity, works):
        if not self._fields["x_comply360_external_id"].store:
            return []
        columns = {"x_comply360_external_id": SQL("k.external_id"), "x_comply360_tenant_id": SQL("c.id")}
        if "x_comply360_entity" in self._fields:
            columns["x_comply360_entity"] = SQL("%s", entity)
        self.flush_model(list(columns))
        # all at once and past the walls, which would find each record beside others that are still elsewhere
        rows = self.env.execute_query(
            SQL(
                """
                UPDATE %(table)s t SET %(values)s
                  FROM unnest(%(ids)s::int[], %(tenants)s::text[], %(external_ids)s::text[])
                       AS k(id, tenant, external_id)
                  JOIN comply360_tenant c ON c.uuid = k.tenant AND c.installation = %(installation)s
                 WHERE t.id = k.id AND (%(present)s) IS DISTINCT FROM (%(right)s)
             RETURNING t.id
                """,
                table=SQL.identifier(self._table),
                values=SQL(", ").join(SQL("%s = %s", SQL.identifier(name), value) for name, value in columns.items()),
                ids=[work.res_id for work in works],
                tenants=[work.document.tenant for work in works],
                external_ids=[work.document.record_id for work in works],
                installation=installation,
                present=SQL(", ").join(SQL.identifier("t", name) for name in columns),
                right=SQL(", ").join(columns.values()),
            )
        )
        restored = self.browse([row_id for (row_id,) in rows])
        restored.invalidate_recordset(list(columns), flush=False)
        restored.modified(list(columns))
        return restored.ids

    def _comply360_deviations(self, tenant, key):
        return [
            self._comply360_deviation(name, self[name], self._fields[name].convert_to_record(right, self))
            for name, right in self._comply360_restored(tenant, key).items()
        ]

    def _comply360_restored(self, tenant, key):
        if not self._fields["x_comply360_external_id"].store:
            return {}
        return {
            name: value
            for name, value in self._comply360_key_values(tenant, key).items()
            if self._fields[name].convert_to_write(self[name], self) != value
        }

    @api.model
    def _comply360_deviation(self, name, present, right):
        """One deviation as the wire names it."""
        return {"field": name, "value": _as_text(present), "expected": _as_text(right)}


def _as_text(value):
    if isinstance(value, models.BaseModel):
        return f"{value._name} {value.id} ({value.sudo().display_name})" if value else ""
    return "" if value is False or value is None else str(value)


def _sync_state(opted_out, synced_at, message, waiting, parked):
    if opted_out:
        return "opted_out", synced_at, False
    if message or parked:
        return "failed", synced_at, message or False
    return ("waiting" if waiting else "synced"), synced_at, False
