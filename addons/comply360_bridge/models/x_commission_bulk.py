from collections import Counter

from odoo import fields, models


class XCommission(models.Model):
    """Steps over a selection: what can be done is done, and the answer counts what was skipped and why."""

    _inherit = "x_commission"

    def action_approve_selected(self):
        """Approve the pending commissions of the selection and notify the user of the counts."""
        self._check_accountant()
        ready, skipped = self._sort_out(lambda item: item._why_not_from("pending"))
        ready.action_approve()
        return self._notification(self.env._("%(count)s approved", count=len(ready)), skipped)

    def action_cancel_selected(self):
        """Cancel the pending and approved commissions of the selection and notify the user of the counts."""
        self._check_accountant()
        ready, skipped = self._sort_out(lambda item: item._why_not_from("pending", "approved"))
        ready.action_cancel()
        return self._notification(self.env._("%(count)s cancelled", count=len(ready)), skipped)

    def action_pay_selected(self):
        """Open the payment dialog for those of the selection that can be paid by hand; it names the others."""
        self._check_accountant()
        ready, skipped = self._sort_out(lambda item: item._why_not_from("approved") or item._why_on_a_bill())
        if not ready:
            return self._notification(self.env._("Nothing to mark as paid"), skipped)
        action = ready.action_pay()
        return {**action, "context": {**action["context"], "default_skipped": skipped}}

    def action_bill_selected(self):
        """Bill those of the selection that can be billed, notify the user of the counts, and open the bills."""
        self._check_accountant()
        ready, skipped = self._sort_out(
            lambda item: item._why_not_from("approved") or item._why_on_a_bill() or item._why_without_rate()
        )
        if not ready:
            return self._notification(self.env._("Nothing to bill"), skipped)
        action = ready.action_create_bill()
        count = len(ready.sudo().bill_id)
        title = (
            self.env._("%(count)s commissions on 1 draft bill", count=len(ready))
            if count == 1
            else self.env._("%(count)s commissions on %(bills)s draft bills", count=len(ready), bills=count)
        )
        return self._notification(title, skipped, action)

    def action_comply360_retry(self):
        """Try again what did not sync, once its cause is gone; for accountants."""
        return self._comply360_retry()

    def _sort_out(self, why_not):
        """The commissions that can take a step, and in words how many cannot and why."""
        reasons = Counter()
        ready = self.browse()
        for commission in self:
            if reason := why_not(commission):
                reasons[reason] += 1
            else:
                ready |= commission
        return ready, self._skipped_words(reasons)

    def _why_not_from(self, *states):
        return False if self.state in states else ("state", self.state)

    def _why_on_a_bill(self):
        return ("bill", "") if self.sudo()._comply360_open_bills() else False

    def _why_without_rate(self):
        has_rate = self.currency_id._comply360_has_rate(self.company_id, fields.Date.context_today(self))
        return False if has_rate else ("rate", self.currency_id.name)

    def _skipped_words(self, reasons):
        if not reasons:
            return ""
        # in the order of the states, then the rest as it came
        order = {("state", state): place for place, state in enumerate(("pending", "approved", "paid", "cancelled"))}
        ordered = sorted(reasons, key=lambda reason: order.get(reason, len(order)))
        words = ", ".join(self._reason_words(*reason, reasons[reason]) for reason in ordered)
        return self.env._("%(count)s skipped: %(reasons)s", count=reasons.total(), reasons=words)

    def _reason_words(self, reason, detail, count):
        if reason == "bill":
            return self.env._("%(count)s already on a bill", count=count)
        if reason == "rate":
            return self.env._(
                "%(count)s in %(currency)s, which has no exchange rate today", count=count, currency=detail
            )
        if detail == "pending":
            return self.env._("%(count)s not approved yet", count=count)
        labels = dict(self._fields["state"]._description_selection(self.env))
        return self.env._("%(count)s already %(state)s", count=count, state=labels[detail].lower())

    def _notification(self, title, skipped, following=None):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": title,
                "message": skipped,
                "type": "warning" if skipped else "success",
                "next": following or {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
