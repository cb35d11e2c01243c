from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..mappers import MAPPERS

KEPT = timedelta(days=365)
MOST_AT_ONCE = 1000
KINDS = [("dead", "Failed"), ("field", "Partial"), ("conflict", "Conflict"), ("money", "Payment Discrepancy")]
DECISIONS = [
    ("keep_app", "Keep App Value"),
    ("keep_odoo", "Keep Odoo Value"),
    ("retry", "Retry"),
    ("ignore", "Ignore"),
]
MENDABLE = ("dead", "field", "money")
DIRECTIONS = [("app_to_odoo", "App to Odoo"), ("odoo_to_app", "Odoo to App")]


class Comply360Issue(models.Model):
    _name = "comply360.issue"
    _inherit = ["comply360.record", "comply360.guarded"]
    _description = "Comply360 Sync Issue"
    _order = "state desc, last_at desc, id desc"
    _rec_name = "message"

    tenant_id = fields.Many2one("comply360.tenant", required=True, readonly=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="tenant_id.company_id", store=True, index=True)
    external_id = fields.Char(string="Issue ID", readonly=True)
    kind = fields.Selection(
        KINDS,
        required=True,
        readonly=True,
        help="Failed: the record was not synced. Partial: it was synced except for one field. Conflict: the field was "
        "changed on both sides. Payment Discrepancy: a bill, an invoice or a payment contradicts its commission or "
        "registration.",
    )
    direction = fields.Selection(DIRECTIONS, required=True, readonly=True)
    record_entity = fields.Char(string="Kind in the App", readonly=True)
    record_id = fields.Char(string="ID in the App", readonly=True, index=True)
    field_name = fields.Char(string="Field", readonly=True)
    value = fields.Char(readonly=True)
    code = fields.Char(readonly=True)
    message = fields.Text(string="Description", readonly=True)
    attempts = fields.Integer(readonly=True)
    first_at = fields.Datetime(string="First Seen", readonly=True)
    last_at = fields.Datetime(string="Last Seen", readonly=True)
    state = fields.Selection(
        [("open", "Open"), ("closed", "Closed")], required=True, default="open", readonly=True, index=True
    )

    decision = fields.Selection(
        DECISIONS, readonly=True, help="A person's decision. The issue is closed once the app has applied it."
    )
    decided_by = fields.Many2one("res.users", readonly=True, ondelete="set null")
    decided_at = fields.Datetime(string="Decided on", readonly=True)

    def init(self):
        """Report managers' decisions to the app."""
        self.env["comply360.outbox"]._watch_updates("comply360.issue", ["decision", "decided_at"])

    @api.model
    def _comply360_key_values(self, tenant, key):
        return {"tenant_id": tenant.id, "external_id": key[2]}

    def _comply360_derive(self, entity, values, defaults):
        """Clear the decision when the issue reopens or changes."""
        if self and ("message" in values or values.get("state") == "open"):
            return {**values, "decision": False, "decided_by": False, "decided_at": False}
        return dict(values)

    @api.autovacuum
    def _gc_closed(self):
        """Delete issues closed long ago, with their bindings; one that recurs is created again."""
        domain = [("state", "=", "closed"), ("last_at", "<", fields.Datetime.now() - KEPT)]
        old = self.search(domain, limit=MOST_AT_ONCE)
        self.env.execute_query(
            SQL(
                """
            DELETE FROM comply360_binding
             WHERE entity = 'issue' AND res_model = 'comply360.issue' AND res_id = ANY(%s) RETURNING id
            """,
                old.ids,
            )
        )
        old.unlink()
        return len(old), len(old) == MOST_AT_ONCE

    def action_keep_app(self):
        """Keep the app's value on both sides."""
        return self._decide("keep_app", ("conflict",))

    def action_keep_odoo(self):
        """Keep Odoo's value on both sides."""
        return self._decide("keep_odoo", ("conflict",))

    def action_retry(self):
        """Retry the record after its cause was fixed."""
        return self._decide("retry", MENDABLE, "comply360_bridge.group_accountant")

    def action_ignore(self):
        """Close the issue; the record's next change is synced as usual."""
        return self._decide("ignore", MENDABLE, "comply360_bridge.group_accountant")

    def action_retry_selected(self):
        """Retry the issues of the selection that can be, and notify the user of the counts."""
        ready = self._ready_to_mend()
        ready.action_retry()
        return self._answer(self.env._("%(count)s will be tried again", count=len(ready)), self - ready)

    def action_ignore_selected(self):
        """Ignore the issues of the selection that can be, and notify the user of the counts."""
        ready = self._ready_to_mend()
        ready.action_ignore()
        return self._answer(self.env._("%(count)s ignored", count=len(ready)), self - ready)

    def _ready_to_mend(self):
        self._check_may("comply360_bridge.group_accountant")
        return self.filtered(lambda issue: issue.state == "open" and issue.kind in MENDABLE)

    def _answer(self, title, skipped):
        conflicts = len(skipped.filtered(lambda issue: issue.state == "open"))
        words = [
            *([self.env._("%(count)s are conflicts", count=conflicts)] if conflicts else []),
            *([self.env._("%(count)s are closed", count=len(skipped) - conflicts)] if len(skipped) > conflicts else []),
        ]
        message = self.env._("%(count)s skipped: %(reasons)s", count=len(skipped), reasons=", ".join(words))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": title,
                "message": message if skipped else "",
                "type": "warning" if skipped else "success",
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def _check_may(self, group):
        if not self.env.user.has_group(group):
            message = (
                self.env._("Only Comply360 managers may decide conflicts.")
                if group.endswith("manager")
                else self.env._("Only Comply360 accountants may retry or ignore sync issues.")
            )
            raise AccessError(message)

    def _decide(self, decision, kinds, group="comply360_bridge.group_manager"):
        self._check_may(group)
        self.check_access("read")
        for issue in self:
            if issue.state != "open":
                raise UserError(self.env._("This issue is already closed."))
            if issue.kind not in kinds:
                raise UserError(self.env._("This decision does not apply to an issue of this kind."))
        # users may change issues only with these buttons
        self.sudo().write({"decision": decision, "decided_by": self.env.uid, "decided_at": fields.Datetime.now()})
        self.env.flush_all()
        if decision != "ignore":
            self._offer_records()
        return True

    @api.model
    def _retry_where_a_won_stage_is(self):
        """Ask the app to send approved registrations again whose tenant's sales team has a won stage by now."""
        waiting = self.search([("state", "=", "open"), ("code", "=", "no_won_stage"), ("decision", "=", False)])
        for tenant, issues in waiting.grouped("tenant_id").items():
            if tenant._comply360_stages(won=True):
                issues.write({"decision": "retry", "decided_by": self.env.uid, "decided_at": fields.Datetime.now()})

    def _offer_records(self):
        """Send the app the records' current values again."""
        for installation, issues in (
            self.filtered(lambda issue: issue.direction == "odoo_to_app")
            .grouped(lambda issue: issue.tenant_id.installation)
            .items()
        ):
            keys = {(issue.tenant_id.uuid, issue.record_entity, issue.record_id) for issue in issues}
            self.env["comply360.outbox"].sudo()._requeue(installation, keys)

    def action_open_record(self):
        """Open the Odoo record of the issue, if there is one."""
        self.ensure_one()
        self.check_access("read")
        key = (self.tenant_id.uuid, self.record_entity, self.record_id)
        # readers of issues may lack access to bindings; the record opens with the user's own rights
        found = self.env["comply360.binding"].sudo()._find(self.tenant_id.installation, [key]).get(key)
        if not found or self.record_entity not in MAPPERS:
            return {
                "type": "ir.actions.client",
                "tag": "display_notification",
                "params": {"type": "info", "message": self.env._("This record has not arrived in Odoo yet.")},
            }
        return {"type": "ir.actions.act_window", "res_model": found[0], "res_id": found[1], "views": [(False, "form")]}
