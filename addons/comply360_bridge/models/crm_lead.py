from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import UserError

from ..mappers.registration import REGISTRATION, UNDECIDED, Position, position

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
# a lead's e-mail and phone are its partner's as soon as it has one: Odoo computes them both ways
PARTNER_OWNED = ("email_from", "phone")
# what a change of partner would compute anew, although the registration says it
PARTNER_COMPUTED = ("partner_name", "contact_name")


class CrmLead(models.Model):
    _name = "crm.lead"
    _inherit = ["crm.lead", "comply360.synced"]
    _comply360_apart = frozenset({"active", "stage_id", "probability", "automated_probability", "lost_reason_id"})

    x_comply360_status = fields.Selection(
        STATUSES,
        string="Registration Status",
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="The registration's status in the Comply360 app. Won and lost here do not change it.",
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
        help="The reference of the authority (CIPC or DCIP).",
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
        help="The user of Odoo who is linked with the person the registration is assigned to. Whenever the app names "
        "another one, the lead's salesperson follows.",
    )
    x_comply360_document_count = fields.Integer(string="Documents", readonly=True, copy=False)
    x_comply360_documents_verified = fields.Boolean(
        string="All Documents Verified", readonly=True, copy=False, help="There are documents, and all are verified."
    )
    x_comply360_document_ids = fields.One2many("ir.attachment", "x_comply360_lead_id", string="Documents of the App")
    x_comply360_active = fields.Boolean(string="Kept in the App", default=True, readonly=True, copy=False)
    x_comply360_commission_ids = fields.One2many("x_commission", "lead_id", string="Commissions")
    x_comply360_commission_count = fields.Integer(compute="_compute_x_comply360_commission_count")

    x_comply360_invoice_ids = fields.One2many("account.move", "x_comply360_lead_id", string="Invoices")
    x_comply360_invoice_count = fields.Integer(compute="_compute_x_comply360_invoice_count")

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

    @api.depends("x_comply360_commission_ids")
    def _compute_x_comply360_commission_count(self):
        if not self.env["x_commission"].has_access("read"):
            self.x_comply360_commission_count = 0
            return
        counts = dict(self.env["x_commission"]._read_group([("lead_id", "in", self.ids)], ["lead_id"], ["__count"]))
        for lead in self:
            lead.x_comply360_commission_count = counts.get(lead._origin, 0)

    def init(self):
        """Won and lost leads are told to the app, and deleted ones."""
        result = super().init()
        outbox = self.env["comply360.outbox"]
        reported = [rule.target for rule in REGISTRATION.reported]
        outbox._watch_updates("crm.lead", reported, "registration", event="reported", also_own=True)
        outbox._watch_deletes("crm.lead")
        return result

    def _merge_opportunity(self, *args, **kwargs):
        """Leads of two tenants stay apart."""
        if len(self.sudo().x_comply360_tenant_id) > 1:
            raise UserError(self.env._("Leads of different Comply360 tenants cannot be merged."))
        return super()._merge_opportunity(*args, **kwargs)

    def _merge_dependences(self, opportunities):
        """Registrations of merged leads become aliases of the one that stays; what is booked for them stays, too."""
        result = super()._merge_dependences(opportunities)
        self.env["comply360.binding"].sudo()._merge_into(opportunities, self)
        # the salesperson who merges may have no right to commissions and invoices, which must not be lost for that
        self.env["x_commission"].sudo().search([("lead_id", "in", opportunities.ids)]).write({"lead_id": self.id})
        invoices = self.env["account.move"].sudo().search([("x_comply360_lead_id", "in", opportunities.ids)])
        invoices.write({"x_comply360_lead_id": self.id})
        return result

    # -- what the bridge writes ------------------------------------------------------------------------------------

    @api.model
    def _comply360_defaults(self, entity, tenant):
        company = tenant.company_id
        team = tenant.team_id or self.env["crm.team"].search(
            [("company_id", "in", [company.id, False]), ("use_opportunities", "=", True)],
            limit=1,
        )
        stages = self._stage_find(team_id=team.id, domain=[("fold", "=", False), ("is_won", "=", False)], limit=2)
        stage = stages[:1]
        won_stage = self._stage_find(team_id=team.id, domain=[("is_won", "=", True)])
        return {
            "created": {
                "type": "opportunity",
                "company_id": company.id,
                "team_id": team.id,
                "user_id": False,
                "priority": "0",
                "lang_id": False,
                "partner_id": False,
                "expected_revenue": 0.0,
                **self._comply360_no_enrichment(),
            },
            "company_id": company.id,
            Position.OPEN: self._comply360_open(team, stage),
            Position.REVIEW: self._comply360_open(team, stages[-1:]),
            Position.WON: {
                "active": True,
                "stage_id": won_stage.id,
                "probability": 100.0,
                "automated_probability": 100.0,
                "lost_reason_id": False,
            },
            Position.REJECTED: self._comply360_lost("lost_reason_rejected", stage),
            Position.CANCELLED: self._comply360_lost("lost_reason_cancelled", stage),
        }

    @api.model
    def _comply360_open(self, team, stage):
        # one estimate for the batch: computed per lead it would cost more than all the rest
        estimate = self.new({"type": "opportunity", "team_id": team.id, "stage_id": stage.id, "user_id": False})
        probability = estimate.automated_probability
        return {
            "active": True,
            "stage_id": stage.id,
            "probability": probability,
            "automated_probability": probability,
            "lost_reason_id": False,
        }

    @api.model
    def _comply360_no_enrichment(self):
        """crm_iap_enrich, if it is installed, must not send a bridge-made lead's domain to an outside service."""
        return {"iap_enrich_done": True} if "iap_enrich_done" in self._fields else {}

    @api.model
    def _comply360_lost(self, reason, stage):
        lost_reason = self.env.ref(f"comply360_bridge.{reason}", raise_if_not_found=False)
        return {
            "active": False,
            "stage_id": stage.id,
            "probability": 0.0,
            "automated_probability": 0.0,
            "lost_reason_id": lost_reason.id if lost_reason else False,
        }

    def _comply360_derive(self, entity, values, defaults):
        values = dict(values)
        if "partner_name" in values:
            values["name"] = values["partner_name"]
        self._comply360_leave_to_partner(values)
        values.update(self._comply360_salesperson(values, defaults))
        if not self:
            return self._comply360_new_values(values, defaults)
        if "partner_id" in values:
            # a change of partner computes these anew, and drops the company of a lead without a salesperson
            values.update(
                {name: values.get(name, self[name]) for name in PARTNER_COMPUTED}, company_id=defaults["company_id"]
            )
        values.update(self._comply360_moved(values, defaults))
        return values

    def _comply360_salesperson(self, values, defaults):
        """The salesperson follows the app's assignment when that one changes; whom people in Odoo chose stays.

        Without an assignment only the person it had put there goes.
        """
        if "x_comply360_assigned_user_id" not in values:
            return {}
        assigned, former = values["x_comply360_assigned_user_id"], self.x_comply360_assigned_user_id
        if not assigned and (not former or self.user_id != former):
            return {}
        # a change of salesperson computes team and company anew
        kept = {"team_id": self.team_id.id} if self.team_id else {}
        return {"user_id": assigned, **kept, "company_id": defaults["company_id"]}

    def _comply360_leave_to_partner(self, values):
        if values.get("partner_id") or self.partner_id:
            for name in PARTNER_OWNED:
                values.pop(name, None)

    def _comply360_new_values(self, values, defaults):
        status = values["x_comply360_status"]
        place = position(status, values.get("x_comply360_active", True))
        kept = defaults[position(status, active=True)]
        placed = {**kept, "active": False} if place is Position.ARCHIVED else kept
        contact = {"contact_name": False, "x_comply360_active": True}
        return {**contact, **defaults["created"], **placed, **values}

    def _comply360_moved(self, values, defaults):
        """What a change of the app's status means for the pipeline; nothing if the lead's place does not change.

        Won or lost by a salesperson stays as it is until the app decides anew, and so does a stage of his own choice.
        """
        status = values.get("x_comply360_status", self.x_comply360_status) or "submitted"
        place = position(status, values.get("x_comply360_active", self.x_comply360_active))
        former = position(self.x_comply360_status or "draft", self.x_comply360_active)
        if place is former:
            return {}
        if place is Position.ARCHIVED:
            return {"active": False}
        moved = dict(defaults[place])
        is_apps = self.stage_id.id in {defaults[one]["stage_id"] for one in UNDECIDED}
        if {place, former} <= UNDECIDED:
            is_open = self.active and self.won_status == "pending"
            return self._comply360_progress(moved) if is_open and is_apps else {}
        if place is not Position.WON and not self.stage_id.is_won and not (is_apps and place in UNDECIDED):
            del moved["stage_id"]
        return moved

    def _comply360_progress(self, moved):
        """A lead that stays open takes its stage; a probability that a salesperson gave it stays."""
        if not self.is_automated_probability:
            del moved["probability"]
        return moved

    @api.model
    def _comply360_written(self, entity, changes):
        """The lost reason is one of a few; what the authority said stands in the chatter."""
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
        """A lead that begins as won or lost was never moved there."""
        return self.won_status != "pending"

    def _comply360_share_documents(self):
        """A customer who is new to a lead gets the lead's documents as well."""
        self.x_comply360_document_ids._comply360_share()

    def _comply360_give_back(self):
        """A cancelled registration keeps its invoices and bills; credit notes are proposed for the booked ones."""
        # who books one of these has read the lead, and we have read them: neither would see the other
        self.x_comply360_invoice_ids._comply360_supersede()
        self.x_comply360_commission_ids._comply360_supersede()
        for lead in self:
            reason = self.env._("The registration of %(name)s was cancelled.", name=lead.partner_name or lead.name)
            due_back = lead.x_comply360_invoice_ids.filtered("x_comply360_concern")
            due_back._comply360_propose_credit_notes(reason)
        self.x_comply360_commission_ids._propose_credit_notes()

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

    def action_comply360_leave(self):
        """Take these leads out of the sync, in both directions, until they are put back."""
        self._comply360_hold(held=True)
        return True

    def action_comply360_join(self):
        """Put these leads back into the sync; what the app changed meanwhile arrives."""
        self._comply360_hold(held=False)
        return True

    def _comply360_hold(self, held):
        self.check_access("write")
        # a salesperson may switch the own leads, but has no right to bindings
        self.env["comply360.binding"].sudo()._hold("crm.lead", self.ids, held)
        words = (
            self.env._("Taken out of the sync with the Comply360 app.")
            if held
            else self.env._("Put back into the sync with the Comply360 app.")
        )
        for lead in self:
            lead._message_log(body=words)

    def action_comply360_commissions(self):
        """Open the commissions of these leads."""
        self.check_access("read")
        self.env["x_commission"].check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("comply360_bridge.action_commission")
        return {**action, "domain": [("lead_id", "in", self.ids)], "context": {}}
