from odoo import fields, models
from odoo.tools import SQL

LATER = "5 seconds"


class Comply360Outbox(models.Model):
    """Marks of bound records that changed in Odoo. Triggers append them in the transaction of the change."""

    _name = "comply360.outbox"
    _description = "Comply360 Change to Send"
    _order = "id desc"
    _log_access = False
    binding_id = fields.Many2one("comply360.binding", required=True, readonly=True, ondelete="cascade")
    tenant_id = fields.Many2one(related="binding_id.tenant_id")
    entity = fields.Selection(related="binding_id.entity", string="Kind of Record")
    external_id = fields.Char(related="binding_id.external_id")
    op = fields.Selection(
        [("upsert", "Changed"), ("unlink", "Deleted"), ("alias", "Merged"), ("ask", "Requested")],
        string="Change",
        required=True,
        readonly=True,
    )
    state = fields.Selection([("pending", "Waiting"), ("parked", "Parked")], required=True, readonly=True)
    due_at = fields.Datetime(string="Due", required=True, readonly=True)
    marked_at = fields.Datetime(string="Changed on", required=True, readonly=True)
    marked_by = fields.Many2one("res.users", string="Changed by", readonly=True, ondelete="set null")
    message = fields.Char(string="Reason", readonly=True)
    # the newest mark per record: for pulls, acknowledgements and the sync state
    _record_index = models.Index("(binding_id, id)")

    def init(self):
        """Give marks 64-bit ids."""
        self.env.cr.execute(
            "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'id'",
            [self._table],
        )
        if self.env.cr.fetchone() != ("bigint",):
            self.env.cr.execute("ALTER TABLE comply360_outbox ALTER COLUMN id TYPE bigint")
            self.env.cr.execute("ALTER SEQUENCE comply360_outbox_id_seq AS bigint")

    def _append(self, binding_ids, op):
        """Mark these bindings."""
        if binding_ids:
            self.env.execute_query(
                SQL(
                    """
                INSERT INTO comply360_outbox (binding_id, op, state, due_at, marked_at, marked_by)
                SELECT id, %s, 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', %s
                  FROM unnest(%s::int[]) AS id
             RETURNING id
                """,
                    op,
                    self.env.uid,
                    list(binding_ids),
                )
            )

    # -- the daemon's side ---------------------------------------------------------------------------------------------

    def _pull(self, installation, limit, per_tenant):
        """The newest mark of each due record, tenants in turn, oldest first; one more than `limit` if more are due."""
        return self.env.execute_query_dict(
            SQL(
                """
            WITH marked AS (
                SELECT binding_id, max(id) AS newest, min(id) AS oldest FROM comply360_outbox GROUP BY binding_id
            ), due AS (
                SELECT o.id, o.op, o.marked_at, u.login AS by, b.tenant, b.entity, b.external_id, b.res_model, b.res_id,
                       b.sent, row_number() OVER (PARTITION BY b.tenant ORDER BY m.oldest) AS turn, m.oldest
                  FROM marked m
                  JOIN comply360_outbox o ON o.id = m.newest
                  JOIN comply360_binding b ON b.id = m.binding_id
                  JOIN comply360_tenant t ON t.uuid = b.tenant AND t.installation = b.installation
                  LEFT JOIN res_users u ON u.id = o.marked_by
                 WHERE b.installation = %s AND o.state = 'pending' AND o.due_at <= now() AT TIME ZONE 'UTC'
                   AND t.status = 'active' AND NOT (b.state = 'active' AND b.opted_out IS TRUE)
            )
            SELECT * FROM due WHERE turn <= %s ORDER BY turn, oldest LIMIT %s
            """,
                installation,
                per_tenant,
                limit + 1,
            )
        )

    def _settle(self, installation, key, version, verdict, message):
        """Apply one verdict; gives whether a mark was affected."""
        marks = SQL(
            """
            SELECT o.id FROM comply360_outbox o JOIN comply360_binding b ON b.id = o.binding_id
             WHERE b.installation = %s AND (b.tenant, b.entity, b.external_id) = (%s, %s, %s) AND o.id <= %s
            """,
            installation,
            *key,
            version[1],
        )
        statements = {
            "applied": SQL("DELETE FROM comply360_outbox WHERE id IN (%s) RETURNING id", marks),
            "later": SQL(
                """
                UPDATE comply360_outbox SET due_at = now() AT TIME ZONE 'UTC' + %s::interval
                 WHERE id IN (%s) RETURNING id
                """,
                LATER,
                marks,
            ),
            "parked": SQL(
                "UPDATE comply360_outbox SET state = 'parked', message = %s WHERE id IN (%s) RETURNING id",
                message[:500],
                marks,
            ),
        }
        return bool(self.env.execute_query(statements[verdict]))

    def _requeue(self, installation, keys):
        """Mark each bound record of `keys` again; gives how many.

        The records are locked first: otherwise the mark of a user's open transaction could get an older version than
        this one although its values are newer.
        """
        found = self.env["comply360.binding"]._lock(installation, keys)
        by_model = {}
        for binding in found.values():
            if binding["state"] == "active":
                by_model.setdefault(binding["res_model"], []).append(binding["res_id"])
        for model, ids in sorted(by_model.items()):
            self.env.execute_query(
                SQL(
                    "SELECT id FROM %s WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                    SQL.identifier(self.env[model]._table),
                    ids,
                )
            )
        rows = self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_outbox (binding_id, op, state, due_at, marked_at, marked_by)
            SELECT id, CASE state WHEN 'active' THEN 'upsert' WHEN 'alias' THEN 'alias' ELSE 'unlink' END, 'pending',
                   now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', %s
              FROM comply360_binding WHERE id = ANY(%s) AND res_id IS NOT NULL
         RETURNING id
            """,
                self.env.uid,
                [binding["id"] for binding in found.values()],
            )
        )
        return len(rows)

    def _mark_leads(self, installation):
        """Mark every bound lead; gives how many."""
        keys = self.env.execute_query(
            SQL(
                """
            SELECT tenant, entity, external_id FROM comply360_binding
             WHERE installation = %s AND entity = 'registration' AND state = 'active' AND res_id IS NOT NULL
            """,
                installation,
            )
        )
        return self._requeue(installation, set(keys)) if keys else 0

    def _newest(self):
        """The highest mark number ever drawn; a restored database has drawn fewer."""
        return self.env.execute_query(
            SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM comply360_outbox_id_seq")
        )[0][0]

    def _backlog(self, installation):
        """By tenant: waiting records, parked records and the oldest waiting mark."""
        return self.env.execute_query_dict(
            SQL(
                """
            WITH marked AS (
                SELECT binding_id, max(id) AS newest, min(marked_at) AS oldest FROM comply360_outbox GROUP BY binding_id
            )
            SELECT b.tenant, count(*) FILTER (WHERE o.state = 'pending') AS owed,
                   count(*) FILTER (WHERE o.state = 'parked') AS parked,
                   min(m.oldest) FILTER (WHERE o.state = 'pending') AS oldest
              FROM marked m
              JOIN comply360_outbox o ON o.id = m.newest
              JOIN comply360_binding b ON b.id = m.binding_id
             WHERE b.installation = %s AND NOT (b.state = 'active' AND b.opted_out IS TRUE)
             GROUP BY b.tenant ORDER BY b.tenant
            """,
                installation,
            )
        )
