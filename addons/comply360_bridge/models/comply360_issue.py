from odoo import api, fields, models

from ..mappers import MAPPERS

KINDS = [("dead", "Failed"), ("field", "Partial"), ("conflict", "Conflict"), ("money", "Money to Go Back")]
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
    record_entity = fields.Char(string="Record", readonly=True)
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

    @api.model
    def _comply360_identity(self, tenant, key):
        return {"tenant_id": tenant.id, "external_id": key[2]}

    def action_open_record(self):
        """Open the record of Odoo that the issue is about, if there is one."""
        self.ensure_one()
        self.check_access("read")
        key = (self.tenant_id.uuid, self.record_entity, self.record_id)
        # not every reader of issues may read bindings; the record itself is opened with the user's own rights
        found = self.env["comply360.binding"].sudo()._find(self.tenant_id.bridge, [key]).get(key)
        if not found or self.record_entity not in MAPPERS:
            return {
                "type": "ir.actions.client",
                "tag": "display_notification",
                "params": {"type": "info", "message": self.env._("This record has not arrived in Odoo yet.")},
            }
        return {"type": "ir.actions.act_window", "res_model": found[0], "res_id": found[1], "views": [(False, "form")]}
