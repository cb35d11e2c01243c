from odoo import models
from odoo.tools import SQL

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


# the bridge's own writes must not be sent back to the app; an anti-join, because a batch writes up to 1,000 records
OTHERS = SQL("NOT EXISTS (SELECT FROM unnest(own) AS written(id) WHERE written.id = b.id)")


class Comply360Outbox(models.Model):
    """The triggers that append marks in the transaction of each change."""

    _inherit = "comply360.outbox"

    def _watch_updates(self, model, columns, entity=False, event="updated", also_own=False):
        """Mark bound records of a model (or of one entity) when one of these columns changes.

        Only a trigger sees stored computed fields change: they do not pass through write(). With `also_own`, changes
        caused by the bridge's own writes are marked too: for fields that Odoo reports and the app never sends.
        """
        table = self.env[model]._table
        self._watch(
            table,
            event,
            SQL("UPDATE"),
            SQL("REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
            SQL(
                """
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at, marked_by)
            SELECT b.id, b.tenant_id, 'upsert', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC',
                   n.write_uid
              FROM new_rows n
              JOIN old_rows o ON o.id = n.id
              JOIN comply360_binding b ON b.res_model = %(model)s AND b.res_id = n.id AND b.state = 'active'
                   AND %(entity)s
             WHERE (%(new)s) IS DISTINCT FROM (%(old)s) AND %(others)s;
            """,
                others=SQL("TRUE") if also_own else OTHERS,
                model=_literal(model),
                entity=SQL("b.entity = %s", _literal(entity)) if entity else SQL("TRUE"),
                new=SQL(", ").join(SQL.identifier("n", column) for column in columns),
                old=SQL(", ").join(SQL.identifier("o", column) for column in columns),
            ),
        )

    def _watch_deletes(self, model):
        """Mark bound records of a model as deleted, and their bindings as unlinked in the same statement."""
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
                 WHERE b.res_model = %s AND b.res_id = o.id AND b.state IN ('active', 'alias') AND %s
             RETURNING b.id, b.tenant_id)
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at)
            SELECT id, tenant_id, 'unlink', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM gone;
            """,
                _literal(model),
                OTHERS,
            ),
        )

    def _watch_invoices(self, columns, move_types):
        """Bind each invoice of a tenant under a new id and mark it; one that moves to another tenant ends in the first.

        Batches never write invoices, so no change can echo.
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
                   AND (b.installation, b.tenant) IS DISTINCT FROM (t.installation, t.uuid)
             RETURNING b.id, b.tenant_id)
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at)
            SELECT id, tenant_id, 'unlink', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM lost;

            WITH bound AS (
                INSERT INTO comply360_binding
                       (installation, tenant, tenant_id, entity, external_id, res_model, res_id, state, version, digest,
                        synced_at, create_uid, create_date)
                SELECT t.installation, t.uuid, t.id, 'invoice', gen_random_uuid()::text, 'account.move', n.id, 'active',
                       '', '', now() AT TIME ZONE 'UTC', n.write_uid, now() AT TIME ZONE 'UTC'
                  FROM new_rows n
                  JOIN comply360_tenant t ON t.id = n.x_comply360_tenant_id
                 WHERE n.move_type IN (%(kinds)s)
                   AND NOT EXISTS (SELECT FROM comply360_binding b
                                    WHERE b.res_model = 'account.move' AND b.res_id = n.id AND b.state = 'active')
             RETURNING id, tenant_id, res_id)
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at, marked_by)
            SELECT coalesce(bound.id, b.id), coalesce(bound.tenant_id, b.tenant_id), 'upsert', 'pending',
                   now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC',
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
            )

    def _begin_own(self, binding_ids):
        """Leave the records of these bindings unmarked until the next call: the bridge itself writes them now.

        Others that Odoo changes beside them are marked like a user's change.
        """
        self.env.cr.execute("SELECT set_config('comply360.applying', %s::int[]::text, TRUE)", [list(binding_ids)])

    def _watch(self, table, event, operation, transition, body):
        function = SQL.identifier(f"comply360_{table}_{event}")
        self.env.execute_query(
            SQL(
                """
            CREATE OR REPLACE FUNCTION %(function)s() RETURNS trigger LANGUAGE plpgsql AS $comply360$
            DECLARE
                own int[] := coalesce(nullif(current_setting('comply360.applying', true), ''), '{}');
            BEGIN
                %(body)s
                RETURN NULL;
            END $comply360$;
            CREATE OR REPLACE TRIGGER %(trigger)s AFTER %(operation)s ON %(table)s %(transition)s
                FOR EACH STATEMENT EXECUTE FUNCTION %(function)s();
            SELECT 1
            """,
                function=function,
                body=body,
                trigger=function,
                operation=operation,
                table=SQL.identifier(table),
                transition=transition,
            )
        )

    def _missing_triggers(self):
        """Triggers that are missing or disabled: changes they watched go unnoticed until the addon is upgraded."""
        rows = self.env.execute_query(
            SQL(
                "SELECT tgname FROM pg_trigger WHERE tgname = ANY(%s) AND tgenabled IN ('O', 'A') AND NOT tgisinternal",
                list(TRIGGERS),
            )
        )
        return sorted(set(TRIGGERS) - {name for (name,) in rows})


def _literal(text):
    """A literal for a function body, which takes no parameters; only for names of our own models."""
    assert "'" not in text and "$" not in text
    return SQL(f"'{text}'")
