"""Erases a customer in Odoo: contact, leads, documents, and what was said about them."""

from __future__ import annotations

import re

from odoo.tools import SQL

from ..mappers import MAPPERS

ERASED = "Erased"
# what a person's name, contact and words may stand in; numbers, choices and links stay
TEXTS = ("char", "text", "html", "binary", "json")
# by law these stay as they are; a contact that one of them refers to is emptied, not deleted
ACCOUNTING = {
    "account.move": ("partner_id", "commercial_partner_id", "partner_shipping_id"),
    "account.move.line": ("partner_id",),
    "account.payment": ("partner_id",),
    "account.bank.statement.line": ("partner_id",),
    "x_commission": ("agent_id",),
}
# how wizards name records without a relation: the model, and an id or a text of ids
NAMED = (("model", "res_id"), ("model", "res_ids"), ("res_model", "res_id"), ("res_model", "res_ids"))


class Erasing:
    """One customer's erasure."""

    def __init__(self, bridge, installation, erasure, client, keys):
        self.env = bridge.with_context(active_test=False).env
        self.bridge = bridge
        self.installation = installation
        self.erasure = erasure
        self.client = client
        self.keys = set(keys)
        self.tenant = bridge._tenant(installation, client[0])
        self.counts = {}
        self.files = set()

    def run(self):
        self.env.flush_all()
        partners = self._partners()
        leads = self._leads(partners)
        if refused := self._why_not(partners):
            return self._answer(refused, "none", {})
        documents = self._documents(partners, leads)
        kept = self._accounting(partners)
        self._wizards({"res.partner": partners, "crm.lead": leads, **kept})
        self._issues(kept.get("account.move"))
        self._proposals()
        self._notifications()
        self._chatter({"res.partner": partners, "crm.lead": leads})
        self._attachments(documents)
        self._blank("leads", leads, {"name": ERASED})
        self._blank("customers", partners, {"name": ERASED, "active": False})
        self.env.flush_all()
        become = self._delete(partners) if partners and not kept else "emptied" if partners else "none"
        self._drafts(partners.exists())
        self._mark_erased()
        return self._answer("", become, kept)

    # -- what belongs to the customer ----------------------------------------------------------------------------------

    def _partners(self):
        """The customer's contact, the merged ones that lead to it, and the contacts below that are nobody else's."""
        found = self._bound("client", {key for key in self.keys if key[1] == "client"})
        same = self.env["comply360.binding"].search(
            [
                ("installation", "=", self.installation),
                ("tenant", "=", self.client[0]),
                ("entity", "=", "client"),
                ("res_model", "=", "res.partner"),
                ("res_id", "in", found),
            ]
        )
        self.keys |= {(other.tenant, other.entity, other.external_id) for other in same}
        partners = self.env["res.partner"].browse(found).exists()
        below = partners.child_ids
        while below:
            own = below.filtered(lambda child: not child.x_comply360_external_id and not child.user_ids)
            partners |= own
            below = own.child_ids - partners
        return partners

    def _leads(self, partners):
        bound = self.env["crm.lead"].browse(self._bound("registration", self.keys)).exists()
        of_customer = self.env["crm.lead"].search([("partner_id", "in", partners.ids)])
        leads = bound | of_customer.filtered(lambda lead: lead.x_comply360_tenant_id in (self.tenant, self.tenant[:0]))
        self._learn("registration", leads)
        return leads

    def _documents(self, partners, leads):
        named = self.env["ir.attachment"].browse(self._bound("document", self.keys)).exists()
        places = [("res.partner", partners.ids), ("crm.lead", leads.ids)]
        for model, ids in places:
            # naming the id finds images of the records' own fields too
            named |= self.env["ir.attachment"].search(
                [("res_model", "=", model), ("res_id", "in", ids), ("id", "!=", False)]
            )
        named |= named.x_comply360_copy_ids
        self._learn("document", named)
        return named

    def _bound(self, entity, keys):
        """The Odoo ids of these records."""
        own = [key for key in keys if key[1] == entity]
        found = self.env["comply360.binding"]._find(self.installation, own) if own else {}
        return sorted({res_id for _, res_id, _ in found.values()})

    def _learn(self, entity, records):
        """Add the app's records that these are."""
        found = self.env["comply360.binding"].search(
            [
                ("installation", "=", self.installation),
                ("tenant", "=", self.client[0]),
                ("entity", "=", entity),
                ("res_model", "=", records._name),
                ("res_id", "in", records.ids),
            ]
        )
        self.keys |= {(other.tenant, other.entity, other.external_id) for other in found}

    def _why_not(self, partners):
        if not self.tenant:
            return ""
        for partner in partners:
            if owner := self.bridge._owner_of(partner):
                return f"res.partner {partner.id} is the contact of a {owner} of this Odoo: erase it by hand"
            if partner.x_comply360_tenant_id not in (self.tenant, self.tenant.browse()):
                return f"res.partner {partner.id} belongs to another tenant"
            if partner.x_comply360_entity == "user":
                return f"res.partner {partner.id} is an agent of the tenant"
        return ""

    def _accounting(self, partners):
        """Accounting records that refer to the customer, by model."""
        kept = {}
        for model, names in ACCOUNTING.items() if partners else ():
            domain = ["|"] * (len(names) - 1) + [(name, "in", partners.ids) for name in names]
            if found := self.env[model].search(domain):
                kept[model] = found
        return kept

    # -- what is erased ------------------------------------------------------------------------------------------------

    def _wizards(self, places):
        """What wizards hold about these records: Odoo empties their tables only once they have grown old."""
        for name, model in self.env.registry.items():
            if model._transient and model._auto:
                found = _wizards_about(self.env[name], places)
                self._count("wizards", found)
                found.unlink()

    def _issues(self, invoices):
        if not self.tenant:
            return
        own = [("installation", "=", self.installation), ("res_model", "=", "account.move")]
        of_invoices = self.env["comply360.binding"].search([*own, ("res_id", "in", invoices.ids if invoices else [])])
        issues = self.env["comply360.issue"].search(
            [
                ("tenant_id", "=", self.tenant.id),
                ("record_id", "in", [*(key[2] for key in self.keys), *of_invoices.mapped("external_id")]),
            ]
        )
        bindings = self.env["comply360.binding"].search(
            [("res_model", "=", "comply360.issue"), ("res_id", "in", issues.ids)]
        )
        self._count("issues", issues)
        bindings.unlink()
        issues.unlink()

    def _proposals(self):
        ids = [key[2] for key in self.keys]
        links = self.env["comply360.link"].search(
            [("installation", "=", self.installation), ("external_id", "in", ids)]
        )
        self._count("customers to link", links)
        links.unlink()
        pieces = self.env["comply360.upload"].search(
            [("installation", "=", self.installation), ("tenant", "=", self.client[0]), ("external_id", "in", ids)]
        )
        self._count("pieces of contents", pieces)
        pieces.unlink()

    def _notifications(self):
        """What Odoo told browsers: the texts name records, and a page that is read again has no need of them."""
        self.env.cr.execute("DELETE FROM bus_bus")

    def _chatter(self, places):
        """Messages on the records and by the person, activities, meetings, and names in changes shown elsewhere."""
        messages, activities = self.env["mail.message"], self.env["mail.activity"]
        for model, records in places.items():
            about = [("res_id", "in", records.ids)]
            messages |= messages.search([("model", "=", model), *about])
            activities |= activities.search([("res_model", "=", model), *about])
        messages |= messages.search([("author_id", "in", places["res.partner"].ids)])
        self._attachments(messages.attachment_ids.filtered(lambda file: file.res_model in (*places, "mail.message")))
        meetings = self.env["calendar.event"].search([("opportunity_id", "in", places["crm.lead"].ids)])
        for what, records in (("messages", messages), ("activities", activities), ("meetings", meetings)):
            self._count(what, records)
            records.unlink()
        for model, records in places.items():
            self._changes_elsewhere(model, records)

    def _changes_elsewhere(self, model, records):
        rows = self.env.execute_query(
            SQL(
                """
            UPDATE mail_tracking_value AS v
               SET old_value_char = CASE WHEN old_value_integer = ANY(%(ids)s) THEN NULL ELSE old_value_char END,
                   new_value_char = CASE WHEN new_value_integer = ANY(%(ids)s) THEN NULL ELSE new_value_char END
              FROM ir_model_fields AS f
             WHERE f.id = v.field_id AND f.relation = %(model)s
               AND (old_value_integer = ANY(%(ids)s) OR new_value_integer = ANY(%(ids)s))
         RETURNING v.id
            """,
                ids=records.ids,
                model=model,
            )
        )
        self._add("changes shown elsewhere", len(rows))

    def _attachments(self, files):
        files = files.exists()
        self.files |= set(filter(None, files.mapped("store_fname")))
        self._count("attachments", files)
        files.unlink()

    def _blank(self, what, records, values):
        """Empty every text that is stored on these records, whichever module it is of."""
        self._count(what, records)
        if records._name == "res.partner":
            self._count("bank accounts", records.bank_ids)
            records.bank_ids.unlink()
        for record in records:
            names = [name for name, field in record._fields.items() if _is_text(field) and record[name]]
            record.write({**dict.fromkeys(names, False), **values})

    def _delete(self, partners):
        """Delete the contacts, unless something that nobody thought of refers to them."""
        try:
            with self.env.cr.savepoint():
                partners.unlink()
                self.env.flush_all()
        except Exception:
            self.env.invalidate_all()
            return "emptied"
        return "deleted"

    def _drafts(self, partners):
        """Invoices that are not posted show the customer's name of now."""
        moves = self.env["account.move"].search([("partner_id", "in", partners.ids), ("state", "=", "draft")])
        moves._compute_invoice_partner_display_info()

    def _mark_erased(self):
        """Keep the bindings, without values, so that a late document of the app finds the door closed."""
        self.env.flush_all()
        columns = [list(column) for column in zip(*sorted(self.keys), strict=True)]
        models = [MAPPERS[key[1]].model for key in sorted(self.keys)]
        rows = self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_binding AS b
                   (installation, tenant, tenant_id, entity, external_id, res_model, state, erasure, create_uid,
                    create_date)
            SELECT %s, k.tenant, %s, k.entity, k.id, k.model, 'unlinked', %s, %s, now() AT TIME ZONE 'UTC'
              FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (tenant, entity, id, model)
                ON CONFLICT (installation, tenant, entity, external_id) DO UPDATE
               SET sent = NULL, digest = NULL, compared_digest = NULL, compared_from = NULL, candidates = NULL,
                   erasure = coalesce(b.erasure, EXCLUDED.erasure), opted_out = true,
                   state = CASE WHEN b.state = 'ambiguous' THEN 'unlinked' ELSE b.state END
         RETURNING b.id
            """,
                self.installation,
                self.tenant.id or None,
                self.erasure,
                self.env.uid,
                *columns,
                models,
            )
        )
        ids = [row_id for (row_id,) in rows]
        marks = self.env.execute_query(SQL("DELETE FROM comply360_outbox WHERE binding_id = ANY(%s) RETURNING id", ids))
        self._add("marks", len(marks))
        self.env.invalidate_all()

    # -- the receipt ---------------------------------------------------------------------------------------------------

    def _count(self, what, records):
        self._add(what, len(records))

    def _add(self, what, number):
        self.counts[what] = self.counts.get(what, 0) + number

    def _answer(self, refused, become, kept):
        return {
            "refused": refused,
            "customer": become,
            "counts": {what: str(number) for what, number in sorted(self.counts.items()) if number},
            "kept": [
                {"model": model, "records": str(len(found)), "ids": [str(one) for one in found.ids[:100]]}
                for model, found in kept.items()
            ],
            "records": [
                {"tenant": tenant, "entity": entity, "record_id": record_id}
                for tenant, entity, record_id in sorted(self.keys)
            ],
        }


def _wizards_about(wizards, places):
    """The rows of a wizard's model that refer to one of these records, by a relation or by model and ids."""
    fields = {name: field for name, field in wizards._fields.items() if field.store}
    found = wizards.browse()
    for name, field in fields.items():
        if field.type == "many2one" and field.comodel_name in places:
            found |= wizards.search([(name, "in", places[field.comodel_name].ids)])
        elif field.type == "many2many" and field.comodel_name in places:
            found |= wizards.browse(_linked(wizards.env, field, places[field.comodel_name].ids))
    for model, ids in NAMED:
        if ids in fields and model in fields and fields[model].type in ("char", "selection"):
            named = wizards.search([(model, "in", list(places))])
            found = found.union(*(row for row in named if _ids(row[ids]) & set(places[row[model]].ids)))
    return found


def _linked(env, field, ids):
    """The ids of a relation's rows, also those that the field's own domain hides."""
    mine, others = SQL.identifier(field.column1), SQL.identifier(field.column2)
    rows = env.execute_query(
        SQL("SELECT DISTINCT %s FROM %s WHERE %s = ANY(%s)", mine, SQL.identifier(field.relation), others, ids)
    )
    return [row_id for (row_id,) in rows]


def _ids(value):
    """The ids that a number or a text of ids holds."""
    return set(map(int, re.findall(r"\d+", str(value or ""))))


def _is_text(field):
    """Whether a field stores text of its own that may be emptied."""
    is_own = field.store and field.type in TEXTS and not field.related and not field.inherited
    is_free = not field.compute or field.inverse or not field.readonly
    return is_own and is_free and not field.required and field.name not in ("x_comply360_external_id", "lang", "tz")
