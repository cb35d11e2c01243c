from odoo import api, models, tools
from odoo.exceptions import AccessError

from .tenant_rules import foreign, is_walled


class IrRule(models.Model):
    """Tenants stay apart also in models that only name records of tenants, such as letters and payment tokens."""

    _inherit = "ir.rule"

    @api.model
    def _compute_domain(self, model_name, mode="read"):
        domain = super()._compute_domain(model_name, mode)
        limit = None if self.env.su else self.env.user._comply360_limit()
        # walled models have rules of their own, in security/ir_rule.xml
        if limit is None or is_walled(model_name):
            return domain
        return domain & self._comply360_named(model_name, limit)

    @api.model
    @tools.ormcache("model_name", "limit")
    def _comply360_named(self, model_name, limit):
        return (~foreign(self.env, model_name, limit)).optimize(self.env[model_name])

    def _make_access_error(self, operation, records):
        """Name no record of a tenant that the user does not work for."""
        hidden = self.env["res.users"]._comply360_foreign(records)
        if not hidden:
            return super()._make_access_error(operation, records)
        return self._comply360_access_error(hidden)

    @api.model
    def _comply360_access_error(self, records):
        return AccessError(
            self.env._(
                "%(model)s %(ids)s: these records belong to a Comply360 tenant that you are not allowed to see.",
                model=records._name,
                ids=", ".join(map(str, records.ids[:6])),
            )
        )
