from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import UserError

from ..exchange.hand import HAND
from ..mappers.registration import REGISTRATION

REGISTRATION_TYPES = [
    ("pty_ltd", "Private company (Pty) Ltd"),
    ("close_corporation", "Close corporation"),
    ("business_name", "Business name"),
    ("vat_registration", "VAT registration"),
]
STATUSES = [
    ("draft", "Draft"),
    ("submitted", "Submitted"),
    ("in_review", "In review"),
    ("approved", "Approved"),
    ("rejected", "Rejected"),
    ("cancelled", "Cancelled"),
]
JURISDICTIONS = [("ZA", "South Africa"), ("ZW", "Zimbabwe")]


class CrmLead(models.Model):
    _name = "crm.lead"
    _inherit = ["crm.lead", "comply360.synced"]
    x_comply360_status = fields.Selection(
        STATUSES,
        string="Registration Status",
        readonly=True,
        copy=False,
        index="btree_not_null",
        group_expand="_comply360_group_expand_status",
        help="The registration's status in the Comply360 app. Marking the lead as won or lost does not change it.",
    )
    x_comply360_registration_type = fields.Selection(
        REGISTRATION_TYPES, string="Registration Type", readonly=True, copy=False
    )
    x_comply360_registration_number = fields.Char(
        string="Registration Number",
        readonly=True,
        copy=False,
        index="btree_not_null",
    )
    x_comply360_jurisdiction = fields.Selection(JURISDICTIONS, string="Jurisdiction", readonly=True, copy=False)
    x_comply360_reference = fields.Char(
        string="Authority Reference",
        readonly=True,
        copy=False,
        help="The reference given by the authority (CIPC or DCIP).",
    )
    x_comply360_mobile = fields.Char(string="Mobile", readonly=True, copy=False)
    x_comply360_submitted_at = fields.Datetime(string="Submitted", readonly=True, copy=False)
    x_comply360_approved_at = fields.Datetime(string="Approved", readonly=True, copy=False)
    x_comply360_rejected_at = fields.Datetime(string="Rejected", readonly=True, copy=False)
    x_comply360_rejection_reason = fields.Text(string="Rejection Reason", readonly=True, copy=False)
    x_comply360_assigned_name = fields.Char(string="Assigned to", readonly=True, copy=False)
    x_comply360_assigned_email = fields.Char(string="Assigned to (Email)", readonly=True, copy=False)
    x_comply360_assigned_user_id = fields.Many2one(
        "res.users",
        string="Assigned to (User)",
        readonly=True,
        copy=False,
        ondelete="set null",
        help="The Odoo user linked to the person the registration is assigned to. When the app assigns it to somebody "
        "else, the lead's salesperson changes too.",
    )
    x_comply360_document_count = fields.Integer(string="Documents", readonly=True, copy=False)
    x_comply360_documents_verified = fields.Boolean(
        string="All Documents Verified",
        readonly=True,
        copy=False,
        help="The registration has documents, and all of them are verified.",
    )
    x_comply360_document_ids = fields.One2many("ir.attachment", "x_comply360_lead_id", string="App Documents")
    x_comply360_active = fields.Boolean(string="Active in the App", default=True, readonly=True, copy=False)
    x_comply360_commission_ids = fields.One2many("x_commission", "lead_id", string="Commissions")
    x_comply360_commission_count = fields.Integer(
        string="Commission Count", compute="_compute_x_comply360_commission_count"
    )
    x_comply360_invoice_ids = fields.One2many("account.move", "x_comply360_lead_id", string="Invoices")
    x_comply360_invoice_count = fields.Integer(string="Invoice Count", compute="_compute_x_comply360_invoice_count")

    @api.model
    def _comply360_group_expand_status(self, statuses, domain):
        """The columns in the order in which a registration walks through them; of those, what is there or is open."""
        return [status for status, _label in STATUSES if status in statuses or status in ("submitted", "in_review")]

    @api.depends("x_comply360_commission_ids")
    def _compute_x_comply360_commission_count(self):
        if not self.env["x_commission"].has_access("read"):
            self.x_comply360_commission_count = 0
            return
        counts = dict(self.env["x_commission"]._read_group([("lead_id", "in", self.ids)], ["lead_id"], ["__count"]))
        for lead in self:
            lead.x_comply360_commission_count = counts.get(lead._origin, 0)

    @api.depends("x_comply360_invoice_ids")
    def _compute_x_comply360_invoice_count(self):
        if not self.env["account.move"].has_access("read"):
            self.x_comply360_invoice_count = 0
            return
        counts = dict(
            self.env["account.move"]._read_group(
                [("x_comply360_lead_id", "in", self.ids)], ["x_comply360_lead_id"], ["__count"]
            )
        )
        for lead in self:
            lead.x_comply360_invoice_count = counts.get(lead._origin, 0)

    def init(self):
        """Report won, lost and deleted leads to the app."""
        result = super().init()
        outbox = self.env["comply360.outbox"]
        reported = [rule.target for rule in REGISTRATION.reported]
        outbox._watch_updates("crm.lead", reported, "registration", event="reported", also_own=True)
        outbox._watch_deletes("crm.lead")
        return result

    def action_comply360_retry(self):
        """Try again what did not sync, once its cause is gone; for accountants."""
        return self._comply360_retry()

    def action_comply360_commissions(self):
        """Open the commissions of these leads."""
        self.check_access("read")
        self.env["x_commission"].check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("comply360_bridge.x_commission_action")
        return {**action, "domain": [("lead_id", "in", self.ids)], "context": {}}

    def action_comply360_invoices(self):
        """Open the invoices of these registrations."""
        self.check_access("read")
        self.env["account.move"].check_access("read")
        return {
            **self.env["ir.actions.act_window"]._for_xml_id("account.action_move_out_invoice_type"),
            "domain": [("x_comply360_lead_id", "in", self.ids)],
            "context": {"create": False},
        }

    def action_comply360_new_invoice(self):
        """Open a new invoice for this registration."""
        self.ensure_one()
        self.check_access("read")
        self.env["account.move"].check_access("create")
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "views": [(False, "form")],
            "context": {
                "default_move_type": "out_invoice",
                "default_partner_id": self.partner_id.id,
                "default_x_comply360_lead_id": self.id,
                "default_company_id": self.company_id.id or self.env.company.id,
            },
        }

    def action_comply360_opt_out(self):
        """Stop syncing these leads, in both directions, until somebody resumes it."""
        self._comply360_set_opted_out(opted_out=True)
        return True

    def action_comply360_opt_in(self):
        """Resume syncing these leads; changes made in the app meanwhile arrive."""
        self._comply360_set_opted_out(opted_out=False)
        return True

    def _comply360_set_opted_out(self, opted_out):
        self.check_access("write")
        # salespeople may opt their own leads out, but have no access to bindings
        self.env["comply360.binding"].sudo()._set_opted_out("crm.lead", self.ids, opted_out)
        words = (
            self.env._("Syncing with the Comply360 app was stopped.")
            if opted_out
            else self.env._("Syncing with the Comply360 app was resumed.")
        )
        for lead in self:
            lead._message_log(body=words)

    def _merge_opportunity(self, *args, **kwargs):
        """Keep leads of different tenants apart."""
        if self.env["comply360.tenant"]._comply360_is_used():
            tenants = self.sudo().with_context(active_test=False)._comply360_tenants()
            if len(set().union(*tenants.values())) > 1:
                raise UserError(self.env._("Leads of different Comply360 tenants cannot be merged."))
        return super()._merge_opportunity(*args, **kwargs)

    def _merge_dependences(self, opportunities):
        """Make the merged leads' bindings aliases of the lead that stays; move their commissions and invoices to it."""
        result = super()._merge_dependences(opportunities)
        if not self.env["comply360.tenant"]._comply360_is_used():
            return result
        self.env["comply360.binding"].sudo()._merge_into(opportunities, self)
        # the salesperson may lack access to commissions and invoices, which must move all the same
        self.env["x_commission"].sudo().search([("lead_id", "in", opportunities.ids)]).write({"lead_id": self.id})
        invoices = self.env["account.move"].sudo().search([("x_comply360_lead_id", "in", opportunities.ids)])
        invoices.write({"x_comply360_lead_id": self.id})
        return result

    def _merge_dependences_attachments(self, opportunities):
        """Move the app's documents to the lead that stays, under their own names: only the app renames them."""
        if self.env["comply360.tenant"]._comply360_is_used():
            documents = self.env["ir.attachment"].search(
                [
                    ("res_model", "=", "crm.lead"),
                    ("res_id", "in", opportunities.ids),
                    ("x_comply360_external_id", "!=", False),
                ]
            )
            moved = documents.sudo().with_context(comply360_hand=HAND)
            moved.write({"res_id": self.id, "x_comply360_lead_id": self.id})
        return super()._merge_dependences_attachments(opportunities)

    # -- after a batch -------------------------------------------------------------------------------------------------

    @api.model
    def _comply360_written(self, entity, changes):
        """Log the authority's reason, share documents, propose credit notes."""
        bodies = {
            lead.id: Markup("<p>%s</p><p>%s</p>") % (self.env._("The registration was rejected:"), reason)
            for lead, values in changes
            if (reason := values.get("x_comply360_rejection_reason"))
        }
        if bodies:
            self.browse(bodies)._message_log_batch(bodies)
        self.browse([lead.id for lead, values in changes if "partner_id" in values])._comply360_share_documents()
        cancelled = [lead.id for lead, values in changes if values.get("x_comply360_status") == "cancelled"]
        self.browse(cancelled)._comply360_give_back()

    def _comply360_has_news(self):
        """Whether the lead was created as won or lost: no update reports that."""
        return self.won_status != "pending"

    def _comply360_share_documents(self):
        """Show the lead's documents on its new customer too."""
        self.x_comply360_document_ids._comply360_share()

    def _comply360_give_back(self):
        """Propose credit notes for the posted invoices and bills of a cancelled registration."""
        # whoever posts one of these has read the lead, and we have read them: neither would see the other's write
        self.x_comply360_invoice_ids._comply360_supersede()
        self.x_comply360_commission_ids._comply360_supersede()
        for lead in self:
            reason = self.env._("The registration of %(name)s was cancelled.", name=lead.partner_name or lead.name)
            due_back = lead.x_comply360_invoice_ids.filtered("x_comply360_payment_discrepancy")
            due_back._comply360_propose_credit_notes(reason)
        self.x_comply360_commission_ids._propose_credit_notes()
