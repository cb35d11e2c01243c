from decimal import Decimal
from fractions import Fraction

from odoo import api, models
from odoo.exceptions import UserError

from ..mappers.commission import BILLS
from ..mappers.money import add, decimal_of, divide, exact, worth

PAYABLE = ("asset_receivable", "liability_payable")
LIVE = ("in_process", "paid")


class AccountMove(models.Model):
    """What payments really moved for a document, and what of that paid which commission."""

    _inherit = "account.move"

    # -- one way to pay ------------------------------------------------------------------------------------------------

    def _post(self, soft=True):
        paying = self.filtered(lambda move: move.move_type in (*BILLS, "in_refund"))
        # whoever pays one of these commissions by hand has read them, and so have we: one of both must start again
        paying.sudo().x_comply360_commission_ids._comply360_supersede()
        for move in paying:
            move._comply360_check_paid_once()
        return super()._post(soft=soft)

    def _comply360_check_paid_once(self):
        """Refuse to post a bill whose commission is paid otherwise, or billed on another document."""
        if self.move_type not in BILLS:
            return
        for commission in self.sudo().x_comply360_commission_ids:
            if commission.state == "paid" and not (commission.bill_payment and self.posted_before):
                raise UserError(
                    self.env._(
                        "The commission %(name)s is already paid (%(reference)s). Remove it from this bill, or delete "
                        "the bill.",
                        name=commission.name,
                        reference=commission.payment_reference or commission.paid_at,
                    )
                )
            if other := commission._comply360_open_bills().filtered(lambda bill: bill.state == "posted") - self:
                raise UserError(
                    self.env._(
                        "The commission %(name)s is already billed on %(bill)s. Remove it from this bill, or delete "
                        "the bill.",
                        name=commission.name,
                        bill=other[:1].name,
                    )
                )

    def _comply360_check_payable(self, reference):
        """Refuse to pay these bills if one of their commissions was paid otherwise.

        A payment under the commission's own reference is the same payment, booked now.
        """
        for bill in self.filtered(lambda move: move.move_type in BILLS):
            for commission in bill.sudo().x_comply360_commission_ids:
                is_otherwise = commission.state == "paid" and not commission.bill_payment
                if is_otherwise and (reference or "").strip() != (commission.payment_reference or "").strip():
                    raise UserError(
                        self.env._(
                            "The commission %(name)s is already paid (%(reference)s), so the bill %(bill)s must not be "
                            "paid again. Credit or cancel the bill. If this is the same payment, register it with the "
                            "memo %(reference)s.",
                            name=commission.name,
                            bill=bill.display_name,
                            reference=commission.payment_reference or commission.paid_at,
                        )
                    )

    @api.constrains("matched_payment_ids")
    def _check_x_comply360_matched_payments(self):
        for move in self.filtered(lambda move: move.move_type in BILLS):
            for payment in move.sudo().matched_payment_ids.filtered(lambda payment: payment.state in LIVE):
                move._comply360_check_payable(payment.memo)

    # -- what was really paid ------------------------------------------------------------------------------------------

    def _comply360_transfers(self):
        """The partial reconciliations with payments and bank statement lines.

        Shapes: (partial, the amount in this document's currency, the payment's line). Credit notes and entries that
        settle a difference are no payments: `has_payment` and `has_st_line` of Odoo's own payment state.
        """
        terms = self.line_ids.filtered(lambda line: line.account_type in PAYABLE)
        found = [
            (partial, partial.credit_amount_currency, partial.debit_move_id) for partial in terms.matched_debit_ids
        ]
        found += [
            (partial, partial.debit_amount_currency, partial.credit_move_id) for partial in terms.matched_credit_ids
        ]
        return [item for item in found if item[2].move_id._comply360_is_payment()]

    def _comply360_is_payment(self):
        return bool(self.origin_payment_id or self.statement_line_id)

    def _comply360_payments(self):
        """The payments of this document, latest last: (day, id, reference, its name in the database)."""
        moves = {line.move_id for _partial, _amount, line in self._comply360_transfers()}
        found = [(move.date, move.id, move._comply360_payment_reference(), f"account.move,{move.id}") for move in moves]
        found += [
            (payment.date, payment.id, payment.memo or payment.name, f"account.payment,{payment.id}")
            for payment in self.matched_payment_ids.filtered(lambda item: not item.move_id and item.state in LIVE)
        ]
        return sorted(found, key=lambda payment: payment[:2])

    def _comply360_paid(self):
        """What was paid for this document, by currency; less than what it settles if a part was written off."""
        self.ensure_one()
        paid, entries = {}, self.browse()
        for partial, amount, line in self._comply360_transfers():
            settled = exact(amount)
            if partial.exchange_move_id not in entries:
                entries |= partial.exchange_move_id
                settled += self._comply360_rate_difference(partial.exchange_move_id)
            add(paid, self.currency_id.name, line.move_id._comply360_money(line, settled, self))
        for payment in self.matched_payment_ids.filtered(lambda payment: payment.state in LIVE):
            add(paid, payment.currency_id.name, self._comply360_unmatched(payment))
        return paid

    def _comply360_rate_difference(self, entry):
        """What an entry for a rate's difference settles of this document, in the document's own currency."""
        terms = self.line_ids.filtered(lambda line: line.account_type in PAYABLE)
        of_debit = terms.matched_debit_ids.filtered(lambda partial: partial.debit_move_id.move_id == entry)
        of_credit = terms.matched_credit_ids.filtered(lambda partial: partial.credit_move_id.move_id == entry)
        amounts = of_debit.mapped("credit_amount_currency") + of_credit.mapped("debit_amount_currency")
        return sum(map(exact, amounts), Decimal(0))

    def _comply360_money(self, line, settled, document):
        """What left the bank for a line of this payment, in the currency of the document that it settles."""
        moved, owed = self._comply360_sides()
        # in several currencies, lines add up in the company's only
        field = "amount_currency" if len(self.line_ids.currency_id) == 1 else "balance"
        moved_sum = -sum((exact(item[field]) for item in moved), Decimal(0))
        owed_sum = sum((exact(item[field]) for item in owed), Decimal(0))
        ratio = Fraction(moved_sum) / Fraction(owed_sum) if owed_sum else Fraction(1)
        own = document.currency_id._comply360_rounding()
        if line.currency_id == document.currency_id:
            return settled if ratio == 1 else own.stored(decimal_of(Fraction(settled) * ratio))
        money = Fraction(self._comply360_part_of(line, document)) * ratio
        rates, blur = self._comply360_rates(line.currency_id, document)
        return worth(settled, money, rates, blur, own)

    def _comply360_part_of(self, line, document):
        """The part of a payment's line, in its own currency, that went to a document."""
        of_debit = line.matched_credit_ids.filtered(lambda partial: partial.credit_move_id.move_id == document)
        of_credit = line.matched_debit_ids.filtered(lambda partial: partial.debit_move_id.move_id == document)
        amounts = of_debit.mapped("debit_amount_currency") + of_credit.mapped("credit_amount_currency")
        return sum(map(exact, amounts), Decimal(0))

    def _comply360_rates(self, currency, document):
        """What one unit of the payment's currency was worth in the document's, and what rounding blurs of that.

        Shapes: the rate of the payment's day, and that at which the document was booked; Odoo proposes the amounts of
        payments by one or the other.
        """
        own = self.company_id.currency_id
        found = (currency | document.currency_id | own)._get_rates(self.company_id, self.date)
        of_day = {key: Fraction(repr(rate)) / Fraction(repr(found[own.id])) for key, rate in found.items()}
        per_unit = [of_day[document.currency_id.id], Fraction(repr(document.invoice_currency_rate or 1.0))]
        rates = [rate / of_day[currency.id] for rate in per_unit]
        steps = [Fraction(item._comply360_rounding().step) for item in (currency, own, document.currency_id)]
        return rates, steps[0] * max(rates) / 2 + steps[1] * max(per_unit) / 2 + steps[2]

    def _comply360_sides(self):
        """A payment's lines: those by which money moved, and those that it settles. The rest was written off."""
        if payment := self.origin_payment_id:
            moved, owed, _written_off = payment._seek_for_lines()
            return moved, owed
        moved, unmatched, others = self.statement_line_id._seek_for_lines()
        return moved | unmatched, others.filtered(lambda line: line.account_type in PAYABLE)

    def _comply360_unmatched(self, payment):
        """The part of a payment for this document that settles nothing yet: money that left without being owed."""
        documents = payment.invoice_ids
        if payment.move_id:
            lines = payment._seek_for_lines()[1].filtered(lambda line: line.parent_state == "posted")
            rest = abs(sum((exact(line.amount_residual_currency) for line in lines), Decimal(0)))
        else:
            is_matched = payment.state == "paid" and self._comply360_transfers()
            rest = Decimal(0) if is_matched else exact(payment.amount)
        weights = {document.id: exact(abs(document.amount_total)) for document in documents}
        return divide(rest, weights, payment.currency_id.decimal_places).get(self.id, Decimal(0))

    # -- which commission it paid --------------------------------------------------------------------------------------

    def _comply360_shares(self):
        """By commission, what this document books and what was paid of it: (booked, paid), amounts by currency.

        A payment is divided over everything that the document charges; a deduction lowers what each line was paid.
        """
        self.ensure_one()
        charged = {}
        for line in self.invoice_line_ids.filtered(lambda line: line.display_type == "product"):
            # lines without a commission stand for themselves
            key = line.x_comply360_commission_id.id or -line.id
            charged[key] = charged.get(key, Decimal("0.00")) + exact(line.price_total)
        shares = {key: ({}, {}) for key in charged if key > 0}
        for key, (booked, _paid) in shares.items():
            add(booked, self.currency_id.name, charged[key])
        for currency, amount in self._comply360_paid().items():
            for key, part in self._comply360_divided(currency, amount, charged).items():
                if key in shares:
                    add(shares[key][1], currency, part)
        return shares

    def _comply360_divided(self, currency, amount, charged):
        """What of a payment went to what was charged; a commission that is taken back has been settled with it."""
        weights = {key: total for key, total in charged.items() if total > 0}
        if currency != self.currency_id.name:
            return divide(amount, weights, self.currency_id.decimal_places)
        back = {key: total for key, total in charged.items() if total < 0 < key}
        rest = amount - sum(back.values(), Decimal(0))
        return {**divide(rest, weights, self.currency_id.decimal_places), **back}
