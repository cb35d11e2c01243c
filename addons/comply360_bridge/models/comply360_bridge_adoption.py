from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..exchange.adoption import Adoption, shown
from ..mappers.document import is_uuid

MOST_RECORDS = 1000
KINDS = ("user", "client", "registration", "commission", "invoice", "document")
ENTITY_OF = {
    "res.partner": "client",
    "crm.lead": "registration",
    "x_commission": "commission",
    "ir.attachment": "document",
}
"""The models whose records carry the app's ids; partners are clients or users."""


class Comply360Bridge(models.AbstractModel):
    """Records of the app that are in Odoo already, for instance after the addon was uninstalled and installed again."""

    _inherit = "comply360.bridge"

    @api.model
    def adopt_records(self, installation, tenant, entity, records, dry_run):
        """Find the halves of the app's records, and bind them unless it is a dry run."""
        self._check_service()
        installation = self._installation_of(installation)
        uuid = tenant["record_id"]
        if entity not in KINDS or not is_uuid(uuid) or not all(is_uuid(row["record_id"]) for row in records):
            raise UserError(self.env._("These are not records of the Comply360 app."))
        if len(records) > MOST_RECORDS:
            raise UserError(self.env._("At most %(most)s records can be adopted at once.", most=MOST_RECORDS))
        own = self._superuser(comply360_bridge=installation)
        found_tenant = own._tenant(installation, uuid)
        if not found_tenant and not dry_run:
            found_tenant = own._introduce(installation, tenant)
        adoption = Adoption(own.env, installation, uuid, found_tenant, entity)
        found = adoption.find(records)
        if not dry_run:
            adoption.adopt(found)
            own.env.flush_all()
        return {"records": [shown(one) for one in found]}

    def _introduce(self, installation, named):
        """A tenant that Odoo does not know yet; its document, which the app sends later, completes it."""
        record = self.env["comply360.tenant"].create(
            {"uuid": named["record_id"], "installation": installation, "name": named.get("name") or named["record_id"]}
        )
        self.env["comply360.binding"]._settle_tenant(installation, record)
        return record

    @api.model
    def holdings(self, installation):
        """How many records of the app are or were in Odoo, bound or not, by entity; none in a new database."""
        self._check_service()
        own = self._superuser()
        installation = self._installation_of(installation)
        counts = own._bound_counts(installation)
        for entity, count in own._unbound_counts(installation).items():
            counts[entity] = counts.get(entity, 0) + count
        former = own.env["ir.config_parameter"].get_param("comply360_bridge.former", "")
        return {
            "entities": {entity: str(count) for entity, count in counts.items() if count},
            "former": [uuid for uuid in former.split(",") if uuid],
        }

    def _bound_counts(self, installation):
        bound = [("installation", "=", installation), ("res_id", "!=", False)]
        return dict(self.env["comply360.binding"]._read_group(bound, ["entity"], ["__count"]))

    def _unbound_counts(self, installation):
        """Records that carry an id of the app, or only its status, and have no binding."""
        counts = {}
        for model, entity in ENTITY_OF.items():
            table = SQL.identifier(self.env[model]._table)
            rows = self.env.execute_query(
                SQL(
                    """
                SELECT %(entity)s, count(*)
                  FROM %(table)s r
                  LEFT JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id
                 WHERE (r.x_comply360_external_id IS NOT NULL OR %(left_behind)s)
                   AND (t.id IS NULL OR t.installation = %(installation)s)
                   AND NOT EXISTS (SELECT FROM comply360_binding b WHERE b.res_model = %(model)s AND b.res_id = r.id)
                 GROUP BY 1
                """,
                    entity=SQL("coalesce(r.x_comply360_entity, 'client')") if entity == "client" else SQL("%s", entity),
                    table=table,
                    # what is left of a lead that lost its id
                    left_behind=SQL("r.x_comply360_status IS NOT NULL") if model == "crm.lead" else SQL("FALSE"),
                    installation=installation,
                    model=model,
                )
            )
            counts.update(rows)
        return counts
