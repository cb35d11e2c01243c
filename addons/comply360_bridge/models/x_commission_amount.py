from decimal import Decimal

from odoo import api, models
from odoo.exceptions import ValidationError

from ..mappers.document import Refused
from ..mappers.money import exact

AMOUNTS = ("commission_amount", "registration_fee")


class XCommission(models.Model):
    """Amounts are stored as they are, or refused: Odoo would round them without a word."""

    _name = "x_commission"
    _inherit = ["x_commission", "comply360.one.currency"]
    _comply360_amounts = AMOUNTS

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse amounts that the currency would change."""
        for vals in vals_list:
            missing = [name for name in ("currency_id", *AMOUNTS) if name not in vals]
            values = {**self.default_get(missing), **vals} if missing else vals
            self._check_exact(self.env["res.currency"].browse(values["currency_id"]), values)
        return super().create(vals_list)

    def write(self, vals):
        """Refuse amounts that the currency would change, and a currency that would change the amounts."""
        given = {name: vals[name] for name in AMOUNTS if name in vals}
        if given or "currency_id" in vals:
            for commission in self:
                currency = self.env["res.currency"].browse(vals.get("currency_id", commission.currency_id.id))
                kept = {} if currency == commission.currency_id else {name: commission[name] for name in AMOUNTS}
                self._check_exact(currency, {**kept, **given})
        return super().write(vals)

    def _check_exact(self, currency, amounts):
        for name in AMOUNTS:
            if currency and amounts.get(name):
                label = self._fields[name]._description_string(self.env)
                if complaint := currency.sudo()._comply360_rounding().complaint(label, exact(amounts[name])):
                    raise ValidationError(complaint)

    def _check_still_exact(self):
        """Refuse to bill an amount that its currency's rounding has come to change since it was stored."""
        for commission in self:
            commission._check_exact(commission.currency_id, {name: commission[name] for name in AMOUNTS})

    # -- what the bridge writes ----------------------------------------------------------------------------------------

    @api.model
    def _comply360_lacking(self, installation, works):
        """Commissions whose amounts Odoo would round."""
        found = super()._comply360_lacking(installation, works)
        present = self.browse([work.res_id for work in works if not work.creating])
        present.fetch(["currency_id", *AMOUNTS])
        roundings = {}
        for work in works:
            values, stored = work.translation.values, self.browse(work.res_id)
            currency = (
                self.env["res.currency"].browse(values["currency"]) if "currency" in values else stored.currency_id
            )
            if currency not in roundings:
                roundings[currency] = currency._comply360_rounding()
            is_changed = currency != stored.currency_id
            complaints = {}
            for name in AMOUNTS:
                if name in values or is_changed:
                    amount = Decimal(work.wanted[name]) if name in values else exact(stored[name])
                    if complaint := roundings[currency].complaint(name, amount):
                        complaints[name] = complaint, str(amount)
            if complaints:
                name, (_, value) = next(iter(complaints.items()))
                message = "; ".join(complaint for complaint, _ in complaints.values())
                found.setdefault(work.document.key, Refused("bad_amount", message, name, value))
        return found
