"""Which records are foreign to users limited to some tenants: what the global record rules are made of."""

from odoo.fields import Domain
from odoo.tools import SQL

TENANT = "comply360.tenant"
# By model, the paths to its tenant: fields, followed to the tenant or to a model of this table. `=` also counts records
# without a tenant as foreign; `@` is the document that a pair of fields names.
PATHS = {
    "comply360.issue": ("=tenant_id",),
    "comply360.link": ("=tenant_id",),
    "comply360.binding": ("=tenant_id",),
    "comply360.outbox": ("binding_id",),
    "res.partner": (
        "x_comply360_tenant_id",
        "parent_id.x_comply360_tenant_id",
        "commercial_partner_id.x_comply360_tenant_id",
    ),
    "res.partner.bank": ("partner_id",),
    "crm.lead": ("x_comply360_tenant_id", "partner_id"),
    "crm.activity.report": ("lead_id", "partner_id"),
    "x_commission": ("x_comply360_tenant_id", "lead_id", "agent_id"),
    "comply360.commission.report": ("tenant_id", "lead_id", "agent_id"),
    "account.move": (
        "x_comply360_tenant_id",
        "x_comply360_lead_id",
        "partner_id",
        "commercial_partner_id",
        "line_ids.partner_id",
        "line_ids.x_comply360_commission_id",
    ),
    "account.move.line": ("partner_id", "x_comply360_commission_id", "move_id"),
    "account.payment": ("partner_id", "move_id"),
    "account.partial.reconcile": ("debit_move_id", "credit_move_id"),
    "account.full.reconcile": ("reconciled_line_ids",),
    "account.bank.statement.line": ("partner_id",),
    "account.analytic.line": ("partner_id", "move_line_id"),
    "account.invoice.report": ("partner_id", "move_id"),
    "calendar.event": ("opportunity_id", "partner_ids", "@res_model,res_id"),
    "calendar.attendee": ("partner_id", "event_id"),
    "ir.attachment": (
        "x_comply360_tenant_id",
        "x_comply360_lead_id",
        "x_comply360_original_id.x_comply360_tenant_id",
        "@res_model,res_id",
    ),
    "mail.message": ("author_id", "@model,res_id"),
    "mail.notification": ("res_partner_id", "mail_message_id"),
    "mail.activity": ("@res_model,res_id",),
    "mail.followers": ("partner_id", "@res_model,res_id"),
    "mail.scheduled.message": ("@model,res_id",),
}
# what messages, activities, followers, meetings and attachments are found on
DOCUMENTS = (
    "crm.lead",
    "res.partner",
    "x_commission",
    "account.move",
    "account.payment",
    "comply360.tenant",
    "comply360.issue",
    "comply360.link",
)
# a stored many2one to one of these makes a record of any other model foreign
NAMED = (
    "crm.lead",
    "res.partner",
    "x_commission",
    "account.move",
    "account.move.line",
    "account.payment",
    "comply360.tenant",
    "comply360.issue",
    "comply360.link",
    "comply360.binding",
)
# without these nobody can sign in
OPEN = ("res.users", "res.company")


def is_walled(model_name):
    """Whether the model's records are foreign by themselves, not by what they name."""
    return model_name in PATHS or model_name in (TENANT, "comply360.upload")


def foreign(env, model_name, limit):
    """The records that a user limited to tenants with the ids `limit` must not see."""
    if model_name == TENANT:
        return Domain("id", "not in", limit)
    if model_name == "comply360.upload":
        return Domain("tenant", "not in", env[TENANT].sudo().browse(limit).mapped("uuid"))
    if model_name in PATHS:
        return Domain.OR(_along(env, model_name, path, limit) for path in PATHS[model_name])
    return Domain.OR(_along(env, model_name, name, limit) for name in _named(env[model_name]))


def _named(model):
    if model._abstract or model._transient or model._name in OPEN:
        return []
    return [
        name
        for name, field in model._fields.items()
        if field.type == "many2one"
        and field.store
        and not (field.inherited or field.company_dependent)
        and field.comodel_name in NAMED
    ]


def _along(env, model_name, path, limit):
    if path[0] == "@":
        return document_of(*path[1:].split(","), limit)
    name, _, rest = path.lstrip("=").partition(".")
    comodel = env[model_name]._fields[name].comodel_name
    if rest:
        return Domain(name, "any!", _along(env, comodel, rest, limit))
    if comodel == TENANT:
        return Domain(name, "not in", limit if path[0] == "=" else [*limit, False])
    return Domain(name, "any!", foreign(env, comodel, limit))


def document_of(model_field, id_field, limit):
    """Records about a document of another tenant, which a pair of fields names."""

    def to_sql(model, alias, query):
        model_sql = model._field_to_sql(alias, model_field, query)
        id_sql = model._field_to_sql(alias, id_field, query)
        found = [SQL("FALSE")]
        for name in DOCUMENTS:
            documents = model.env[name].sudo().with_context(active_test=False)
            hidden = documents._search(foreign(model.env, name, limit))
            if not hidden.is_empty():
                found.append(SQL("(%s = %s AND %s IN %s)", model_sql, name, id_sql, hidden.subselect()))
        return SQL("(%s)", SQL(" OR ").join(found))

    def predicate(record):
        # to plan the query above costs PostgreSQL far more than to answer for the one document
        name, number = record[model_field], record[id_field]
        if name not in DOCUMENTS or not number:
            return False
        documents = record.env[name].sudo().with_context(active_test=False)
        return bool(documents.search_count(Domain("id", "=", number) & foreign(record.env, name, limit), limit=1))

    return Domain.custom(to_sql=to_sql, predicate=predicate)
