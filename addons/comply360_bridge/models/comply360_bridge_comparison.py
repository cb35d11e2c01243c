from odoo import api, models
from odoo.exceptions import UserError

from ..exchange.comparison import Comparison
from ..mappers import MAPPERS
from .comply360_bridge import MOST_RECORDS


class Comply360Bridge(models.AbstractModel):
    """What the daemon compares: digests, field definitions, commissions with their bills."""

    _inherit = "comply360.bridge"

    @api.model
    def digests(self, installation, tenant, entity, after, limit, fields=()):
        """Digests of a tenant's records, of these fields or of all, in the order of their ids."""
        self._check_service()
        comparison = self._superuser()._comparison(installation, tenant, entity, fields)
        found, more = comparison.digests(after, self._limit(limit))
        return {"digests": found, "more": more}

    @api.model
    def known_ranges(self, installation, tenant, entity, bounds, fields=()):
        """`digest_ranges` from remembered digests only; empty for a range where one is missing or out of date."""
        self._check_service()
        self._check_bounds(bounds)
        return {"digests": self._superuser()._comparison(installation, tenant, entity, fields).known_ranges(bounds)}

    @api.model
    def digest_ranges(self, installation, tenant, entity, bounds, fields=()):
        """One digest per range of ids, over the rows of `digests`; empty beyond what one call computes."""
        self._check_service()
        self._check_bounds(bounds)
        comparison = self._superuser()._comparison(installation, tenant, entity, fields)
        return {"digests": comparison.digest_ranges(bounds, MOST_RECORDS)}

    @api.model
    def show_values(self, installation, tenant, entity, records, fields=()):
        """Present values of these records, for the words in which a comparison names a difference."""
        self._check_service()
        comparison = self._superuser()._comparison(installation, tenant, entity, fields)
        return {"values": comparison.values(list(records)[:MOST_RECORDS])}

    @api.model
    def describe_fields(self, installation):
        """Definitions of the fields that documents are written to, and of those opened to single tenants."""
        self._check_service()
        own = self._superuser()
        tenants = own.env["comply360.tenant"].search([("installation", "=", self._installation_of(installation))])
        return {
            "entities": {
                entity: {rule.name: own._describe(mapper.model, rule.target) for rule in mapper.rules}
                for entity, mapper in MAPPERS.items()
            },
            "required": {entity: own._required_of_others(mapper) for entity, mapper in MAPPERS.items() if mapper.rules},
            "tenants": {
                tenant.uuid: {
                    field.name: own._describe(field.model, field.name)
                    for field in tenant.extra_field_ids
                    if tenant._is_extra(field.model, field.name)
                }
                for tenant in tenants
            },
        }

    @api.model
    def commission_books(self, installation, tenant, after, limit):
        """A tenant's commissions with the amounts on their posted bills, in the order of their ids."""
        self._check_service()
        own = self._superuser()
        most = self._limit(limit)
        bindings = own.env["comply360.binding"].search(
            [
                ("installation", "=", self._installation_of(installation)),
                ("tenant", "=", tenant),
                ("entity", "=", "commission"),
                ("external_id", ">", after),
                ("state", "=", "active"),
                ("res_id", "!=", False),
            ],
            order="external_id",
            limit=most + 1,
        )
        records = own.env["x_commission"].browse(bindings[:most].mapped("res_id")).exists()
        rows = {record.id: row for record, row in zip(records, records._comply360_books(), strict=True)}
        return {
            "rows": [
                {"record_id": binding.external_id, **rows[binding.res_id]}
                for binding in bindings[:most]
                if binding.res_id in rows
            ],
            "more": len(bindings) > most,
        }

    def _comparison(self, installation, tenant, entity, fields):
        """The comparison of one entity of a tenant, over these fields or all of the contract's."""
        if entity not in MAPPERS:
            raise UserError(self.env._("This addon does not support the entity %(entity)s.", entity=entity))
        mapper = MAPPERS[entity]
        names = fields or [rule.name for rule in (*mapper.rules, *mapper.reported)]
        own_mapper = self._tenant(installation, tenant)._comply360_mapper(mapper)
        return Comparison(self.env, self._installation_of(installation), tenant, own_mapper, names)

    def _check_bounds(self, bounds):
        if len(self._few(bounds)) < 2:
            raise UserError(self.env._("A range of ids needs two bounds, but %(count)s were given.", count=len(bounds)))

    def _describe(self, model, name):
        field = self.env[model]._fields[name]
        return {
            "model": model,
            "field": name,
            "type": field.type,
            "required": bool(field.required),
            "values": list(field.get_values(self.env)) if field.type == "selection" else [],
        }

    def _required_of_others(self, mapper):
        """Custom required fields without a default, which no document fills."""
        return {
            name: self._describe(mapper.model, name)
            for name, field in self.env[mapper.model]._fields.items()
            if field.manual and field.required and field.store and not field.default
        }
