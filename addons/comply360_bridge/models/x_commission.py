from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..mappers.commission import COMMISSION, NEXT_STATES

STATES = [("pending", "Pending"), ("approved", "Approved"), ("paid", "Paid"), ("cancelled", "Cancelled")]
APP_OWNED = ("registration_fee", "commission_rate", "commission_amount", "currency_id", "lead_id", "agent_id")
PAYMENT = (
    "paid_at",
    "payment_reference",
    "paid_by_hand",
    "bill_payment",
    "approved_at",
    "approved_by_id",
    "x_comply360_approver_id",
)


class XCommission(models.Model):
    _name = "x_commission"
    _inherit = ["comply360.synced", "mail.thread", "mail.activity.mixin"]
    _description = "Commission"
    _order = "create_date desc, id desc"
    _check_company_auto = True
    _comply360_is_bound_late = True
    _comply360_foreseeable = {"name": "comply360_bridge.models.x_commission"}
    # of a commission that the app does not know; `_check_manual_change` says when
    _comply360_users_own = dict.fromkeys(APP_OWNED, "")
    name = fields.Char(string="Reference", compute="_compute_name", store=True, index="trigram")
    lead_id = fields.Many2one(
        "crm.lead",
        string="Registration",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
    )
    agent_id = fields.Many2one(
        "res.partner",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
        help="The person who earned the commission.",
    )
    company_id = fields.Many2one("res.company", required=True, index=True, default=lambda self: self.env.company)
    currency_id = fields.Many2one(
        "res.currency", required=True, default=lambda self: self.env.company.currency_id, tracking=True
    )
    registration_fee = fields.Monetary(required=True)
    commission_rate = fields.Float(string="Rate (%)", digits=(5, 2), required=True, aggregator=None)
    commission_amount = fields.Monetary(string="Commission", required=True, tracking=True)
    state = fields.Selection(
        STATES,
        required=True,
        default="pending",
        index=True,
        copy=False,
        readonly=True,
        tracking=True,
        group_expand="_group_expand_state",
    )
    approved_at = fields.Datetime(string="Approved on", copy=False, readonly=True)
    approved_by_id = fields.Many2one(
        "res.users", string="Approved by", copy=False, readonly=True, ondelete="set null", tracking=True
    )
    x_comply360_approver_id = fields.Many2one(
        "res.users",
        string="Approved in the App by",
        copy=False,
        readonly=True,
        ondelete="set null",
        help="The Odoo user linked to the person who approved the commission in the app.",
    )
    paid_at = fields.Datetime(string="Paid on", copy=False, readonly=True, tracking=True)
    payment_reference = fields.Char(copy=False, readonly=True, tracking=True, index="trigram")
    registration_number = fields.Char(
        related="lead_id.x_comply360_registration_number",
        store=True,
        index="trigram",
    )
    is_synced = fields.Boolean(compute="_compute_is_synced")
    _amounts_in_range = models.Constraint(
        "CHECK(abs(registration_fee) < 1e8 AND abs(commission_amount) < 1e8 AND abs(commission_rate) < 1e3)",
        "An amount may have at most 8 digits before the decimal point, a rate at most 3.",
    )

    @api.depends("lead_id.partner_name", "lead_id.name", "agent_id.name")
    def _compute_name(self):
        for commission in self.sudo():
            commission.name = _name(commission.lead_id, commission.agent_id)

    @api.model
    def _comply360_foreseen(self, vals_list):
        leads = self.env["crm.lead"].browse([values["lead_id"] for values in vals_list])
        agents = self.env["res.partner"].browse([values["agent_id"] for values in vals_list])
        return [{"name": _name(lead, agent)} for lead, agent in zip(leads, agents, strict=True)]

    @api.model
    def _group_expand_state(self, states, domain):
        """The columns of work, even if empty; those of the past only with something in them."""
        return [state for state, _label in STATES if state in states or state in ("pending", "approved")]

    @api.depends("x_comply360_external_id")
    def _compute_is_synced(self):
        for commission in self:
            commission.is_synced = bool(commission.x_comply360_external_id)

    def init(self):
        """Report decisions about commissions, and deletions, to the app."""
        outbox = self.env["comply360.outbox"]
        outbox._watch_updates("x_commission", [rule.target for rule in COMMISSION.rules if rule.two_way])
        # the approver changes only together with the state
        reported = [rule.target for rule in COMMISSION.reported if rule.name != "approved_by"]
        outbox._watch_updates("x_commission", reported, event="reported", also_own=True)
        outbox._watch_deletes("x_commission")

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse state and payment in a user's new commission: it starts as pending."""
        if not self.env.su and any(name in vals for vals in vals_list for name in ("state", *PAYMENT)):
            raise UserError(self.env._("A new commission must be pending. Use its buttons to approve and pay it."))
        return super().create(vals_list)

    def write(self, vals):
        """Restrict what users may change; the bridge and the steps below write as the superuser."""
        if not self.env.su:
            self._check_manual_change(vals)
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_paid(self):
        for commission in self:
            if commission.state == "paid" and not commission.x_comply360_tenant_id.selftest:
                raise UserError(self.env._("%(name)s is paid and cannot be deleted.", name=commission.name))

    def _check_manual_change(self, vals):
        if "state" in vals or any(name in vals for name in PAYMENT):
            raise UserError(
                self.env._("To change a commission's state or payment, use Approve, Mark as Paid, Cancel or Reset.")
            )
        amounts = [name for name in APP_OWNED if name in vals]
        for commission in self:
            if amounts and commission.state == "paid":
                raise UserError(
                    self.env._("%(name)s is paid, so its amounts can no longer be changed.", name=commission.name)
                )
            if amounts and commission.is_synced:
                raise UserError(
                    self.env._(
                        "The amounts of %(name)s come from the Comply360 app. Change them there.", name=commission.name
                    )
                )

    # -- steps ---------------------------------------------------------------------------------------------------------

    def action_approve(self):
        """Approve. Raises UserError unless every commission is pending."""
        self._step("approved", {"approved_at": fields.Datetime.now(), "approved_by_id": self.env.uid})
        return True

    def action_pay(self):
        """Open the dialog that asks for the payment's reference and date."""
        self._check_accountant()
        self._check_step("paid")
        return {
            **self.env["ir.actions.act_window"]._for_xml_id("comply360_bridge.comply360_commission_payment_action"),
            "context": {"default_commission_ids": [fields.Command.set(self.ids)]},
        }

    def mark_paid(self, payment_reference, paid_at=False):
        """Mark as paid.

        Units: `paid_at` is naive UTC; now if not given.

        Raises: UserError unless every commission is approved and there is a reference.
        """
        reference = (payment_reference or "").strip()
        if not reference:
            raise UserError(self.env._("Enter the payment reference."))
        if len(reference) > 255:
            raise UserError(self.env._("A payment reference may have at most 255 characters."))
        self._check_paid_by_hand()
        moment = fields.Datetime.to_datetime(paid_at) or fields.Datetime.now()
        self._step("paid", {"paid_at": moment.replace(microsecond=0), "payment_reference": reference})
        return True

    def action_cancel(self):
        """Cancel. Raises UserError if a commission is paid."""
        self._step("cancelled", {})
        return True

    def action_reset(self):
        """Reset to pending; for managers. Raises UserError if a commission is paid or on a bill."""
        if not self.env.user.has_group("comply360_bridge.group_manager"):
            raise AccessError(self.env._("Only Comply360 managers may reset commissions."))
        self._check_unbilled()
        self._step("pending", {"approved_at": False, "approved_by_id": False})
        return True

    def _step(self, state, values):
        self._check_accountant()
        self._check_step(state)
        # write() refuses state and payment to every user; only the checks above allow them
        self.sudo().write({**values, "state": state})

    def _check_accountant(self):
        if not self.env.user.has_group("comply360_bridge.group_accountant"):
            raise AccessError(self.env._("Only Comply360 accountants may process commissions."))
        self.check_access("write")

    def _check_step(self, state):
        labels = dict(self._fields["state"]._description_selection(self.env))
        for commission in self:
            if state not in NEXT_STATES[commission.state]:
                raise UserError(
                    self.env._(
                        "%(name)s is %(present)s and cannot become %(wanted)s.",
                        name=commission.name,
                        present=labels[commission.state].lower(),
                        wanted=labels[state].lower(),
                    )
                )

    # -- what the bridge writes ----------------------------------------------------------------------------------------

    @api.model
    def _comply360_defaults(self, entity, tenant):
        nothing = dict.fromkeys(PAYMENT, False)
        return {"company_id": tenant.company_id.id, **nothing}

    def _comply360_derive(self, entity, values, defaults):
        """Show the approver named by the app; an approver from Odoo stays until the commission is pending again."""
        values = dict(values) if self else {**defaults, **values}
        if values.get("state") == "pending":
            values["approved_by_id"] = False
        elif approver := values.get("x_comply360_approver_id"):
            values["approved_by_id"] = approver
        return values


def _name(lead, agent):
    return f"{lead.partner_name or lead.name or ''} / {agent.name or ''}"
