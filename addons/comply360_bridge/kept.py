"""What outlasts an uninstall: the identity of records that stay, in a table that Odoo does not know."""

import json

from odoo.tools import SQL

TABLE = SQL.identifier("comply360_kept")
MODELS = ("res.partner", "crm.lead", "account.move", "ir.attachment")
"""The records that stay when the addon goes."""
PREFIX = "x_comply360_"
TENANT = f"{PREFIX}tenant_id"
MARKS_OF_OURS = (TENANT, f"{PREFIX}external_id", f"{PREFIX}lead_id", f"{PREFIX}original_id")
OWN_TABLES = ("comply360.tenant", "x_commission")
LIMITS = f"{PREFIX}tenant_ids"
FORMER = "comply360_bridge.former"


def keep(env):
    """Store tenants, bindings, our fields, bill links and approvers before Odoo drops their columns and tables."""
    env.flush_all()
    env.cr.execute(SQL("CREATE TABLE IF NOT EXISTS %s (kind text NOT NULL, content jsonb NOT NULL)", TABLE))
    env.cr.execute(SQL("DELETE FROM %s", TABLE))
    _insert(env, "instance", [{"uuid": uuid} for uuid in _instances(env)])
    _insert(env, "tenant", map(_tenant, env["comply360.tenant"].sudo().search([])))
    _keep_bindings(env)
    for model in MODELS:
        _keep_records(env, model)
    _keep_commissions(env)


def restore(env):
    """Give records of a former installation their identity again, each within its tenant; then forget it."""
    env.cr.execute("SELECT to_regclass('comply360_kept') IS NOT NULL")
    if env.cr.fetchone() != (True,):
        return
    env.flush_all()
    env["ir.config_parameter"].sudo().set_param(FORMER, ",".join(item["uuid"] for item in _read(env, "instance")))
    for item in _read(env, "tenant"):
        _restore_tenant(env, item)
    env.flush_all()
    # bindings first: the trigger on invoices binds those that have none
    for model in ("comply360.tenant", *MODELS):
        _restore_bindings(env, model)
    # nobody changed these records: nothing of it is news for the app
    env["comply360.outbox"]._begin_own(env["comply360.binding"].search([]).ids)
    for model in MODELS:
        _restore_records(env, model)
    _follow_contacts(env)
    env["comply360.outbox"]._begin_own([])
    _restore_commissions(env)
    env.cr.execute(SQL("DROP TABLE %s", TABLE))
    env.invalidate_all()
    _find_new_invoices(env)


# -- keeping -----------------------------------------------------------------------------------------------------------


def _instances(env):
    parameters = env["ir.config_parameter"].sudo()
    former = parameters.get_param(FORMER, "").split(",")
    return dict.fromkeys(filter(None, [*former, parameters.get_param("comply360_bridge.instance", "")]))


def _tenant(tenant):
    users = tenant.env["res.users"].sudo().with_context(active_test=False)
    is_limited = LIMITS in users._fields
    return {
        **{name: tenant[name] for name in ("installation", "uuid", "name", "subdomain", "status", "selftest")},
        "company_id": tenant.company_id.id,
        "team_id": tenant.team_id.id,
        "fields": [[field.model, field.name] for field in tenant.extra_field_ids],
        "users": users.search([(LIMITS, "in", tenant.ids)]).ids if is_limited else [],
    }


def _keep_bindings(env):
    env.cr.execute(
        SQL(
            """
            INSERT INTO %s (kind, content)
            SELECT 'binding', to_jsonb(b) - 'id' FROM comply360_binding b
             WHERE b.res_model = ANY(%s) AND b.res_id IS NOT NULL
            """,
            TABLE,
            ["comply360.tenant", *MODELS],
        )
    )


def _keep_records(env, model):
    columns = _columns(env, model)
    beside = ["vat", "state_id"] if model == "res.partner" else []
    env.cr.execute(
        SQL(
            """
            INSERT INTO %(kept)s (kind, content)
            SELECT 'record', jsonb_build_object(
                       'model', %(model)s::text, 'id', t.id, 'installation', c.installation, 'tenant', c.uuid,
                       'values', jsonb_build_object(%(values)s), 'beside', jsonb_build_object(%(beside)s))
              FROM %(table)s t
              LEFT JOIN comply360_tenant c ON c.id = t.x_comply360_tenant_id
             WHERE num_nonnulls(%(marks)s) > 0
            """,
            kept=TABLE,
            model=model,
            table=SQL.identifier(env[model]._table),
            values=_pairs(columns),
            beside=_pairs(beside),
            marks=SQL(", ").join(SQL.identifier("t", name) for name in MARKS_OF_OURS if name in (*columns, TENANT)),
        )
    )


