from odoo import api, models
from odoo.exceptions import ValidationError

from ..exchange.quiet import quiet
from ..mappers import MAPPERS
from ..mappers.document import is_uuid, printable
from .comply360_bridge import instant, key_of

RELINKABLE = ("client", "user", "registration", "commission")
RENAMABLE = (*RELINKABLE, "document")


class Comply360Bridge(models.AbstractModel):
    """Single bindings, for an operator."""

    _inherit = "comply360.bridge"

    @api.model
    def show_binding(self, installation, record):
        """How one record is bound in Odoo."""
        self._check_service()
        binding = self._superuser()._binding_of(self._installation_of(installation), record)
        bound = self._superuser().env[binding.res_model].browse(binding.res_id or []).exists() if binding else None
        return {
            "state": binding.state or "",
            "model": binding.res_model or "",
            "res_id": str(binding.res_id or ""),
            "version": binding.version or "",
            "opted_out": binding.opted_out,
            "synced_at": instant(binding.synced_at),
            "name": bound.display_name or "" if bound else "",
        }

    @api.model
    def relink_binding(self, installation, record, res_id):
        """Bind a record of the app to another Odoo record; `refused` says why it was not done."""
        self._check_service()
        own = self._superuser(comply360_bridge=self._installation_of(installation))
        key = key_of(record)
        number = self._number(res_id, "res_id")
        if key[1] not in RELINKABLE:
            return {"model": "", "res_id": "", "refused": f"a {key[1]} cannot be linked to another record"}
        tenant = own._tenant(installation, key[0])
        target = own.env[MAPPERS[key[1]].model].browse(number).exists()
        if refused := own._why_not_relink(tenant, key, target):
            return {"model": "", "res_id": "", "refused": refused}
        try:
            with self.env.cr.savepoint():
                own.env["comply360.binding"]._bind(installation, tenant, key, target)
        except ValidationError as error:
            return {"model": "", "res_id": "", "refused": str(error)}
        return {"model": target._name, "res_id": str(target.id), "refused": ""}

    @api.model
    def rename_binding(self, installation, record, record_id):
        """Give a binding the id that the app's record has now; `refused` says why it was not done."""
        self._check_service()
        own = self._superuser(comply360_bridge=self._installation_of(installation))
        tenant, entity, _former = key_of(record)
        if entity not in RENAMABLE or not is_uuid(record_id):
            return {"refused": f"a {entity} cannot get the id {printable(record_id)}"}
        binding = own._binding_of(installation, record)
        if binding and own._binding_of(installation, {**record, "record_id": record_id}):
            return {"refused": f"{entity} {record_id} of tenant {tenant} is bound already"}
        with quiet():
            own.env["comply360.binding"]._rename(installation, key_of(record), record_id)
        return {"refused": ""}

    @api.model
    def forget_binding(self, installation, record):
        """Delete a binding whose record was deleted or merged; `refused` says why it was not done."""
        self._check_service()
        own = self._superuser()
        binding = own._binding_of(self._installation_of(installation), record)
        if binding.state == "active" and own.env[binding.res_model].browse(binding.res_id or []).exists():
            return {"refused": f"it is bound to {binding.res_model} {binding.res_id}, which still exists"}
        binding.unlink()
        return {"refused": ""}

    def _binding_of(self, installation, record):
        tenant, entity, record_id = key_of(record)
        of_tenant = [("installation", "=", installation), ("tenant", "=", tenant)]
        return self.env["comply360.binding"].search(
            [*of_tenant, ("entity", "=", entity), ("external_id", "=", record_id)]
        )

    def _why_not_relink(self, tenant, key, target):
        if not tenant:
            return f"Odoo has no tenant {key[0]}"
        if not target:
            return f"Odoo has no such record to bind a {key[1]} to"
        if target.x_comply360_tenant_id not in (tenant, tenant.browse()):
            return f"{target._name} {target.id} belongs to another tenant"
        if target.company_id not in (tenant.company_id, tenant.company_id.browse()):
            return f"{target._name} {target.id} belongs to another company"
        if target._name == "res.partner" and (owner := self._owner_of(target)):
            return f"{target._name} {target.id} is the contact of a {owner} of this Odoo"
        return self._why_not_free(tenant, key, target)

    def _owner_of(self, partner):
        """What in Odoo stands for itself with this contact; a document of the app must not change it."""
        owners = {"res.company": "company", "res.users": "user"}
        own = [("partner_id", "=", partner.id)]
        found = [model for model in owners if self.env[model].with_context(active_test=False).search_count(own)]
        return owners[found[0]] if found else ""

    def _why_not_free(self, tenant, key, target):
        bound = [("res_model", "=", target._name), ("res_id", "=", target.id), ("state", "in", ("active", "alias"))]
        for other in self.env["comply360.binding"].search(bound):
            if other.installation != tenant.installation:
                return f"{target._name} {target.id} is bound to another installation of the app"
            if other.state == "active" and (other.tenant, other.entity, other.external_id) != key:
                return f"{target._name} {target.id} is already {other.entity} {other.external_id}"
        return ""
