from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

LINK = "x_comply360_commission_id"
ACCOUNTANT = "comply360_bridge.group_accountant"


class AccountMoveLine(models.Model):
    """Lines of the vendor bills that pay commissions. Only accountants link them."""

    _name = "account.move.line"
    _inherit = ["account.move.line", "comply360.walled", "comply360.guarded"]
    _comply360_users_own = {LINK: ACCOUNTANT}

    x_comply360_commission_id = fields.Many2one(
        "x_commission",
        string="Commission",
        copy=False,
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        check_company=True,
    )

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse users a new commission on a posted document."""
        lines = super().create(vals_list)
        if not self.env.su:
            lines._comply360_refuse_posted()
        return lines

    def write(self, vals):
        """Keep linked lines on their documents, and the links of posted documents."""
        if self.env.su or vals.keys().isdisjoint((LINK, "move_id")):
            return super().write(vals)
        self._comply360_keep_links(vals)
        linked = self.sudo().filtered(LINK)
        result = super().write(vals)
        (self - linked if "move_id" not in vals else self)._comply360_refuse_posted()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_except_comply360_commission(self):
        if self.env.su or self.env.user.has_group(ACCOUNTANT):
            return
        for line in self.sudo().filtered(LINK):
            if line.move_id.move_type == "in_invoice":
                raise AccessError(
                    self.env._(
                        "Only Comply360 accountants may delete the line of %(bill)s that pays the commission "
                        "%(commission)s.",
                        bill=line.move_id.display_name,
                        commission=line.x_comply360_commission_id.display_name,
                    )
                )

    def _comply360_refuse_posted(self):
        """Refuse these links on posted documents: posting has checked only those that were there."""
        for line in self.sudo().filtered(LINK):
            if line.parent_state == "posted":
                raise UserError(
                    self.env._(
                        "%(document)s is posted, so the commission %(commission)s cannot be added to it.",
                        document=line.move_id.display_name,
                        commission=line.x_comply360_commission_id.display_name,
                    )
                )

    def _comply360_keep_links(self, vals):
        for line in self.sudo().filtered(LINK):
            names = {"bill": line.move_id.display_name, "commission": line.x_comply360_commission_id.display_name}
            if line.parent_state == "posted" and not line._comply360_has(LINK, vals.get(LINK, line[LINK].id)):
                raise UserError(
                    self.env._(
                        "%(bill)s is posted, so its line keeps the commission %(commission)s. Reset it to draft first.",
                        **names,
                    )
                )
            moved = not line._comply360_has("move_id", vals.get("move_id", line.move_id.id))
            if moved and not self.env.user.has_group(ACCOUNTANT):
                raise AccessError(
                    self.env._(
                        "Only Comply360 accountants may move the line of %(bill)s that pays the commission "
                        "%(commission)s to the document %(document)s.",
                        document=vals["move_id"],
                        **names,
                    )
                )

    @api.model
    def _comply360_may_create(self, name, vals):
        """Lines of a credit note name commissions of the bill that it reverses, whoever creates it."""
        note = self.env["account.move"].sudo().browse(vals.get("move_id"))
        named = note.reversed_entry_id.line_ids.x_comply360_commission_id
        return name == LINK and note.move_type == "in_refund" and vals[name] in named.ids

    def _copy_data_extend_business_fields(self, values):
        """Keep the commission on the lines of a credit note."""
        result = super()._copy_data_extend_business_fields(values)
        is_bill = self.move_id.move_type == "in_invoice"
        values[LINK] = self.x_comply360_commission_id.id if is_bill else False
        return result
