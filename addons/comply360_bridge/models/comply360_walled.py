"""The wall between tenants: which records link others, and that all of them belong to one tenant or to none."""

from collections import defaultdict

from odoo import api, models
from odoo.exceptions import MissingError, ValidationError
from odoo.tools import SQL

from ..exchange.work import CREATED

LINKS = {
    "res.partner": ("parent_id",),
    "res.partner.bank": ("partner_id",),
    "crm.lead": ("partner_id",),
    "x_commission": ("lead_id", "agent_id"),
    "account.move": (
        "partner_id",
        "commercial_partner_id",
        "partner_shipping_id",
        "partner_bank_id",
        "x_comply360_lead_id",
        "reversed_entry_id",
        "origin_payment_id",
        "matched_payment_ids",
        "message_main_attachment_id",
        "line_ids.x_comply360_commission_id",
    ),
    "account.move.line": ("x_comply360_commission_id", "move_id", "partner_id"),
    "account.payment": ("partner_id", "partner_bank_id", "move_id", "invoice_ids", "message_main_attachment_id"),
    "account.partial.reconcile": ("debit_move_id", "credit_move_id"),
    "ir.attachment": ("res_id", "x_comply360_lead_id", "x_comply360_partner_id", "x_comply360_original_id"),
    "mail.followers": ("res_id", "partner_id"),
    "mail.message": ("res_id", "partner_ids", "attachment_ids"),
    "calendar.event": ("opportunity_id", "partner_ids", "res_id"),
    "calendar.attendee": ("event_id", "partner_id"),
    "comply360.link": ("partner_id",),
    "comply360.binding": ("res_id",),
}
"""The fields by which a record links others: it and all of them have the same tenant or none."""

OWN = {"comply360.link": "tenant_id", "comply360.binding": "tenant_id"}
"""The field with a model's own tenant where it is not `x_comply360_tenant_id`."""

ADDRESSED = {"mail.followers", "mail.message", "calendar.event", "calendar.attendee"}
"""Models whose contacts may be colleagues, who work for every tenant."""

UNTRACED = {"mail.message", "account.partial.reconcile"}
"""Records of the past: nobody can change them, so a link to them does not keep a record from getting a tenant."""

COPIED = {"res.partner", "crm.lead"}
"""Models whose records stand for themselves when they are copied; the others belong to what they link."""

DEEPEST = 3
"""Links are followed through so many records without a tenant of their own."""


class OwnTenant(int):
    """The id of a tenant that Odoo's own code gives to a new record; no caller from outside can make one."""


