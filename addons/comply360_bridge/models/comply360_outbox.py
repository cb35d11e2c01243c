from odoo import fields, models
from odoo.tools import SQL

LATER = "5 seconds"
TRIGGERS = (
    "comply360_account_move_deleted",
    "comply360_account_move_inserted",
    "comply360_account_move_updated",
    "comply360_comply360_issue_updated",
    "comply360_crm_lead_deleted",
    "comply360_crm_lead_reported",
    "comply360_ir_attachment_deleted",
    "comply360_res_partner_deleted",
    "comply360_res_partner_updated",
    "comply360_x_commission_deleted",
    "comply360_x_commission_reported",
    "comply360_x_commission_updated",
)


class Comply360Outbox(models.Model):
    """Marks: which bound records changed here. Triggers append them in the transaction of the change."""

    _name = "comply360.outbox"
    _description = "Comply360 Change to Send"
    _order = "id desc"
    _log_access = False

    binding_id = fields.Many2one("comply360.binding", required=True, readonly=True, ondelete="cascade")
    tenant_id = fields.Many2one(related="binding_id.tenant_id")
    entity = fields.Selection(related="binding_id.entity", string="Kind of Record")
    external_id = fields.Char(related="binding_id.external_id")
    op = fields.Selection(
        [("upsert", "Changed"), ("unlink", "Deleted"), ("alias", "Merged"), ("ask", "Asked for")],
        string="What Happened",
        required=True,
        readonly=True,
    )
    state = fields.Selection([("pending", "Waiting"), ("parked", "Parked")], required=True, readonly=True)
    due_at = fields.Datetime(string="Due", required=True, readonly=True)
    marked_at = fields.Datetime(string="Changed", required=True, readonly=True)
    marked_by = fields.Many2one("res.users", string="Changed by", readonly=True, ondelete="set null")
    message = fields.Char(string="Why it is parked", readonly=True)

    # the newest mark per record: pulling, acknowledging, the sync state of a record
    _record_index = models.Index("(binding_id, id)")

    def init(self):
        """Marks are counted beyond 32 bits."""
        self.env.cr.execute(
            "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'id'",
            [self._table],
        )
        if self.env.cr.fetchone() != ("bigint",):
            self.env.cr.execute("ALTER TABLE comply360_outbox ALTER COLUMN id TYPE bigint")
            self.env.cr.execute("ALTER SEQUENCE comply360_outbox_id_seq AS bigint")

    # -- triggers --------------------------------------------------------------------------------------------------

    def _watch_updates(self, model, columns, entity=False, event="updated", also_own=False):
        """Mark bound records of a model (or of one entity) when one of these columns changes, whoever changes it.

        A stored computed field does not pass through write(): only a trigger sees it. With `also_own` a change that
        the bridge's own writing caused is marked as well: for what the app is told and never tells.
        """
        table = self.env[model]._table
        self._watch(
            table,
            event,
            SQL("UPDATE"),
            SQL("REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
            SQL(
                """
            INSERT INTO comply360_outbox (binding_id, op, state, due_at, marked_at, marked_by)
            SELECT b.id, 'upsert', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', n.write_uid
              FROM new_rows n
              JOIN old_rows o ON o.id = n.id
              JOIN comply360_binding b ON b.res_model = %(model)s AND b.res_id = n.id AND b.state = 'active'
                   AND %(entity)s
             WHERE (%(new)s) IS DISTINCT FROM (%(old)s);
            """,
                model=_literal(model),
                entity=SQL("b.entity = %s", _literal(entity)) if entity else SQL("TRUE"),
                new=SQL(", ").join(SQL.identifier("n", column) for column in columns),
                old=SQL(", ").join(SQL.identifier("o", column) for column in columns),
            ),
            also_own,
        )

    def _watch_deletes(self, model):
        """Mark bound records of a model when they are deleted; the binding is unlinked in the same statement."""
        table = self.env[model]._table
        self._watch(
            table,
            "deleted",
            SQL("DELETE"),
            SQL("REFERENCING OLD TABLE AS old_rows"),
            SQL(
                """
            WITH gone AS (
                UPDATE comply360_binding b SET state = 'unlinked'
                  FROM old_rows o
                 WHERE b.res_model = %s AND b.res_id = o.id AND b.state IN ('active', 'alias')
             RETURNING b.id)
            INSERT INTO comply360_outbox (binding_id, op, state, due_at, marked_at)
            SELECT id, 'unlink', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM gone;
            """,
                _literal(model),
            ),
        )

    def _watch_invoices(self, columns, move_types):
        """Bind each invoice of a tenant under a new id, and mark it; one that goes to another tenant ends in the first.

        No batch ever writes an invoice, so nothing can go back to where it came from.
        """
        changed = SQL(
            " OR (%s) IS DISTINCT FROM (%s)",
            *(SQL(", ").join(SQL.identifier(side, column) for column in columns) for side in ("n", "o")),
        )
        kinds = SQL(", ").join(_literal(kind) for kind in move_types)
        join = "JOIN old_rows o ON o.id = n.id"
        for event, operation, transition, old_rows, is_changed in (
            ("inserted", "INSERT", "NEW TABLE AS new_rows", "", SQL("")),
            ("updated", "UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows", join, changed),
        ):
            self._watch(
                "account_move",
                event,
                SQL(operation),
                SQL(f"REFERENCING {transition}"),
                SQL(
                    """
            WITH lost AS (
                UPDATE comply360_binding b SET state = 'unlinked'
                  FROM new_rows n
                  LEFT JOIN comply360_tenant t ON t.id = n.x_comply360_tenant_id
                 WHERE b.res_model = 'account.move' AND b.res_id = n.id AND b.state = 'active'
                   AND (b.bridge, b.tenant) IS DISTINCT FROM (t.bridge, t.uuid)
             RETURNING b.id)
            INSERT INTO comply360_outbox (binding_id, op, state, due_at, marked_at)
            SELECT id, 'unlink', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM lost;

            WITH bound AS (
                INSERT INTO comply360_binding
                       (bridge, tenant, tenant_id, entity, external_id, res_model, res_id, state, version, digest,
                        synced_at, create_uid, create_date)
                SELECT t.bridge, t.uuid, t.id, 'invoice', gen_random_uuid()::text, 'account.move', n.id, 'active', '',
                       '', now() AT TIME ZONE 'UTC', n.write_uid, now() AT TIME ZONE 'UTC'
                  FROM new_rows n
                  JOIN comply360_tenant t ON t.id = n.x_comply360_tenant_id
                 WHERE n.move_type IN (%(kinds)s)
                   AND NOT EXISTS (SELECT FROM comply360_binding b
                                    WHERE b.res_model = 'account.move' AND b.res_id = n.id AND b.state = 'active')
             RETURNING id, res_id)
            INSERT INTO comply360_outbox (binding_id, op, state, due_at, marked_at, marked_by)
            SELECT coalesce(bound.id, b.id), 'upsert', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC',
                   n.write_uid
              FROM new_rows n
              %(old_rows)s
              LEFT JOIN bound ON bound.res_id = n.id
              LEFT JOIN comply360_binding b
                ON b.res_model = 'account.move' AND b.res_id = n.id AND b.state = 'active'
             WHERE bound.id IS NOT NULL OR (b.id IS NOT NULL AND (FALSE%(changed)s));
            """,
                    kinds=kinds,
                    old_rows=SQL(old_rows),
                    changed=is_changed,
                ),
                also_own=True,
            )

    def _watch(self, table, event, operation, transition, body, also_own=False):
        # what the bridge itself writes must not go back to where it came from
        own = SQL("IF current_setting('comply360.applying', true) = 'on' THEN RETURN NULL; END IF;")
        function = SQL.identifier(f"comply360_{table}_{event}")
        self.env.execute_query(
            SQL(
                """
            CREATE OR REPLACE FUNCTION %(function)s() RETURNS trigger LANGUAGE plpgsql AS $comply360$
            BEGIN
                %(own)s
                %(body)s
                RETURN NULL;
            END $comply360$;
            CREATE OR REPLACE TRIGGER %(trigger)s AFTER %(operation)s ON %(table)s %(transition)s
                FOR EACH STATEMENT EXECUTE FUNCTION %(function)s();
            SELECT 1
            """,
                function=function,
                own=SQL("") if also_own else own,
                body=body,
                trigger=function,
                operation=operation,
                table=SQL.identifier(table),
                transition=transition,
            )
        )

    def _missing_triggers(self):
        """Those that are gone or disabled: what they watched changes unseen until the addon is upgraded."""
        rows = self.env.execute_query(
            SQL(
                "SELECT tgname FROM pg_trigger WHERE tgname = ANY(%s) AND tgenabled IN ('O', 'A') AND NOT tgisinternal",
                list(TRIGGERS),
            )
        )
        return sorted(set(TRIGGERS) - {name for (name,) in rows})

    def _append(self, binding_ids, op):
        """Mark bindings for what a person decided about them."""
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

    # -- the daemon's side -----------------------------------------------------------------------------------------

    def _pull(self, bridge, limit, per_tenant):
        """Newest marks of due records, tenants in turn, oldest first; one more than `limit` if there are more."""
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
                  JOIN comply360_tenant t ON t.uuid = b.tenant AND t.bridge = b.bridge
                  LEFT JOIN res_users u ON u.id = o.marked_by
                 WHERE b.bridge = %s AND o.state = 'pending' AND o.due_at <= now() AT TIME ZONE 'UTC'
                   AND t.status = 'active' AND NOT (b.state = 'active' AND b.held IS TRUE)
            )
            SELECT * FROM due WHERE turn <= %s ORDER BY turn, oldest LIMIT %s
            """,
                bridge,
                per_tenant,
                limit + 1,
            )
        )

    def _settle(self, bridge, key, version, verdict, message):
        """Act on one verdict; gives whether there was anything to act on."""
        marks = SQL(
            """
            SELECT o.id FROM comply360_outbox o JOIN comply360_binding b ON b.id = o.binding_id
             WHERE b.bridge = %s AND (b.tenant, b.entity, b.external_id) = (%s, %s, %s) AND o.id <= %s
            """,
            bridge,
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

    def _requeue(self, bridge, keys):
        """Mark each bound record of `keys` anew; gives how many.

        The records are locked first: a mark of a person's open transaction would otherwise carry an older version than
        this one, although its values are newer.
        """
        found = self.env["comply360.binding"]._lock(bridge, keys)
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

    def _retell(self, bridge):
        """Mark every bound lead; gives how many."""
        keys = self.env.execute_query(
            SQL(
                """
            SELECT tenant, entity, external_id FROM comply360_binding
             WHERE bridge = %s AND entity = 'registration' AND state = 'active' AND res_id IS NOT NULL
            """,
                bridge,
            )
        )
        return self._requeue(bridge, set(keys)) if keys else 0

    def _newest(self):
        """The number of the newest mark that was ever drawn; a restored database has drawn less than before."""
        return self.env.execute_query(
            SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM comply360_outbox_id_seq")
        )[0][0]

    def _backlog(self, bridge):
        """By tenant: records that wait, records that are parked, the oldest mark that waits."""
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
             WHERE b.bridge = %s AND NOT (b.state = 'active' AND b.held IS TRUE)
             GROUP BY b.tenant ORDER BY b.tenant
            """,
                bridge,
            )
        )


def _literal(text):
    """A constant in a function's body, which takes no parameters; only names of our own models come here."""
    assert "'" not in text and "$" not in text
    return SQL(f"'{text}'")
