from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import float_repr

# computed by Odoo, and read by the app as the truth about a payment
FACTS = frozenset({"amount_residual", "amount_total", "payment_state"})


class AccountMove(models.Model):
    """Vendor bills that pay commissions."""

    _inherit = "account.move"

    x_comply360_commission_ids = fields.Many2many(
        "x_commission", string="Commissions", compute="_compute_x_comply360_commission_ids"
    )
    x_comply360_commission_count = fields.Integer(
        string="Commission Count", compute="_compute_x_comply360_commission_ids"
    )

    @api.depends("invoice_line_ids.x_comply360_commission_id")
    def _compute_x_comply360_commission_ids(self):
        for move in self:
            commissions = move.invoice_line_ids.x_comply360_commission_id
            move.x_comply360_commission_ids = commissions
            move.x_comply360_commission_count = len(commissions)

    @api.constrains("state")
    def _check_comply360_commissions(self):
        """Check what posting checks, however the document became posted."""
        for move in self:
            if move.state == "posted":
                move._comply360_check_commissions()

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse users amounts and a state of payment in a new document of the app: Odoo computes them."""
        moves = super().create(vals_list)
        if not self.env.su:
            for move, vals in zip(moves, vals_list, strict=True):
                move._comply360_keep_facts({name: vals[name] for name in FACTS & vals.keys() if vals[name]})
        return moves

    def write(self, vals):
        """Refuse users the amounts and the state of payment of the app's documents: Odoo computes them."""
        if not self.env.su and FACTS & vals.keys():
            for move in self:
                facts = {name: vals[name] for name in FACTS & vals.keys() if not move._comply360_has(name, vals[name])}
                move._comply360_keep_facts(facts)
        return super().write(vals)

    def _comply360_keep_facts(self, facts):
        """Refuse these values; a payment may be blocked, and released again."""
        if facts.get("payment_state") in ("blocked", "not_paid") and self.payment_state not in ("paid", "in_payment"):
            facts = {name: value for name, value in facts.items() if name != "payment_state"}
        if facts and (self.sudo().x_comply360_tenant_id or self.sudo().line_ids.x_comply360_commission_id):
            name, value = next(iter(facts.items()))
            raise AccessError(
                self.env._(
                    "Nobody may set %(field)s (%(name)s) of %(document)s to %(value)s: Odoo computes it from the "
                    "document's lines and payments.",
                    field=self._fields[name].get_description(self.env, ["string"])["string"],
                    name=name,
                    document=self.display_name,
                    value=value,
                )
            )

    def action_comply360_commissions(self):
        """Open the commissions that these bills pay."""
        self.check_access("read")
        self.env["x_commission"].check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("comply360_bridge.x_commission_action")
        return {**action, "domain": [("id", "in", self.x_comply360_commission_ids.ids)], "context": {}}

    def _post(self, soft=True):
        for move in self:
            move._comply360_check_commissions()
        return super()._post(soft=soft)

    def _comply360_needs_rate(self):
        return super()._comply360_needs_rate() or bool(self.sudo().x_comply360_commission_ids)

    def _comply360_check_commissions(self):
        """Refuse to post a bill that does not pay its commissions exactly as the app approved them."""
        lines = self.sudo().line_ids.filtered("x_comply360_commission_id")
        if not lines or self.move_type == "in_refund":
            return
        # a user may have written the stored totals
        self.env.add_to_compute(lines._fields["price_total"], lines)
        billed = lines.grouped("x_comply360_commission_id")
        for commission, own in billed.items():
            if refusal := self.sudo()._comply360_why_not_posted(commission, own):
                raise UserError(refusal)
        self._comply360_check_total(sum(billed, self.env["x_commission"].sudo()))

    def _comply360_why_not_posted(self, commission, lines):
        """Why a bill with these lines of a commission cannot be posted; empty if it can."""
        name = commission.name
        if self.move_type != "in_invoice":
            return self.env._("The commission %(name)s can be paid only with a vendor bill.", name=name)
        other = commission.bill_line_ids.move_id.filtered(
            lambda move: move != self and move.move_type == "in_invoice" and move.state == "posted"
        )
        other = other.filtered(lambda move: not move._comply360_is_credited())
        if other:
            return self.env._(
                "The commission %(name)s is already on the bill %(bill)s. Remove it from this bill before you post it.",
                name=name,
                bill=other[0].name,
            )
        # a bill that paid its commission may be reset to draft and posted again
        is_repeated = commission.state == "paid" and self.posted_before and commission.bill_id == self
        if commission.state != "approved" and not is_repeated:
            return self.env._(
                "The commission %(name)s is no longer approved: it is %(state)s. Remove it from this bill before you "
                "post it.",
                name=name,
                state=dict(commission._fields["state"]._description_selection(self.env))[commission.state].lower(),
            )
        if self.partner_id != commission.agent_id:
            return self.env._(
                "This bill is from %(partner)s, but the agent of the commission %(name)s is %(agent)s. Both must be "
                "the same before you post it.",
                partner=self.partner_id.name,
                name=name,
                agent=commission.agent_id.name,
            )
        return self._comply360_why_not_that_amount(commission, lines)

    def _comply360_why_not_that_amount(self, commission, lines):
        billed, currency = sum(lines.mapped("price_total")), self.currency_id
        booked = sum(lines.mapped("amount_currency")) - sum(lines.mapped("price_subtotal"))
        values = {
            "name": commission.name,
            "billed": f"{currency.name} {float_repr(billed + booked, currency.decimal_places)}",
            "amount": f"{commission.currency_id.name} "
            f"{float_repr(commission.commission_amount, commission.currency_id.decimal_places)}",
        }
        is_same = currency == commission.currency_id and currency.is_zero(booked)
        if not is_same or currency.compare_amounts(billed, commission.commission_amount):
            return self.env._(
                "This bill pays %(billed)s for the commission %(name)s, which is %(amount)s. Both must be the same "
                "before you post it.",
                **values,
            )
        return ""

    def _comply360_check_total(self, commissions):
        """Refuse other lines that take something off: the commissions would count as paid in full."""
        due = sum(commissions.mapped("commission_amount"))
        if self.currency_id.compare_amounts(self.amount_total, due) < 0:
            raise UserError(
                self.env._(
                    "This bill amounts to %(total)s, but its commissions to %(due)s. Remove the lines that reduce it "
                    "before you post it.",
                    total=f"{self.currency_id.name} {float_repr(self.amount_total, self.currency_id.decimal_places)}",
                    due=f"{self.currency_id.name} {float_repr(due, self.currency_id.decimal_places)}",
                )
            )

    def _comply360_shown(self):
        """Odoo's own action for vendor bills, which opens these documents."""
        action = self.env["ir.actions.act_window"]._for_xml_id("account.action_move_in_invoice_type")
        action = {**action, "context": {"default_move_type": "in_invoice"}}
        if len(self) == 1:
            return {**action, "res_id": self.id, "views": [(False, "form")]}
        return {**action, "domain": [("id", "in", self.ids)]}
