from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

STATES = [("open", "To Decide"), ("accepted", "Same Customer"), ("declined", "Another Customer")]


class Comply360Link(models.Model):
    """A customer of the app that may be in Odoo already, under the same tax or registration number.

    The customer waits until a person has decided; its leads go on without it.
    """

    _name = "comply360.link"
    _description = "Comply360 Customer to Link"
    _order = "state desc, id desc"

    name = fields.Char(string="Customer in the App", required=True, readonly=True)
    installation = fields.Char(string="App Installation", required=True, readonly=True)
    tenant_id = fields.Many2one("comply360.tenant", required=True, readonly=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="tenant_id.company_id", store=True, index=True)
    external_id = fields.Char(string="ID in the App", required=True, readonly=True, index=True)
    email = fields.Char(readonly=True)
    tax_number = fields.Char(readonly=True)
    registration_numbers = fields.Char(readonly=True)
    candidate_ids = fields.Many2many("res.partner", string="Found in Odoo", readonly=True)
    partner_id = fields.Many2one(
        "res.partner",
        string="Same as",
        domain="[('id', 'in', candidate_ids)]",
        ondelete="set null",
        help="Which of the contacts that were found is this customer.",
    )
    state = fields.Selection(STATES, required=True, default="open", readonly=True, index=True)
    decided_by = fields.Many2one("res.users", readonly=True, ondelete="set null")
    decided_at = fields.Datetime(string="Decided on", readonly=True)

    _open_unique = models.UniqueIndex(
        "(installation, tenant_id, external_id) WHERE state = 'open'", "This customer is proposed already."
    )

    def write(self, vals):
        """A person chooses the contact, and decides by the buttons."""
        if not self.env.su and set(vals) - {"partner_id"}:
            raise AccessError(self.env._("Of a customer to link only the contact can be chosen."))
        return super().write(vals)

    @api.model
    def _propose(self, installation, tenant, document, partners):
        """The open proposal for a new client, nothing if no candidate is left that nobody has declined."""
        about = {"installation": installation, "tenant_id": tenant.id, "external_id": document.record_id}
        earlier = self.search([(name, "=", value) for name, value in about.items()])
        left = partners - earlier.filtered(lambda link: link.state == "declined").candidate_ids
        link = earlier.filtered(lambda link: link.state == "open")
        if not left:
            link.write({"state": "declined", "decided_at": fields.Datetime.now()})
            return self.browse()
        shown = {name: pair.value for name, pair in document.two_way.items()}
        values = {
            "name": shown.get("name") or document.record_id,
            "email": shown.get("email"),
            "tax_number": shown.get("tax_number"),
            "registration_numbers": ", ".join(document.numbers),
            "candidate_ids": [fields.Command.set(left.ids)],
        }
        if link:
            link.write(values)
            return link
        only = {"partner_id": left.id} if len(left) == 1 else {}
        return self.create({**values, **only, **about})

    def action_accept(self):
        """It is the same customer: bind it. What differs on both sides is then a conflict, and nobody's value is lost.

        Raises: UserError unless one of the candidates is chosen and still free.
        """
        self._check_decision()
        for link in self.sudo():
            if link.partner_id not in link.candidate_ids:
                raise UserError(self.env._("Choose which contact %(name)s is.", name=link.name))
            bindings = self.env["comply360.binding"].sudo()
            taken = [("res_model", "=", "res.partner"), ("res_id", "=", link.partner_id.id), ("state", "=", "active")]
            if bindings.search_count(taken, limit=1):
                raise UserError(
                    self.env._("%(name)s is linked to another record already.", name=link.partner_id.display_name)
                )
            binding_id = bindings._bind(link.installation, link.tenant_id, link._comply360_key(), link.partner_id)
            link.partner_id.customer_rank = max(link.partner_id.customer_rank, 1)
            link._decide("accepted", binding_id)
        return True

    def action_decline(self):
        """It is another customer: a contact of its own is made."""
        self._check_decision()
        for link in self.sudo():
            key = link._comply360_key()
            claimed = self.env["comply360.binding"].sudo()._claim(link.installation, {key})
            link._decide("declined", claimed.get(key))
        return True

    def _comply360_key(self):
        return (self.tenant_id.uuid, "client", self.external_id)

    def _decide(self, state, binding_id):
        self.write({"state": state, "decided_by": self.env.uid, "decided_at": fields.Datetime.now()})
        self.env["comply360.outbox"]._append([binding_id] if binding_id else [], "ask")

    def _check_decision(self):
        if not self.env.user.has_group("comply360_bridge.group_accountant"):
            raise AccessError(self.env._("Only a Comply360 accountant may decide about customers."))
        self.check_access("read")
        if self.filtered(lambda link: link.state != "open"):
            raise UserError(self.env._("This has been decided already."))
