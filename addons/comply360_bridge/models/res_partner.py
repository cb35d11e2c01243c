from odoo import api, fields, models


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["res.partner", "comply360.synced"]

    x_comply360_mobile = fields.Char(string="Mobile", copy=False)
    x_comply360_tax_number = fields.Char(
        string="Tax Number in the App",
        readonly=True,
        copy=False,
        help="As the Comply360 app has it, valid or not.",
    )
    x_comply360_state_province = fields.Char(string="State or Province in the App", readonly=True, copy=False)
    x_comply360_entity = fields.Selection(
        [("client", "Client"), ("user", "User")],
        string="Comply360 Role",
        readonly=True,
        copy=False,
        help="Client: a customer of the tenant. User: a person of the tenant, to whom commissions are owed.",
    )

    def init(self):
        """Deleted contacts are told to the app."""
        result = super().init()
        self.env["comply360.outbox"]._watch_deletes("res.partner")
        return result

    @api.model
    def _comply360_defaults(self, entity, tenant):
        return {
            "company_id": tenant.company_id.id,
            "type": "contact",
            "x_comply360_entity": entity,
            "user_id": False,
            **({"customer_rank": 1} if entity == "client" else {"supplier_rank": 1, "is_company": False}),
        }

    def _comply360_derive(self, entity, values, defaults):
        values = dict(values)
        if "x_comply360_tax_number" in values:
            values["vat"] = values["x_comply360_tax_number"]
        if "country_id" in values or "x_comply360_state_province" in values:
            country_id = values.get("country_id", self.country_id.id)
            province = values.get("x_comply360_state_province", self.x_comply360_state_province)
            values["state_id"] = self._comply360_state(country_id, province)
        return values if self else {**defaults, **values}

    @api.model
    def _comply360_state(self, country_id, province):
        """The state of that name or code; none rather than a guess, the app's text is kept beside it."""
        if not (country_id and province):
            return False
        states = self.env["res.country"].browse(country_id).state_ids
        wanted = province.strip().casefold()
        found = states.filtered(lambda state: wanted in {state.name.casefold(), state.code.casefold()})
        return found.id if len(found) == 1 else False

    @api.model
    def _comply360_create(self, vals_list):
        # these partners have no parent and no children whose values could follow
        return self.with_context(_partners_skip_fields_sync=True).create(vals_list).with_env(self.env)
