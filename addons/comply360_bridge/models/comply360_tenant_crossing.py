from odoo import models
from odoo.fields import Domain

from .comply360_walled import LINKS, OWN
from .tenant_rules import document_of, foreign

# what was sent can no longer be changed, and is read by the rules of who reads
SENT = {"mail.message"}
SHOWN = 20
MANY = 1_000


class Comply360Tenant(models.Model):
    """Links to other tenants' records that are older than the wall which refuses them."""

    _inherit = "comply360.tenant"

    def _comply360_misfits_of_links(self):
        """Each record of this tenant that links one of another tenant, without a word about that one."""
        others = self.sudo().with_context(active_test=False).search([("id", "!=", self.id)]).ids
        for model, names in LINKS.items() if others else ():
            if model in SENT or model not in self.env:
                continue
            records = self.env[model].sudo().with_context(active_test=False)
            found = records.search(self._comply360_crossing_domain(model, names, others), order="id", limit=MANY)
            crossing = list(found._comply360_crossing_fields().items())
            for record_id, name in crossing[:SHOWN]:
                yield self._comply360_misfit_of_link(records.browse(record_id), name, len(crossing))

    def _comply360_crossing_domain(self, model, names, others):
        """Records that may be this tenant's and link another one's; what they really link is looked at afterwards."""
        own = OWN.get(model, "x_comply360_tenant_id")
        reaching = Domain.OR(self._comply360_reaching(model, name, self.ids) for name in names if "." not in name)
        if own not in self.env[model]._fields:
            mine = Domain.OR(self._comply360_reaching(model, name, others) for name in names if "." not in name)
            return mine & reaching
        free = Domain.OR(self._comply360_reaching(model, name, others) for name in names if "." not in name)
        return reaching & (Domain(own, "=", self.id) | (Domain(own, "=", False) & free))

    def _comply360_reaching(self, model, name, limit):
        """Records of a model that link, by this field, a record of another tenant than these."""
        field = self.env[model]._fields[name]
        if field.type == "many2one_reference":
            return document_of(field.model_field, name, limit)
        return Domain(name, "any!", foreign(self.env, field.comodel_name, limit))

    def _comply360_misfit_of_link(self, record, name, number):
        place, field = record._name, record._fields[name.split(".")[0]]
        label = field.get_description(self.env, ["string"])["string"]
        more = f"; {number - SHOWN} more records of {place} do" if number > SHOWN else ""
        if place == "account.partial.reconcile":
            advice = f"in Odoo, unreconcile journal items {record.debit_move_id.id} and {record.credit_move_id.id}"
        else:
            advice = f"in Odoo, empty {label} of {place} {record.id} or choose one of the tenant or of none"
            if field.required:
                advice = f"in Odoo, delete {place} {record.id}, or choose another {label} of the tenant or of none"
        return {
            "code": "link_across_tenants",
            "place": f"{place}.{field.name}",
            "value": f"{place} {record.id}",
            "message": f"{label} of {place} {record.id} is of another tenant: linked before Odoo refused that{more}",
            "advice": advice,
        }
