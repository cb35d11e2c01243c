from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

STATES = [("open", "To Decide"), ("accepted", "Same Customer"), ("declined", "Different Customer")]


class Comply360Link(models.Model):
    """A customer of the app whose tax or registration number a contact in Odoo already has.

    The customer waits for a user's decision; its leads are synced without it.
    """

    _name = "comply360.link"
    _inherit = ["comply360.walled", "comply360.guarded"]
    _description = "Comply360 Customer to Link"
    _order = "state desc, id desc"
    # the buttons write the decision
    _comply360_users_own = {"partner_id": ""}

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
        help="The contact that is this customer.",
    )
    state = fields.Selection(STATES, required=True, default="open", readonly=True, index=True)
    decided_by = fields.Many2one("res.users", readonly=True, ondelete="set null")
    decided_at = fields.Datetime(string="Decided on", readonly=True)

    _open_unique = models.UniqueIndex(
        "(installation, tenant_id, external_id) WHERE state = 'open'", "This customer has already been proposed."
    )

    @api.model
    def _propose(self, installation, tenant, document, partners):
        """The open proposal for a new client; empty if every candidate was declined."""
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
        if not link:
            link = self._open(about, values["name"])
            values |= about
            if len(left) == 1:
                values["partner_id"] = left.id
        link.write(values)
        return link

    def _open(self, about, name):
        """Create an open proposal.

        Waits for a concurrent transaction's proposal of the same customer. Once that commits, PostgreSQL ends this
        transaction with a serialization failure, and Odoo's retry finds the other's proposal.
        """
        self.env.cr.execute(
            """
            INSERT INTO comply360_link
                   (installation, tenant_id, external_id, name, state, create_uid, create_date, write_uid, write_date)
            VALUES (%(installation)s, %(tenant_id)s, %(external_id)s, %(name)s, 'open', %(user)s,
                    now() AT TIME ZONE 'UTC', %(user)s, now() AT TIME ZONE 'UTC')
                ON CONFLICT (installation, tenant_id, external_id) WHERE state = 'open' DO NOTHING
            RETURNING id
            """,
            {**about, "name": name, "user": self.env.uid},
            log_exceptions=False,
        )
        return self.browse(self.env.cr.fetchone()[0])

    def action_accept(self):
        """Bind the contact as the same customer. Fields that differ become conflicts, so no value is lost.

        Raises: UserError unless a candidate is selected and not bound yet.
        """
        self._check_decision()
        for link in self.sudo():
            if link.partner_id not in link.candidate_ids:
                raise UserError(self.env._("Select the contact that is %(name)s.", name=link.name))
            bindings = self.env["comply360.binding"].sudo()
            taken = [("res_model", "=", "res.partner"), ("res_id", "=", link.partner_id.id), ("state", "=", "active")]
            if bindings.search_count(taken, limit=1):
                raise UserError(
                    self.env._(
                        "%(name)s is already linked to another record of the app.", name=link.partner_id.display_name
                    )
                )
            binding_id = bindings._bind(link.installation, link.tenant_id, link._comply360_key(), link.partner_id)
            link.partner_id.customer_rank = max(link.partner_id.customer_rank, 1)
            link._decide("accepted", binding_id)
        return True

    def action_decline(self):
        """Have the app's customer created as a contact of its own."""
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
            raise AccessError(self.env._("Only Comply360 accountants may link customers."))
        self.check_access("read")
        if self.filtered(lambda link: link.state != "open"):
            raise UserError(self.env._("This has already been decided."))
