from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from ..mappers.client import CLIENT, canonical_number, numbers_of
from .comply360_walled import DEEPEST, OwnTenant


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["res.partner", "comply360.synced"]
    # customers and agents of no tenant have a mobile number too
    _comply360_users_own = {"x_comply360_mobile": ""}

    x_comply360_mobile = fields.Char(string="Mobile", copy=False)
    x_comply360_tax_number = fields.Char(
        string="Tax Number in the App",
        readonly=True,
        copy=False,
        help="The tax number in the Comply360 app, valid or not. It follows the Tax ID when a user changes that.",
    )
    x_comply360_state_province = fields.Char(string="State or Province in the App", readonly=True, copy=False)
    x_comply360_entity = fields.Selection(
        [("client", "Customer"), ("user", "Agent")],
        string="Comply360 Role",
        readonly=True,
        copy=False,
        help="Customer: a client of the tenant in the app. Agent: a user of the app, who earns commissions.",
    )

    @api.constrains("meeting_ids")
    def _check_comply360_meetings(self):
        """Refuse meetings about records of another tenant, whichever side writes them."""
        if self.env["comply360.tenant"]._comply360_is_used():
            self.sudo().with_context(active_test=False).meeting_ids._comply360_refuse_crossing()

    def action_comply360_retry(self):
        """Try again what did not sync, once its cause is gone; for accountants."""
        return self._comply360_retry()

    def init(self):
        """Report users' changes of customers, and deleted contacts, to the app."""
        result = super().init()
        outbox = self.env["comply360.outbox"]
        columns = [rule.target for rule in CLIENT.rules if rule.two_way]
        outbox._watch_updates("res.partner", [*columns, "street2"], "client")
        outbox._watch_deletes("res.partner")
        return result

    @api.model_create_multi
    def create(self, vals_list):
        """Give a new contact the tenant that Odoo's own code chose for it, or that of its parent."""
        vals_list = [dict(vals) for vals in vals_list]
        chosen = [_chosen_tenant(vals) for vals in vals_list]
        partners = super().create(vals_list)
        for partner, tenant in zip(partners, chosen, strict=True):
            if tenant and not partner.sudo().x_comply360_tenant_id:
                partner.sudo().x_comply360_tenant_id = int(tenant)
        partners._comply360_take_tenant()
        return partners

    def write(self, vals):
        """Copy a tax ID or state set by a user to the fields that the app reads."""
        result = super().write(vals)
        if "parent_id" in vals or "x_comply360_tenant_id" in vals:
            self._comply360_take_tenant()
            self._comply360_give_tenant()
        if ("vat" in vals or "state_id" in vals) and "comply360_bridge" not in self.env.context:
            for partner in self.filtered(lambda partner: partner.x_comply360_entity == "client"):
                if changes := partner._comply360_followed(vals):
                    # these fields follow the user's change; nobody sets them
                    super(ResPartner, partner.sudo()).write(changes)
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
        """Unbound customers by number, without contacts of a company, Odoo's own companies and its internal users."""
        self.flush_model(["vat", "company_registry", "parent_id", "active"])
        canonical = "regexp_replace(upper(coalesce(p.%s, '')), '[^[:alnum:]]', '', 'g') = ANY(%%s)"
        rows = self.env.execute_query(
            SQL(
                f"""
            SELECT p.id FROM res_partner p
             WHERE p.active AND p.parent_id IS NULL
               AND ({canonical % "vat"} OR {canonical % "company_registry"})
               AND NOT EXISTS (SELECT FROM res_company c WHERE c.partner_id = p.id)
               AND NOT EXISTS (SELECT FROM res_users u WHERE u.partner_id = p.id AND NOT u.share)
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

    def _comply360_come_back(self):
        """Show these customers' documents again: they are removed from whom is no customer."""
        if self:
            self.env["crm.lead"].search([("partner_id", "in", self.ids)])._comply360_share_documents()

    @api.model
    def _comply360_create(self, vals_list):
        # these partners have no parent or children to sync values with
        return self.with_context(_partners_skip_fields_sync=True).create(vals_list).with_env(self.env)

    # -- within the walls of a tenant ----------------------------------------------------------------------------------

    def _comply360_take_tenant(self):
        """Give contacts the tenant of their parent: they take its address and tax number over."""
        for partner in self.sudo():
            if partner.parent_id.x_comply360_tenant_id and partner._comply360_may_take_tenant():
                partner.x_comply360_tenant_id = partner.parent_id.x_comply360_tenant_id

    def _comply360_give_tenant(self):
        """Give the contacts below these the same tenant."""
        for partner in self.sudo().filtered("x_comply360_tenant_id"):
            below = partner.with_context(active_test=False).child_ids
            below = below.filtered(lambda child: child._comply360_may_take_tenant())
            below.x_comply360_tenant_id = partner.x_comply360_tenant_id

    def _comply360_may_take_tenant(self):
        """Whether the contact has no tenant and may get one; colleagues work for all of them."""
        return not self.x_comply360_tenant_id and self.partner_share

    def _comply360_trees(self):
        """The contacts above and below each of these, by its id, as (id, tenant's id) pairs."""
        self.env["res.partner"].flush_model(["parent_id", "x_comply360_tenant_id"])
        rows = self.env.execute_query(
            SQL(
                """
            WITH RECURSIVE above AS (
                SELECT id AS start, id, parent_id FROM res_partner WHERE id = ANY(%s)
                 UNION
                SELECT a.start, p.id, p.parent_id FROM above a JOIN res_partner p ON p.id = a.parent_id
            ), tree AS (
                SELECT start, id FROM above
                 UNION
                SELECT t.start, c.id FROM tree t JOIN res_partner c ON c.parent_id = t.id
            )
            SELECT t.start, p.id, p.x_comply360_tenant_id
              FROM tree t JOIN res_partner p ON p.id = t.id
             ORDER BY t.start, p.id
            """,
                self.ids,
            )
        )
        trees = {partner_id: [] for partner_id in self.ids}
        for start, partner_id, tenant_id in rows:
            trees[start].append((partner_id, tenant_id))
        return trees

    def _comply360_tenants(self, deepest=DEEPEST):
        """A contact without a tenant of its own belongs to that of the contacts above and below it."""
        found = {partner.id: set(partner.x_comply360_tenant_id.ids) for partner in self}
        left = self.filtered(lambda partner: not found[partner.id])
        for partner_id, tree in (left._comply360_trees() if left else {}).items():
            found[partner_id] = {tenant_id for _, tenant_id in tree if tenant_id}
        return found

    def _comply360_refuse_crossing(self):
        """Refuse parents and children of different tenants, at any distance."""
        related = self.filtered("parent_id")
        for partner_id, tree in (related._comply360_trees() if related else {}).items():
            placed = [(member_id, tenant_id) for member_id, tenant_id in tree if tenant_id]
            if len({tenant_id for _, tenant_id in placed}) > 1:
                # the contact itself first
                placed.sort(key=lambda pair, own=partner_id: pair[0] != own)
                first = self.browse(placed[0][0])
                other = next(member_id for member_id, tenant_id in placed if tenant_id != placed[0][1])
                raise ValidationError(
                    self.browse(partner_id)._comply360_crossing("parent_id", first, self.browse(other))
                )

    def _comply360_refuse_crossing_incoming(self, deepest=DEEPEST):
        """What links a contact without a tenant of its own also reaches those above and below it."""
        members = {member_id for tree in self._comply360_trees().values() for member_id, _ in tree}
        return super(ResPartner, self | self.browse(members))._comply360_refuse_crossing_incoming(deepest)

    # -- Odoo copies addresses and tax IDs between parents and children ------------------------------------------------

    def _comply360_is_own(self):
        """Whether the contact is a record of the app, whose address and tax ID nobody but the app and people set."""
        return bool(self.sudo().x_comply360_external_id)

    def _fields_sync(self, values):
        """Keep the app's contacts out of it: they neither take from their parent nor give to it."""
        is_own = self._comply360_is_own()
        if not is_own and not self.parent_id._comply360_is_own():
            return super()._fields_sync(values)
        if not is_own and values.get("parent_id"):
            self.sudo()._commercial_sync_from_company()
        if not is_own and self.type == "contact" and (values.get("parent_id") or values.get("type")):
            self._update_address(self.parent_id._get_address_values())
        return self._children_sync(values)

    def _update_address(self, vals):
        """Leave the addresses of the app's contacts alone."""
        return super(ResPartner, self.filtered(lambda partner: not partner._comply360_is_own()))._update_address(vals)

    def _commercial_sync_to_descendants(self, fields_to_sync=None):
        """Leave the commercial fields of the app's contacts alone."""
        taking = self.child_ids.filtered(lambda child: not (child.is_company or child._comply360_is_own()))
        if taking == self.child_ids.filtered(lambda child: not child.is_company):
            return super()._commercial_sync_to_descendants(fields_to_sync)
        names = self._commercial_fields() if fields_to_sync is None else fields_to_sync
        for child in taking:
            child._commercial_sync_to_descendants(names)
        return taking.write(self.commercial_partner_id._convert_fields_to_values(names))

    @api.onchange("parent_id")
    def onchange_parent_id(self):
        """Show the parent's address only where it would be taken over."""
        return {} if self._origin._comply360_is_own() else super().onchange_parent_id()

    def _create_contact_parent_company(self):
        """A company made from a contact's values belongs to the contact's tenant."""
        company = super()._create_contact_parent_company()
        if company and self.sudo().x_comply360_tenant_id:
            company.sudo().x_comply360_tenant_id = self.sudo().x_comply360_tenant_id
        return company


def _chosen_tenant(vals):
    """The tenant that Odoo's own code chose for a new contact, taken out of its values."""
    if isinstance(vals.get("x_comply360_tenant_id"), OwnTenant):
        return vals.pop("x_comply360_tenant_id")
    return None
