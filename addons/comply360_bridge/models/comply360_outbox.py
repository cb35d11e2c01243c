from odoo import fields, models
from odoo.tools import SQL

LATER = "5 seconds"


class Comply360Outbox(models.Model):
    """Marks of bound records that changed in Odoo. Triggers append them in the transaction of the change."""

    _name = "comply360.outbox"
    _inherit = ["comply360.guarded"]
    _description = "Comply360 Change to Send"
    _order = "id desc"
    _log_access = False
    binding_id = fields.Many2one("comply360.binding", required=True, readonly=True, ondelete="cascade")
    # a column of its own: polls find a tenant's marks by it
    tenant_id = fields.Many2one("comply360.tenant", readonly=True, ondelete="set null")
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
    # a poll reads as far as it returns, whatever else waits or is parked
    _pending_index = models.Index("(tenant_id, id) INCLUDE (binding_id, marked_at) WHERE state = 'pending'")
    _record_pending_index = models.Index("(binding_id, id) WHERE state = 'pending'")
    _parked_index = models.Index("(tenant_id, binding_id) WHERE state = 'parked'")

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
                INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at, marked_by)
                SELECT b.id, t.id, %s, 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', %s
                  FROM comply360_binding b
                  JOIN comply360_tenant t ON t.uuid = b.tenant AND t.installation = b.installation
                 WHERE b.id = ANY(%s)
             RETURNING id
                """,
                    op,
                    self.env.uid,
                    list(binding_ids),
                )
            )

    # -- the daemon's side ---------------------------------------------------------------------------------------------

    def _pull(self, installation, limit, per_tenant):
        """The newest mark of each due record, tenants in turn, oldest first; one more than `limit` if more are due.

        A record's other pending marks have an index of their own: without it PostgreSQL reads all that is pending for
        each record, where it believes that little is.
        """
        return self.env.execute_query_dict(
            SQL(
                """
            WITH RECURSIVE owing AS (
                (SELECT tenant_id FROM comply360_outbox WHERE state = 'pending' ORDER BY tenant_id LIMIT 1)
                UNION ALL
                SELECT (SELECT o.tenant_id FROM comply360_outbox o
                         WHERE o.state = 'pending' AND o.tenant_id > owing.tenant_id ORDER BY o.tenant_id LIMIT 1)
                  FROM owing WHERE owing.tenant_id IS NOT NULL
            ), due AS (
                SELECT m.newest, m.oldest, row_number() OVER (PARTITION BY t.id ORDER BY m.oldest) AS turn
                  FROM owing
                  JOIN comply360_tenant t ON t.id = owing.tenant_id
                 CROSS JOIN LATERAL (
                       SELECT o.id AS oldest, n.id AS newest
                         FROM comply360_outbox o
                        CROSS JOIN LATERAL (
                              SELECT b.state, b.opted_out FROM comply360_binding b
                               WHERE b.id = o.binding_id OFFSET 0) b
                        CROSS JOIN LATERAL (
                              SELECT n.id, n.due_at FROM comply360_outbox n
                               WHERE n.binding_id = o.binding_id AND n.state = 'pending'
                               ORDER BY n.binding_id DESC, n.id DESC LIMIT 1) n
                        WHERE o.tenant_id = t.id AND o.state = 'pending' AND n.due_at <= now() AT TIME ZONE 'UTC'
                          AND NOT (b.state = 'active' AND b.opted_out IS TRUE)
                          AND o.id = (SELECT e.id FROM comply360_outbox e
                                       WHERE e.binding_id = o.binding_id AND e.state = 'pending'
                                       ORDER BY e.binding_id, e.id LIMIT 1)
                        ORDER BY o.id LIMIT %(per_tenant)s) m
                 WHERE t.installation = %(installation)s AND t.status = 'active'
                 ORDER BY turn, m.oldest LIMIT %(limit)s
            )
            SELECT o.id, o.op, o.marked_at, u.login AS by, b.tenant, b.entity, b.external_id, b.res_model, b.res_id,
                   b.sent
              FROM due
             CROSS JOIN LATERAL (
                   SELECT o.id, o.op, o.marked_at, o.marked_by, o.binding_id FROM comply360_outbox o
                    WHERE o.id = due.newest OFFSET 0) o
             CROSS JOIN LATERAL (
                   SELECT b.tenant, b.entity, b.external_id, b.res_model, b.res_id, b.sent FROM comply360_binding b
                    WHERE b.id = o.binding_id OFFSET 0) b
              LEFT JOIN res_users u ON u.id = o.marked_by
             ORDER BY due.turn, due.oldest
            """,
                installation=installation,
                per_tenant=per_tenant,
                limit=limit + 1,
            )
        )

    def _settle(self, installation, ruling, verdicts):
        """Apply verdicts of one kind; gives how many of them affected a mark.

        Shapes: `verdicts` are (tenant, entity, id, version, message). The marks are found by index, record by record,
        and taken by their place: whatever PostgreSQL believes of a table that is empty most of the time, the cost is
        that of these marks. What the app has applied was synced now; a binding that a batch writes at this moment is
        passed over, as the batch notes the same.
        """
        if not verdicts:
            return 0
        effects = {
            "applied": SQL(
                """
                DELETE FROM comply360_outbox WHERE ctid = ANY(ARRAY(SELECT place FROM marks)) RETURNING binding_id
                ), noted AS (
                UPDATE comply360_binding SET synced_at = now() AT TIME ZONE 'UTC'
                 WHERE id = ANY(ARRAY(SELECT id FROM comply360_binding
                                       WHERE id = ANY(ARRAY(SELECT binding_id FROM done))
                                         FOR NO KEY UPDATE SKIP LOCKED))
                """
            ),
            "later": SQL(
                """
                UPDATE comply360_outbox SET due_at = now() AT TIME ZONE 'UTC' + %s::interval
                 WHERE ctid = ANY(ARRAY(SELECT place FROM marks))
                """,
                LATER,
            ),
            "parked": SQL(
                """
                UPDATE comply360_outbox o SET state = 'parked', message = m.message
                  FROM (SELECT place, max(message) AS message FROM marks GROUP BY place) m WHERE o.ctid = m.place
                """
            ),
        }
        return self.env.execute_query(
            SQL(
                """
            WITH marks AS MATERIALIZED (
                SELECT k.number, k.message, o.place
                  FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
                       WITH ORDINALITY AS k(tenant, entity, id, version, message, number)
                 CROSS JOIN LATERAL (
                       SELECT b.id FROM comply360_binding b
                        WHERE (b.installation, b.tenant, b.entity, b.external_id) = (%s, k.tenant, k.entity, k.id)
                       OFFSET 0) b
                 CROSS JOIN LATERAL (
                       SELECT o.ctid AS place FROM comply360_outbox o
                        WHERE o.binding_id = b.id AND o.id <= k.version OFFSET 0) o
            ), done AS (%s)
            SELECT count(DISTINCT number) FROM marks
            """,
                *map(list, zip(*verdicts, strict=True)),
                installation,
                effects[ruling],
            )
        )[0][0]

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
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at, marked_by)
            SELECT b.id, t.id,
                   CASE b.state WHEN 'active' THEN 'upsert' WHEN 'alias' THEN 'alias' ELSE 'unlink' END, 'pending',
                   now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', %s
              FROM comply360_binding b
              JOIN comply360_tenant t ON t.uuid = b.tenant AND t.installation = b.installation
             WHERE b.id = ANY(%s) AND b.res_id IS NOT NULL
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
            WITH pending AS (
                SELECT binding_id, min(marked_at) AS oldest FROM comply360_outbox
                 WHERE state = 'pending' GROUP BY binding_id
            ), parked AS (
                SELECT DISTINCT binding_id FROM comply360_outbox WHERE state = 'parked'
            )
            SELECT b.tenant, count(pending.binding_id) AS owed,
                   count(*) FILTER (WHERE pending.binding_id IS NULL) AS parked, min(pending.oldest) AS oldest
              FROM pending
              FULL JOIN parked USING (binding_id)
              JOIN comply360_binding b ON b.id = binding_id
             WHERE b.installation = %s AND NOT (b.state = 'active' AND b.opted_out IS TRUE)
             GROUP BY b.tenant ORDER BY b.tenant
            """,
                installation,
            )
        )

    def _causes(self, installation):
        """(tenant, cause, records): why records wait here, are parked here or do not flow."""
        return self.env.execute_query(
            SQL(
                """
            WITH newest AS (
                SELECT DISTINCT ON (binding_id) binding_id, state, due_at, message
                  FROM comply360_outbox ORDER BY binding_id, state DESC, id DESC
            ), bound AS (
                SELECT b.tenant, CASE
                       WHEN b.state = 'active' AND b.opted_out IS TRUE
                           THEN 'a user stopped syncing the record'
                       WHEN n.state = 'parked'
                           THEN 'the app could not take the change: ' || coalesce(n.message, '')
                       WHEN n.state = 'pending' AND t.id IS NULL
                           THEN 'the tenant has no record in Odoo'
                       WHEN n.state = 'pending' AND t.status <> 'active'
                           THEN 'the tenant is ' || t.status || ': its changes wait until it is active'
                       WHEN n.state = 'pending' AND n.due_at > now() AT TIME ZONE 'UTC'
                           THEN 'the app was busy with the record and takes the change later'
                       WHEN n.state = 'pending'
                           THEN 'the change is about to be taken by the app'
                       WHEN b.state = 'unlinked'
                           THEN 'a user deleted the record in Odoo'
                       WHEN b.state = 'alias'
                           THEN 'a user merged the record into another one in Odoo'
                       END AS cause
                  FROM comply360_binding b
                  LEFT JOIN newest n ON n.binding_id = b.id
                  LEFT JOIN comply360_tenant t ON t.uuid = b.tenant AND t.installation = b.installation
                 WHERE b.installation = %(installation)s
                   AND (n.binding_id IS NOT NULL OR b.state IN ('unlinked', 'alias') OR b.opted_out IS TRUE)
                UNION ALL
                SELECT t.uuid, 'a user must decide whether a customer in Odoo is the same'
                  FROM comply360_link l JOIN comply360_tenant t ON t.id = l.tenant_id
                 WHERE t.installation = %(installation)s AND l.state = 'open'
            )
            SELECT tenant, cause, count(*) FROM bound WHERE cause IS NOT NULL
             GROUP BY tenant, cause ORDER BY tenant, cause
            """,
                installation=installation,
            )
        )
