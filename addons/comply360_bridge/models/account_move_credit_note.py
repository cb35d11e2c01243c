from odoo import api, fields, models
from odoo.exceptions import UserError

PAYMENT_DISCREPANCIES = [("registration_cancelled", "The registration was cancelled")]


class AccountMove(models.Model):
    """Draft credit notes where money has to go back. Nothing is posted or deleted."""

    _inherit = "account.move"

    x_comply360_payment_discrepancy = fields.Selection(
        PAYMENT_DISCREPANCIES,
        string="Payment Discrepancy",
        compute="_compute_x_comply360_payment_discrepancy",
        store=True,
        copy=False,
    )

    @api.depends(
        "state",
        "move_type",
        "amount_total",
        "x_comply360_lead_id.x_comply360_status",
        "reversal_move_ids.state",
        "reversal_move_ids.amount_total",
    )
    def _compute_x_comply360_payment_discrepancy(self):
        for move in self:
            is_due_back = (
                move.move_type == "out_invoice"
                and move.state == "posted"
                and move.x_comply360_lead_id.x_comply360_status == "cancelled"
                and not move._comply360_is_credited()
            )
            move.x_comply360_payment_discrepancy = "registration_cancelled" if is_due_back else False

    def _comply360_is_credited(self):
        """Whether posted credit notes cover the whole invoice."""
        credited = sum(self.reversal_move_ids.filtered(lambda move: move.state == "posted").mapped("amount_total"))
        return self.currency_id.compare_amounts(credited, self.amount_total) >= 0

    def _comply360_propose_credit_notes(self, reason, lines=None):
        """Create draft credit notes for an accountant to review; no document gets a second one.

        Shapes: `lines` limits a credit note to some of the document's lines.
        """
        proposed = self.browse()
        for move in self.filtered(lambda move: move.state == "posted"):
            wanted = (lines or move.invoice_line_ids) & move.invoice_line_ids
            if not wanted or move._comply360_credit_lines(wanted):
                continue
            try:
                with self.env.cr.savepoint():
                    note = move._comply360_credit_note(reason, wanted.x_comply360_commission_id)
            except UserError as error:
                body = self.env._(
                    "%(reason)s No draft credit note could be created: %(error)s", reason=reason, error=error
                )
                move._message_log(body=body)
                continue
            body = self.env._(
                "%(reason)s A draft credit note was created: %(note)s", reason=reason, note=note.display_name
            )
            move._message_log(body=body)
            proposed |= note
        return proposed

    def _comply360_credit_note(self, reason, commissions):
        """A draft credit note for the whole document, or for the lines of these commissions."""
        self.ensure_one()
        reference = self.env._("Credit for %(number)s: %(reason)s", number=self.name, reason=reason)
        values = {"ref": reference, "invoice_date": fields.Date.context_today(self)}
        note = self.with_company(self.company_id)._reverse_moves([values])
        if commissions:
            note.invoice_line_ids.filtered(lambda line: line.x_comply360_commission_id not in commissions).unlink()
        note._message_log(body=self.env._("Created by the Comply360 bridge: %(reason)s", reason=reason))
        return note

    def _comply360_credit_lines(self, lines):
        """Lines of credit notes, drafts included, that cover these lines or the whole document."""
        notes = self.reversal_move_ids.filtered(lambda note: note.state != "cancel")
        commissions = lines.x_comply360_commission_id
        if not commissions:
            return notes.invoice_line_ids
        return notes.invoice_line_ids.filtered(lambda line: line.x_comply360_commission_id in commissions)
