"""Finds the records that link another tenant's, for all tenants in one statement."""

from odoo.tools import SQL

from .comply360_walled import ADDRESSED, DEEPEST, LINKS, OWN

# what was sent can no longer be changed, and is read by the rules of who reads
SENT = {"mail.message"}
# the document is named, not each of its lines
OF_DOCUMENT = {("account.move.line", "move_id")}
PARTNER = "res.partner"
# contacts without a tenant of their own, with the tenants of all contacts above and below them
TREES = """
    WITH RECURSIVE above AS (
        SELECT id AS start, id, parent_id FROM res_partner AS p
         WHERE x_comply360_tenant_id IS NULL
           AND (parent_id IS NOT NULL OR EXISTS (SELECT FROM res_partner AS c WHERE c.parent_id = p.id))
         UNION
        SELECT a.start, p.id, p.parent_id FROM above AS a JOIN res_partner AS p ON p.id = a.parent_id
    ), tree AS (
        SELECT id AS root, id FROM above WHERE parent_id IS NULL
         UNION
        SELECT t.root, c.id FROM tree AS t JOIN res_partner AS c ON c.parent_id = t.id
    )
    SELECT DISTINCT a.start AS id, p.x_comply360_tenant_id AS tenant_id
      FROM above AS a
      JOIN tree AS t ON t.root = a.id
      JOIN res_partner AS p ON p.id = t.id
     WHERE a.parent_id IS NULL AND p.x_comply360_tenant_id IS NOT NULL
"""


def names_of(model):
    """The fields by which a record of this model is reported."""
    return [name for name in LINKS[model] if (model, name) not in OF_DOCUMENT]


def crossing_links(env, shown):
    """The records that link another tenant's, counted by tenant and model.

    A record without a tenant of its own counts for every tenant that it links.

    Shapes: rows of (tenant id, model, number of records, the first `shown` ids).
    """
    models = [model for model in LINKS if model in env]
    free = [SQL("%s AS (%s)", _free_name(env, PARTNER, 1), SQL(TREES))]
    for depth in range(1, DEEPEST + 1):
        free += [
            SQL("%s AS (%s)", _free_name(env, model, depth), _free(env, model, depth - 1, LINKS[model]))
            for model in models
            if model != PARTNER
        ]
    crossing = [part for model in models if model not in SENT for part in _crossing(env, model)]
    return SQL(
        "WITH %s SELECT tenant_id, model, count(*), (array_agg(id ORDER BY id))[:%s] FROM (%s) AS crossing"
        " GROUP BY tenant_id, model ORDER BY tenant_id, model",
        SQL(", ").join(free),
        shown,
        SQL(" UNION ").join(crossing),
    )


def _crossing(env, model):
    if own := _own(env, model):
        yield SQL(
            "SELECT r.%(own)s AS tenant_id, %(model)s AS model, r.id FROM (%(linked)s) AS l"
            " JOIN %(table)s AS r ON r.id = l.id WHERE r.%(own)s <> l.tenant_id",
            own=own,
            model=model,
            linked=_linked(env, model, DEEPEST, names_of(model)),
            table=_table(env, model),
        )
    yield SQL(
        "SELECT tenant_id, %s AS model, id FROM (SELECT id, tenant_id, min(tenant_id) OVER same <> max(tenant_id)"
        " OVER same AS is_crossing FROM (%s) AS f WINDOW same AS (PARTITION BY id)) AS linking WHERE is_crossing",
        model,
        _free(env, model, DEEPEST, names_of(model)),
    )


def _free(env, model, depth, names):
    """The tenants that records without one of their own link by these fields: rows of (id, tenant_id)."""
    linked, own, table = _linked(env, model, depth, names), _own(env, model), _table(env, model)
    if not own:
        return linked
    return SQL("SELECT l.* FROM (%s) AS l JOIN %s AS r ON r.id = l.id WHERE r.%s IS NULL", linked, table, own)


def _linked(env, model, depth, names):
    """The tenants that records link by these fields: rows of (id, tenant_id).

    From a record without a tenant of its own, its links are followed `depth` times more.
    """
    # a model may link nothing that has a tenant of its own
    parts = [SQL("SELECT NULL::int AS id, NULL::int AS tenant_id WHERE FALSE")]
    for name in names:
        for comodel, pairs in _pairs(env, model, name):
            if own := _own(env, comodel):
                joined = SQL("JOIN %s AS o ON o.id = p.other WHERE o.%s IS NOT NULL", _table(env, comodel), own)
                parts.append(SQL("SELECT p.id, o.%s AS tenant_id FROM (%s) AS p %s", own, pairs, joined))
            if depth or comodel == PARTNER:
                joined = SQL("JOIN %s AS o ON o.id = p.other", _free_name(env, comodel, depth))
                parts.append(SQL("SELECT p.id, o.tenant_id FROM (%s) AS p %s", pairs, joined))
    return SQL(" UNION ALL ").join(parts)


def _pairs(env, model, name):
    """By model that a field leads to: rows of (id, other), one for each record that is linked."""
    first, _, rest = name.partition(".")
    field, table = env[model]._fields[first], _table(env, model)
    if field.type == "many2one_reference":
        for comodel in LINKS:
            if comodel in env:
                columns = SQL.identifier(first), table, SQL.identifier(field.model_field), comodel
                yield comodel, SQL("SELECT id, %s AS other FROM %s WHERE %s = %s", *columns)
        return
    comodel = field.comodel_name
    if rest:
        columns = SQL.identifier(field.inverse_name), SQL.identifier(rest), _table(env, comodel)
        yield env[comodel]._fields[rest].comodel_name, SQL("SELECT %s AS id, %s AS other FROM %s", *columns)
        return
    columns = SQL("id"), SQL.identifier(first), table
    if field.type == "many2many":
        columns = tuple(map(SQL.identifier, (field.column1, field.column2, field.relation)))
    pairs = SQL("SELECT %s AS id, %s AS other FROM %s", *columns)
    if model in ADDRESSED and comodel == PARTNER:
        pairs = SQL("SELECT a.* FROM (%s) AS a JOIN res_partner AS c ON c.id = a.other WHERE c.partner_share", pairs)
    yield comodel, pairs


def _free_name(env, model, depth):
    return SQL.identifier("free_res_partner" if model == PARTNER else f"free_{env[model]._table}_{depth}")


def _own(env, model):
    """The column that holds a record's own tenant; None if the model has none."""
    name = OWN.get(model, "x_comply360_tenant_id")
    return SQL.identifier(name) if name in env[model]._fields else None


def _table(env, model):
    return SQL.identifier(env[model]._table)
