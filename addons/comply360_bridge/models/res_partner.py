from odoo import api, fields, models
from odoo.tools import SQL

from ..mappers.client import CLIENT, canonical_number, numbers_of


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["res.partner", "comply360.synced"]

    x_comply360_mobile = fields.Char(string="Mobile", copy=False)
    x_comply360_tax_number = fields.Char(
        string="Tax Number in the App",
        readonly=True,
        copy=False,
        help="The tax number in the Comply360 app, valid or not. It follows the Tax ID when a user changes that.",
    )
    x_comply360_state_province = fields.Char(string="State or Province in the App", readonly=True, copy=False)
    x_comply360_entity = fields.Selection(
        [("client", "Client"), ("user", "User")],
        string="Comply360 Role",
        readonly=True,
        copy=False,
        help="Client: a customer of the tenant. User: an agent of the tenant, who earns commissions.",
    )

    def init(self):
        """Report users' changes of customers, and deleted contacts, to the app."""
        result = super().init()
        outbox = self.env["comply360.outbox"]
        columns = [rule.target for rule in CLIENT.rules if rule.two_way]
        outbox._watch_updates("res.partner", [*columns, "street2"], "client")
        outbox._watch_deletes("res.partner")
        return result

    def write(self, vals):
        """Copy a tax ID or state set by a user to the fields that the app reads."""
        result = super().write(vals)
        if ("vat" in vals or "state_id" in vals) and "comply360_bridge" not in self.env.context:
            for partner in self.filtered(lambda partner: partner.x_comply360_entity == "client"):
                if changes := partner._comply360_followed(vals):
                    super(ResPartner, partner).write(changes)
        return result

    def _comply360_followed(self, vals):
        followed = {}
        if "vat" in vals and (self.vat or "") != (self.x_comply360_tax_number or ""):
            followed["x_comply360_tax_number"] = self.vat
        if "state_id" in vals and self.state_id != self._comply360_present_state():
            followed["x_comply360_state_province"] = self.state_id.name
        return followed

    def _comply360_present_state(self):
        found = self._comply360_state(self.country_id.id, self.x_comply360_state_province)
        return self.env["res.country.state"].browse(found or [])

    @api.model
    def _comply360_key_values(self, tenant, key):
        return {**super()._comply360_key_values(tenant, key), "x_comply360_entity": key[1]}

    @api.model
    def _comply360_defaults(self, entity, tenant):
        return {
            "company_id": tenant.company_id.id,
            "type": "contact",
            "user_id": False,
            **({"customer_rank": 1} if entity == "client" else {"supplier_rank": 1, "is_company": False}),
        }

    def _comply360_derive(self, entity, values, defaults):
        values = dict(values)
        if "street" in values:
            street, _, rest = (values["street"] or "").partition("\n")
            values.update(street=street or False, street2=rest or False)
        if "x_comply360_tax_number" in values:
            values["vat"] = values["x_comply360_tax_number"]
        if "country_id" in values or "x_comply360_state_province" in values:
            country_id = values.get("country_id", self.country_id.id)
            province = values.get("x_comply360_state_province", self.x_comply360_state_province)
            values["state_id"] = self._comply360_state(country_id, province)
        return values if self else {**defaults, **values}

    def _comply360_value(self, rule):
        if rule.target == "street":
            # the app keeps all lines in one field
            return "\n".join(filter(None, (self.street, self.street2)))
        return super()._comply360_value(rule)

    @api.model
    def _comply360_state(self, country_id, province):
        """The only state with that name or code, else none; the app's text is kept in its own field."""
        if not (country_id and province):
            return False
        states = self.env["res.country"].browse(country_id).state_ids
        wanted = province.strip().casefold()
        found = states.filtered(lambda state: wanted in {state.name.casefold(), state.code.casefold()})
        return found.id if len(found) == 1 else False

    @api.model
    def _comply360_proposals(self, entity, installation, works):
        numbers = {work.document.key: numbers_of(work.document) for work in works} if entity == "client" else {}
        if not any(numbers.values()):
            return {}
        known = self._comply360_unbound_by_number(frozenset().union(*numbers.values()))
        found = {}
        for work in works:
            partners = self.browse({partner.id for number in numbers[work.document.key] for partner in known[number]})
            own = partners.filtered(
                lambda partner, tenant=work.tenant: (
                    partner.x_comply360_tenant_id in (tenant, tenant.browse())
                    and partner.company_id in (tenant.company_id, tenant.company_id.browse())
                )
            )
            if link := self.env["comply360.link"]._propose(installation, work.tenant, work.document, own):
                found[work.document.key] = link
        return found

    @api.model
    def _comply360_unbound_by_number(self, numbers):
        """Unbound customers by number; contacts that belong to a company are left out."""
        self.flush_model(["vat", "company_registry", "parent_id", "active"])
        canonical = "regexp_replace(upper(coalesce(p.%s, '')), '[^[:alnum:]]', '', 'g') = ANY(%%s)"
        rows = self.env.execute_query(
            SQL(
                f"""
            SELECT p.id FROM res_partner p
             WHERE p.active AND p.parent_id IS NULL
               AND ({canonical % "vat"} OR {canonical % "company_registry"})
               AND NOT EXISTS (SELECT FROM comply360_binding b
                                WHERE b.res_model = 'res.partner' AND b.res_id = p.id AND b.state = 'active')
             ORDER BY p.id
            """,
                list(numbers),
                list(numbers),
            )
        )
        found = {number: [] for number in numbers}
        for partner in self.browse(row_id for (row_id,) in rows):
            for number in {canonical_number(partner.vat or ""), canonical_number(partner.company_registry or "")}:
                if number in found:
                    found[number].append(partner)
        return found

    @api.model
    def _comply360_create(self, vals_list):
        # these partners have no parent or children to sync values with
        return self.with_context(_partners_skip_fields_sync=True).create(vals_list).with_env(self.env)
