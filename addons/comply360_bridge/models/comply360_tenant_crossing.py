from odoo import models

from .crossing_links import crossing_links, names_of

SHOWN = 20


class Comply360Tenant(models.Model):
    """Links to other tenants' records that are older than the wall which refuses them."""

    _inherit = "comply360.tenant"

    def _comply360_misfits_of_links(self):
        """By tenant id: a finding for each record that links another tenant's, without a word about the other one."""
        self.env.flush_all()
        found = {tenant.id: [] for tenant in self}
        for tenant_id, model, number, ids in self.env.execute_query(crossing_links(self.env, SHOWN)):
            if tenant_id in found:
                records = self.env[model].sudo().with_context(active_test=False).browse(ids)
                found[tenant_id] += [
                    self._comply360_misfit_of_link(records.browse(record_id), name, number)
                    for record_id, name in records._comply360_crossing_fields(names_of(model)).items()
                ]
        return found

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
