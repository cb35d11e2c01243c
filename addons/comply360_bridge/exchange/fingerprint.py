"""The inputs of a record's digest as one SQL expression: equal fingerprint, equal digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from odoo.tools import SQL

from ..mappers import Mapper

ADDON = Path(__file__).resolve().parents[1]


def fingerprint(env: Any, mapper: Mapper, names: Collection[str]) -> tuple[SQL, SQL] | None:
    """The fingerprint of the record `t`, and the joins it needs, which refer to `p.installation`.

    None if a value is stored outside its columns and can change without them. It is NULL for a record that refers to
    one into which others were merged: what is compared then depends on more than columns.
    """
    model = env[mapper.model]
    if not mapper.rules:
        return None
    parts, joins = [SQL("%s::text", _basis(env, mapper, names)), _column("t", "id")], []
    plain = [SQL("TRUE")]
    for rule in mapper.rules:
        if rule.name not in names:
            continue
        field = model._fields[rule.target]
        if not _is_column(field) or rule.target in model._comply360_elsewhere:
            return None
        parts.append(_column("t", rule.target))
        if field.type == "many2one" and field.comodel_name != "res.users":
            shown = model._comply360_named_by(env[field.comodel_name])
            if not _is_column(env[field.comodel_name]._fields[shown]):
                return None
            alias = f"shown_{rule.target}"
            parts.append(_column(alias, shown))
            table = SQL.identifier(env[field.comodel_name]._table)
            joins.append(
                SQL(
                    "LEFT JOIN %s AS %s ON %s = %s",
                    table,
                    SQL.identifier(alias),
                    _column(alias, "id"),
                    _column("t", rule.target),
                )
            )
    for reference in mapper.references:
        if not _is_column(model._fields[reference.target]):
            return None
        alias, merged = f"bound_{reference.role}", f"merged_{reference.role}"
        plain.append(SQL("%s IS NULL", _column(merged, "res_id")))
        joins.append(
            SQL(
                """
                LEFT JOIN (SELECT DISTINCT res_id FROM comply360_binding
                            WHERE res_model = %(comodel)s AND entity = %(named)s AND state = 'alias') AS %(merged)s
                  ON %(id)s = %(target)s
                """,
                merged=SQL.identifier(merged),
                comodel=model._fields[reference.target].comodel_name,
                named=reference.entity,
                id=_column(merged, "res_id"),
                target=_column("t", reference.target),
            )
        )
        parts += [_column(alias, "entity"), _column(alias, "external_id")]
        joins.append(
            SQL(
                """
                LEFT JOIN comply360_binding AS %(alias)s
                  ON %(model)s = %(comodel)s AND %(id)s = %(target)s AND %(state)s = 'active'
                 AND %(installation)s = p.installation AND %(entity)s = %(named)s
                """,
                alias=SQL.identifier(alias),
                model=_column(alias, "res_model"),
                comodel=model._fields[reference.target].comodel_name,
                id=_column(alias, "res_id"),
                target=_column("t", reference.target),
                state=_column(alias, "state"),
                installation=_column(alias, "installation"),
                entity=_column(alias, "entity"),
                named=reference.entity,
            )
        )
    row = SQL("ROW(%s)::text", SQL(", ").join(parts))
    digest = SQL("CASE WHEN %s THEN encode(sha256(convert_to(%s, 'UTF8')), 'hex') END", SQL(" AND ").join(plain), row)
    return digest, SQL(" ").join(joins)


def _is_column(field: Any) -> bool:
    return bool(field.store and field.column_type and not field.company_dependent)


def _column(table: str, name: str) -> SQL:
    return SQL.identifier(table, name)


def _basis(env: Any, mapper: Mapper, names: Collection[str]) -> str:
    """What all records share: the fields, the rules that read them and the modules that define them."""
    env.cr.execute(
        "SELECT string_agg(name || ' ' || latest_version, ',' ORDER BY name) FROM ir_module_module"
        " WHERE state = 'installed'"
    )
    fields = env[mapper.model]._fields
    rules = [[rule.name, rule.target, fields[rule.target].type, repr(rule.codec)] for rule in mapper.rules]
    basis = json.dumps([_CODE, env.cr.fetchone()[0], mapper.entity, sorted(names), rules])
    return hashlib.sha256(basis.encode()).hexdigest()


def _identity_of_code() -> str:
    """A digest of this addon's code: another version computes all digests again."""
    digest = hashlib.sha256()
    for path in sorted(ADDON.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


# at import: this process does not run files that an upgrade replaces later
_CODE = _identity_of_code()