def _keep_commissions(env):
    """One row per bill line of a commission; the app has everything else of it."""
    env.cr.execute(
        SQL(
            """
            INSERT INTO %(kept)s (kind, content)
            SELECT 'commission', jsonb_build_object('installation', t.installation, 'tenant', t.uuid,
                       'record', c.x_comply360_external_id, 'line', l.id, 'approver', c.approved_by_id)
              FROM x_commission c
              JOIN comply360_tenant t ON t.id = c.x_comply360_tenant_id
              LEFT JOIN account_move_line l ON l.x_comply360_commission_id = c.id
             WHERE c.x_comply360_external_id IS NOT NULL AND (l.id IS NOT NULL OR c.approved_by_id IS NOT NULL)
             UNION ALL
            SELECT 'commission', jsonb_build_object('installation', t.installation, 'tenant', t.uuid,
                       'record', k.external_id, 'line', k.line_id, 'approver', k.approver_id)
              FROM comply360_kept_commission k
              JOIN comply360_tenant t ON t.id = k.tenant_id
            """,
            kept=TABLE,
        )
    )


def _columns(env, model):
    """Our columns of a model that mean something to another installation of the addon."""
    fields = env[model]._fields.values()
    return [
        field.name
        for field in fields
        if field.name.startswith(PREFIX) and field.store and field.column_type and field.comodel_name not in OWN_TABLES
    ]


def _pairs(columns):
    return SQL(", ").join(SQL("%s::text, %s", name, SQL.identifier("t", name)) for name in columns)


def _insert(env, kind, contents):
    for content in contents:
        env.cr.execute(SQL("INSERT INTO %s (kind, content) VALUES (%s, %s::jsonb)", TABLE, kind, json.dumps(content)))


# -- restoring ---------------------------------------------------------------------------------------------------------


def _read(env, kind):
    env.cr.execute(SQL("SELECT content FROM %s WHERE kind = %s", TABLE, kind))
    return [content for (content,) in env.cr.fetchall()]


def _restore_tenant(env, item):
    """A tenant with the company, team, fields and users that people chose for it."""
    names = ("installation", "uuid", "name", "subdomain", "status", "selftest")
    values = {name: item[name] for name in names}
    company = env["res.company"].browse(item["company_id"] or []).exists()
    if company:
        values["company_id"] = company.id
    if team := env["crm.team"].browse(item["team_id"] or []).exists():
        values["team_id"] = team.id
    tenant = env["comply360.tenant"].sudo().create(values)
    for model, name in item["fields"]:
        if tenant._is_extra(model, name):
            tenant.extra_field_ids |= env["ir.model.fields"]._get(model, name)
    users = env["res.users"].sudo().with_context(active_test=False).browse(item["users"]).exists()
    if LIMITS in users._fields:
        for user in users:
            user[LIMITS] |= tenant


def _restore_bindings(env, model):
    """The bindings of records that are still there, and of those that people deleted before."""
    own = SQL("t.id") if model == "comply360.tenant" else SQL("b.res_id")
    env.cr.execute(
        SQL(
            """
            INSERT INTO comply360_binding (installation, tenant, tenant_id, entity, external_id, res_model, res_id,
                                           state, version, digest, opted_out, sent, synced_at, create_date)
            SELECT b.installation, b.tenant, t.id, b.entity, b.external_id, b.res_model, %(own)s, b.state, b.version,
                   b.digest, b.opted_out, b.sent, b.synced_at, now() AT TIME ZONE 'UTC'
              FROM %(kept)s k
             CROSS JOIN LATERAL jsonb_populate_record(NULL::comply360_binding, k.content) b
              JOIN comply360_tenant t ON (t.installation, t.uuid) = (b.installation, b.tenant)
             WHERE k.kind = 'binding' AND b.res_model = %(model)s
               AND (b.state IN ('unlinked', 'tombstone') OR EXISTS (SELECT FROM %(table)s r WHERE r.id = %(own)s))
                ON CONFLICT DO NOTHING
            """,
            kept=TABLE,
            own=own,
            model=model,
            table=SQL.identifier(env[model]._table),
        )
    )


