from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..mappers import MAPPERS

KEPT = timedelta(days=365)
MOST_AT_ONCE = 1000
KINDS = [("dead", "Failed"), ("field", "Partial"), ("conflict", "Conflict"), ("money", "Money to Go Back")]
DECISIONS = [
    ("keep_app", "Keep the App's Value"),
    ("keep_odoo", "Keep Odoo's Value"),
    ("retry", "Try Again"),
    ("ignore", "Ignore"),
]
DIRECTIONS = [("app_to_odoo", "App to Odoo"), ("odoo_to_app", "Odoo to app")]


class Comply360Issue(models.Model):
    _name = "comply360.issue"
    _inherit = ["comply360.record"]
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
        help="Failed: the record was not applied. Partial: it was, but for one field. "
        "Conflict: the field was changed on both sides.",
    )
    direction = fields.Selection(DIRECTIONS, required=True, readonly=True)
    record_entity = fields.Char(string="Kind of Record", readonly=True)
    record_id = fields.Char(string="ID in the App", readonly=True, index=True)
    field_name = fields.Char(string="Field", readonly=True)
    value = fields.Char(readonly=True)
    code = fields.Char(string="Cause", readonly=True)
    message = fields.Text(string="What happened", readonly=True)
    attempts = fields.Integer(readonly=True)
    first_at = fields.Datetime(string="First Seen", readonly=True)
    last_at = fields.Datetime(string="Last Seen", readonly=True)
    state = fields.Selection(
        [("open", "Open"), ("closed", "Closed")], required=True, default="open", readonly=True, index=True
    )

    decision = fields.Selection(
        DECISIONS, readonly=True, help="What a manager decided; the issue is closed once the app has carried it out."
    )
    decided_by = fields.Many2one("res.users", readonly=True, ondelete="set null")
    decided_at = fields.Datetime(string="Decided on", readonly=True)

    def init(self):
        """What a manager decides is told to the app."""
        self.env["comply360.outbox"]._watch_updates("comply360.issue", ["decision", "decided_at"])

    @api.model
    def _comply360_key_values(self, tenant, key):
        return {"tenant_id": tenant.id, "external_id": key[2]}

    def _comply360_derive(self, entity, values, defaults):
        """An issue that comes up again, or with other values, is to be decided again."""
        if self and ("message" in values or values.get("state") == "open"):
            return {**values, "decision": False, "decided_by": False, "decided_at": False}
        return dict(values)

    @api.autovacuum
    def _gc_closed(self):
        """Issues that were closed long ago, with their bindings: one that comes up again is made anew."""
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
        """Let the app's value stand on both sides."""
        return self._decide("keep_app", ("conflict",))

    def action_keep_odoo(self):
        """Let Odoo's value stand on both sides."""
        return self._decide("keep_odoo", ("conflict",))

    def action_retry(self):
        """Have the record tried again, after its cause was mended."""
        return self._decide("retry", ("dead", "field", "money"))

    def action_ignore(self):
        """Close the issue; the record's next change is tried again."""
        return self._decide("ignore", ("dead", "field", "money"))

    def _decide(self, decision, kinds):
        if not self.env.user.has_group("comply360_bridge.group_manager"):
            raise AccessError(self.env._("Only a Comply360 manager may decide about sync issues."))
        self.check_access("read")
        for issue in self:
            if issue.state != "open":
                raise UserError(self.env._("This issue is closed already."))
            if issue.kind not in kinds:
                raise UserError(self.env._("This cannot be decided about an issue of this kind."))
        # issues are the bridge's own: nobody may write them but by these buttons
        self.sudo().write({"decision": decision, "decided_by": self.env.uid, "decided_at": fields.Datetime.now()})
        self.env.flush_all()
        if decision != "ignore":
            self._offer_records()
        return True

    def _offer_records(self):
        """Have the app look at the records once more, with the values they have here."""
        for installation, issues in (
            self.filtered(lambda issue: issue.direction == "odoo_to_app")
            .grouped(lambda issue: issue.tenant_id.installation)
            .items()
        ):
            keys = {(issue.tenant_id.uuid, issue.record_entity, issue.record_id) for issue in issues}
            self.env["comply360.outbox"].sudo()._requeue(installation, keys)

    def action_open_record(self):
        """Open the record of Odoo that the issue is about, if there is one."""
        self.ensure_one()
        self.check_access("read")
        key = (self.tenant_id.uuid, self.record_entity, self.record_id)
        # not every reader of issues may read bindings; the record itself is opened with the user's own rights
        found = self.env["comply360.binding"].sudo()._find(self.tenant_id.installation, [key]).get(key)
        if not found or self.record_entity not in MAPPERS:
            return {
                "type": "ir.actions.client",
                "tag": "display_notification",
                "params": {"type": "info", "message": self.env._("This record has not arrived in Odoo yet.")},
            }
        return {"type": "ir.actions.act_window", "res_model": found[0], "res_id": found[1], "views": [(False, "form")]}