class Comply360Walled(models.AbstractModel):
    """A record whose links stay within one tenant.

    A record without a tenant of its own counts as belonging to the tenant of what it links; a contact, to that of its
    parents and children.
    """

    _name = "comply360.walled"
    _description = "Record Within the Walls of a Tenant"

    @api.constrains(lambda self: self._comply360_wall_fields())
    def _check_comply360_links(self):
        """Refuse links to records of another tenant, and what they do to records that link these."""
        if self.env["comply360.tenant"]._comply360_is_used():
            walled = self.sudo().with_context(active_test=False)
            walled._comply360_refuse_crossing()
            if not self._comply360_is_new():
                walled._comply360_passing()._comply360_refuse_crossing_incoming()

    @api.constrains(lambda self: self._comply360_own_fields())
    def _check_comply360_tenant(self):
        """Refuse a tenant that is not that of the records which link these."""
        if not self._comply360_is_new() and self.env["comply360.tenant"]._comply360_is_used():
            self.sudo().with_context(active_test=False)._comply360_refuse_crossing_incoming()

    def copy(self, default=None):
        """Give a copy the tenant of its original, whose values it has; refuse one that links another tenant."""
        copies = super().copy(default)
        if self.env["comply360.tenant"]._comply360_is_used():
            self.sudo()._comply360_pass_tenant_on(copies.sudo())
            tenants = self._comply360_tenants_unseen()
            of_copies = copies._comply360_tenants_unseen()
            for origin, copy in zip(self, copies, strict=True):
                if are_apart(tenants[origin.id], of_copies[copy.id]):
                    raise ValidationError(
                        self.env._(
                            "The copy of %(origin)s has its values: the original and what the copy links belong to "
                            "different tenants of the Comply360 app. Choose records of the same tenant or of none.",
                            origin=origin.sudo()._comply360_named(),
                        )
                    )
        return copies

    def _comply360_pass_tenant_on(self, copies):
        if self._name in COPIED:
            for origin, copy in zip(self, copies, strict=True):
                if origin.x_comply360_tenant_id and not copy.x_comply360_tenant_id:
                    copy.x_comply360_tenant_id = origin.x_comply360_tenant_id

    def _comply360_tenants_unseen(self):
        """The tenants of each record, whoever asks."""
        return self.sudo().with_context(active_test=False)._comply360_tenants()

    def _comply360_is_new(self):
        return self.env.context.get("comply360_created") is CREATED

    @api.model
    def _comply360_own_field(self):
        name = OWN.get(self._name, "x_comply360_tenant_id")
        return name if name in self._fields else False

    @api.model
    def _comply360_own_fields(self):
        return [name for name in [self._comply360_own_field()] if name]

    @api.model
    def _comply360_wall_fields(self):
        """The fields whose change can lead to another tenant."""
        named = [name for name in LINKS.get(self._name, ()) if "." not in name]
        targets = [field.model_field for name in named if (field := self._fields[name]).type == "many2one_reference"]
        return [*named, *targets, *self._comply360_own_fields()]

    # -- what a record links -------------------------------------------------------------------------------------------

    def _comply360_linked(self, name):
        """The walled records that each record links by one field, by the record's id."""
        field = self._fields[name.split(".")[0]]
        if field.type != "many2one_reference":
            found = {record.id: record.mapped(name) for record in self}
            if self._name in ADDRESSED and field.comodel_name == "res.partner":
                return {record_id: partners.filtered("partner_share") for record_id, partners in found.items()}
            return found
        targets = {record.id: (record[field.model_field], record[name]) for record in self}
        ids = defaultdict(set)
        for model, res_id in targets.values():
            if model in LINKS and model in self.env and res_id:
                ids[model].add(res_id)
        alive = {model: _alive(self.env[model].browse(found)) for model, found in ids.items()}
        return {
            record_id: alive[model].browse(res_id).with_prefetch(alive[model]._prefetch_ids) & alive[model]
            for record_id, (model, res_id) in targets.items()
            if model in alive
        }

    def _comply360_tenants(self, deepest=DEEPEST):
        """The tenants that each record belongs to, by its id: its own or, without one, those of what it links."""
        own = self._comply360_own_field()
        found = {record.id: set(record[own].ids) if own else set() for record in self}
        left = self.filtered(lambda record: not found[record.id])
        if left and deepest:
            for name in LINKS.get(self._name, ()):
                linked = left._comply360_linked(name)
                tenants = _tenants_of(linked.values(), deepest - 1)
                for record_id, records in linked.items():
                    found[record_id].update(*(tenants[record] for record in records))
        return found

    def _comply360_refuse_crossing(self):
        """Raise ValidationError if one of these records links two tenants.

        Its links are compared with its own tenant, and with each other if it has none. What it links that has no tenant
        gets none in a concurrent transaction: that one must start again and see the link.
        """
        own = self._comply360_own_field()
        met = {record.id: (set(record[own].ids) if own else set(), record) for record in self}
        free = defaultdict(list)
        for name in LINKS.get(self._name, ()):
            linked = self._comply360_linked(name)
            tenants = _tenants_of(linked.values(), DEEPEST)
            for record_id, records in linked.items():
                for other in records:
                    if not tenants[other] and other._comply360_own_field() and self._name not in UNTRACED:
                        free[record_id].append(other)
                    known, beside = met[record_id]
                    if len(known | tenants[other]) > 1:
                        raise ValidationError(self.browse(record_id)._comply360_crossing(name, beside, other))
                    met[record_id] = (known | tenants[other], beside if known else other)
        for records in _by_model(other for record_id, others in free.items() if met[record_id][0] for other in others):
            records._comply360_supersede()

    def _comply360_crossing_fields(self, names):
        """The first of these fields by which each record links a second tenant; records that do not are left out."""
        own = self._comply360_own_field()
        met = {record.id: set(record[own].ids) if own else set() for record in self}
        found = {}
        for name in names:
            linked = self._comply360_linked(name)
            tenants = _tenants_of(linked.values(), DEEPEST)
            for record_id, records in linked.items():
                for other in records:
                    met[record_id] |= tenants[other]
                    if len(met[record_id]) > 1:
                        found.setdefault(record_id, name)
        return found

    def _comply360_supersede(self):
        """Make concurrent transactions that write these records fail and retry, so that they see this one's changes."""
        if self:
            statement = SQL(
                "UPDATE %(table)s SET write_date = write_date WHERE id IN ("
                "SELECT id FROM %(table)s WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE)",
                table=SQL.identifier(self._table),
                ids=self.ids,
            )
            self.env.cr.execute(statement, log_exceptions=False)

    def _comply360_check_wall(self):
        """Check what these records link and what links them, after changes that passed by write()."""
        walled = self.sudo().with_context(active_test=False)
        walled._comply360_refuse_crossing()
        walled._comply360_refuse_crossing_incoming()

    # -- what links a record -------------------------------------------------------------------------------------------

    def _comply360_refuse_crossing_incoming(self, deepest=DEEPEST):
        """The same for every record that links one of these, and through those without a tenant of their own."""
        for model, ids in self._comply360_incoming().items():
            records = self.env[model].browse(ids)
            records._comply360_refuse_crossing()
            if deepest and model != self._name:
                records._comply360_passing()._comply360_refuse_crossing_incoming(deepest - 1)

    def _comply360_passing(self):
        """The records without a tenant of their own that link one."""
        own = self._comply360_own_field()
        left = self.filtered(lambda record: not (own and record[own]))
        tenants = left._comply360_tenants()
        return left.filtered(lambda record: tenants[record.id])

    def _comply360_incoming(self):
        """The ids of the records that link these, by model, in one query."""
        parts = []
        for model, names in LINKS.items():
            if self.ids and model not in UNTRACED and model in self.env:
                parts += [part for name in names if (part := self._comply360_incoming_by(model, name))]
        found = defaultdict(set)
        if parts:
            for model, record_id in self.env.execute_query(SQL(" UNION ALL ").join(parts)):
                found[model].add(record_id)
        return found

    def _comply360_incoming_by(self, model, name):
        field = self.env[model]._fields.get(name)
        if field is None or (model, name) == ("account.move.line", "move_id"):
            # a document checks its lines itself
            return None
        if field.type == "many2one_reference":
            return self._comply360_incoming_reference(model, field)
        if field.comodel_name != self._name:
            return None
        self.env[model].flush_model([name])
        column, table, other = SQL.identifier(name), SQL.identifier(self.env[model]._table), SQL("id")
        if field.type == "many2many":
            column, table, other = map(SQL.identifier, (field.column2, field.relation, field.column1))
        return SQL("SELECT %s, %s FROM %s WHERE %s = ANY(%s)", model, other, table, column, self.ids)

    def _comply360_incoming_reference(self, model, field):
        is_binding = model == "comply360.binding"
        if is_binding and self._name == "account.move":
            # a trigger binds an invoice anew when its tenant changes
            return None
        self.env[model].flush_model([field.name, field.model_field])
        return SQL(
            "SELECT %s, id FROM %s WHERE %s = %s AND %s = ANY(%s) AND %s",
            model,
            SQL.identifier(self.env[model]._table),
            SQL.identifier(field.model_field),
            self._name,
            SQL.identifier(field.name),
            self.ids,
            SQL("state IN ('active', 'alias')") if is_binding else SQL("TRUE"),
        )

    # -- what a person reads -------------------------------------------------------------------------------------------

    def _comply360_crossing(self, name, beside, other):
        """The sentence that refuses a link; it names no record that the user may not see."""
        label = self._fields[name.split(".")[0]]._description_string(self.env)
        names = {"field": label, "beside": beside._comply360_named(), "other": other._comply360_named()}
        if beside == self:
            return self.env._(
                "%(other)s cannot be the %(field)s of %(beside)s: they belong to different tenants of the Comply360 "
                "app. Choose a record of the same tenant or of none.",
                **names,
            )
        return self.env._(
            "%(record)s cannot have both %(beside)s and %(other)s (%(field)s): they belong to different tenants of the "
            "Comply360 app.",
            record=self._comply360_named(),
            **names,
        )

    def _comply360_named(self):
        """The record's name and tenant for the current user; the bridge's own user gets no names at all."""
        if self.env.user.has_group("comply360_bridge.group_service"):
            return f"{self._name} {self.id}"
        seen = self.with_user(self.env.user)
        if not seen.has_access("read"):
            return self.env._("a record that you may not see")
        tenants = self.env["comply360.tenant"].browse(self._comply360_tenants()[self.id])
        name = self.display_name or self._description
        return f"{name} ({', '.join(tenants.mapped('name'))})" if tenants else name


def are_apart(tenants, others):
    """Whether records of these tenants must not link each other."""
    return bool(tenants and others and not tenants & others)


def _alive(records):
    """The records that exist, without a query if they have been read."""
    own = records._comply360_own_field()
    if not own:
        return records.exists()
    try:
        records.mapped(own)
    except MissingError:
        return records.exists()
    return records


def _tenants_of(recordsets, deepest):
    """The tenants of records, by record; one computation per model."""
    found = {}
    for records in _by_model(recordsets):
        tenants = records._comply360_tenants(deepest)
        found.update({record: tenants[record.id] for record in records})
    return found


def _by_model(recordsets):
    """The records of each model together."""
    by_model = defaultdict(list)
    for records in recordsets:
        if records:
            by_model[records._name].append(records)
    return [batches[0].union(*batches) for batches in by_model.values()]