def _restore_records(env, model):
    table = SQL.identifier(env[model]._table)
    of_model = SQL("k.kind = 'record' AND k.content ->> 'model' = %s", model)
    env.cr.execute(SQL("SELECT DISTINCT jsonb_object_keys(k.content -> 'values') FROM %s k WHERE %s", TABLE, of_model))
    known = {name for (name,) in env.cr.fetchall()}
    columns = [name for name in _columns(env, model) if name in known]
    if not columns:
        return
    values = [SQL("%s = %s", SQL.identifier(name), _value(env, env[model]._fields[name])) for name in columns]
    env.cr.execute(
        SQL(
            """
            UPDATE %(table)s t SET x_comply360_tenant_id = c.id, %(values)s
              FROM %(kept)s k
             CROSS JOIN LATERAL jsonb_populate_record(NULL::%(table)s, k.content -> 'values') r
              LEFT JOIN comply360_tenant c
                ON (c.installation, c.uuid) = (k.content ->> 'installation', k.content ->> 'tenant')
             WHERE %(of_model)s AND t.id = (k.content ->> 'id')::int
            """,
            table=table,
            values=SQL(", ").join(values),
            kept=TABLE,
            of_model=of_model,
        )
    )


def _value(env, field):
    """A kept value; the records that it names may be gone."""
    if field.type != "many2one":
        return SQL.identifier("r", field.name)
    return SQL(
        "(SELECT m.id FROM %s m WHERE m.id = %s)",
        SQL.identifier(env[field.comodel_name]._table),
        SQL.identifier("r", field.name),
    )


def _follow_contacts(env):
    """Let the app see a tax number or state that people changed while nobody watched."""
    for column, beside, shown in (
        ("x_comply360_tax_number", SQL("p.vat IS DISTINCT FROM k.content -> 'beside' ->> 'vat'"), SQL("p.vat")),
        (
            "x_comply360_state_province",
            SQL("p.state_id IS DISTINCT FROM (k.content -> 'beside' ->> 'state_id')::int"),
            SQL("(SELECT s.name FROM res_country_state s WHERE s.id = p.state_id)"),
        ),
    ):
        env.cr.execute(
            SQL(
                """
                UPDATE res_partner p SET %(column)s = %(shown)s FROM %(kept)s k
                 WHERE k.kind = 'record' AND k.content ->> 'model' = 'res.partner'
                   AND p.id = (k.content ->> 'id')::int AND p.x_comply360_entity = 'client' AND %(beside)s
                """,
                column=SQL.identifier(column),
                shown=shown,
                kept=TABLE,
                beside=beside,
            )
        )


def _restore_commissions(env):
    env.cr.execute(
        SQL(
            """
            INSERT INTO comply360_kept_commission (tenant_id, external_id, line_id, approver_id, create_date)
            SELECT t.id, k.content ->> 'record', l.id, u.id, now() AT TIME ZONE 'UTC'
              FROM %s k
              JOIN comply360_tenant t
                ON (t.installation, t.uuid) = (k.content ->> 'installation', k.content ->> 'tenant')
              LEFT JOIN account_move_line l ON l.id = (k.content ->> 'line')::int
              LEFT JOIN res_users u ON u.id = (k.content ->> 'approver')::int
             WHERE k.kind = 'commission' AND (l.id IS NOT NULL OR u.id IS NOT NULL)
            """,
            TABLE,
        )
    )


def _find_new_invoices(env):
    """Bind invoices that people made for our customers while the addon was away."""
    moves = env["account.move"].sudo()
    ours = env["res.partner"].sudo().with_context(active_test=False).search([(TENANT, "!=", False)])
    kinds = ("out_invoice", "out_refund")
    found = moves.search([(TENANT, "=", False), ("move_type", "in", kinds), ("commercial_partner_id", "in", ours.ids)])
    env.add_to_compute(moves._fields[TENANT], found)
    env.flush_all()
