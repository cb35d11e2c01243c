"""What must hold between three agencies whatever people do: no word of one stands with another, and money adds up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2.sql import SQL, Identifier

from tests.acceptance.agencies import World

_OWNED = {
    "res_partner": "x_comply360_tenant_id",
    "crm_lead": "x_comply360_tenant_id",
    "x_commission": "x_comply360_tenant_id",
    "account_move": "x_comply360_tenant_id",
    "ir_attachment": "x_comply360_tenant_id",
    "comply360_issue": "tenant_id",
    "comply360_link": "tenant_id",
}
_MODELS = {
    "res.partner": "res_partner",
    "crm.lead": "crm_lead",
    "x_commission": "x_commission",
    "account.move": "account_move",
}
# table, the columns of model and id
_BESIDE = {
    "mail_message": ("model", "res_id"),
    "ir_attachment": ("res_model", "res_id"),
    "mail_activity": ("res_model", "res_id"),
    "mail_tracking_value": (
        "(SELECT m.model FROM mail_message m WHERE m.id = r.mail_message_id)",
        "(SELECT m.res_id FROM mail_message m WHERE m.id = r.mail_message_id)",
    ),
}
# what a record names: (table, column, table of what it names)
_LINKS = (
    ("crm_lead", "partner_id", "res_partner"),
    ("res_partner", "parent_id", "res_partner"),
    ("res_partner", "commercial_partner_id", "res_partner"),
    ("x_commission", "lead_id", "crm_lead"),
    ("x_commission", "agent_id", "res_partner"),
    ("account_move", "partner_id", "res_partner"),
    ("account_move", "commercial_partner_id", "res_partner"),
    ("account_move", "x_comply360_lead_id", "crm_lead"),
    ("ir_attachment", "x_comply360_lead_id", "crm_lead"),
)


def breaches_in_odoo(world: World) -> list[str]:
    """Words of one tenant in records, messages or files of another, and records of one that name the other's."""
    foreign = {tenant: [word for key, word in world.words.items() if key != tenant] for tenant in world.tenants}
    patterns = {tenant: "|".join(words) for tenant, words in foreign.items()}
    return [*_words_in_odoo(world, patterns), *_links_in_odoo(world), *_neighbours_in_odoo(world, patterns)]


def _words_in_odoo(world: World, patterns: dict[str, str]) -> Iterator[str]:
    given = [list(patterns), list(patterns.values())]
    among = "JOIN unnest(%s::text[], %s::text[]) AS w(uuid, foreign_words) ON t.uuid = w.uuid"
    for table, column in _OWNED.items():
        statement = (
            f"SELECT t.uuid, r.id, r::text, w.foreign_words FROM {table} r JOIN comply360_tenant t ON t.id = r.{column}"
            f" {among} WHERE r::text ~ w.foreign_words"
        )
        yield from _said(world, table, world.odoo(statement, given))
    for table, (model, res_id) in _BESIDE.items():
        names = [model if "(" in model else f"r.{model}", res_id if "(" in res_id else f"r.{res_id}"]
        for owner, owners in _MODELS.items():
            statement = (
                f"SELECT t.uuid, r.id, r::text, w.foreign_words FROM {table} r JOIN {owners} o ON o.id = {names[1]}"
                f" JOIN comply360_tenant t ON t.id = o.x_comply360_tenant_id {among}"
                f" WHERE {names[0]} = '{owner}' AND r::text ~ w.foreign_words"
            )
            yield from _said(world, f"{table} of {owners}", world.odoo(statement, given))


def _neighbours_in_odoo(world: World, patterns: dict[str, str]) -> Iterator[str]:
    """A record of nobody's that a tenant's record names shows its texts there."""
    given = [list(patterns), list(patterns.values())]
    for table, column, named in _LINKS:
        if named != "res_partner":
            continue
        statement = (
            f"SELECT t.uuid, r.id, n::text, w.foreign_words FROM {table} r"
            f" JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id"
            f" JOIN unnest(%s::text[], %s::text[]) AS w(uuid, foreign_words) ON t.uuid = w.uuid"
            f" JOIN {named} n ON n.id = r.{column}"
            f" WHERE n.x_comply360_tenant_id IS NULL AND n::text ~ w.foreign_words"
        )
        yield from _said(world, f"{column} of {table}", world.odoo(statement, given))


def _links_in_odoo(world: World) -> Iterator[str]:
    for table, column, named in _LINKS:
        statement = (
            f"SELECT r.id, n.id, t.uuid, o.uuid FROM {table} r JOIN {named} n ON n.id = r.{column}"
            f" JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id"
            f" JOIN comply360_tenant o ON o.id = n.x_comply360_tenant_id AND o.id <> t.id WHERE t.uuid = ANY(%s)"
        )
        for record, other, tenant, owner in world.odoo(statement, [world.tenants]):
            owners = world.words.get(owner, owner)
            yield f"{table} {record} of {world.words[tenant]}: {column} is {other} of {owners}"
    for model, table in _MODELS.items():
        statement = (
            f"SELECT r.id, p.id, t.uuid, o.uuid FROM mail_followers f JOIN {table} r ON r.id = f.res_id"
            f" JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id JOIN res_partner p ON p.id = f.partner_id"
            f" JOIN comply360_tenant o ON o.id = p.x_comply360_tenant_id AND o.id <> t.id"
            f" WHERE f.res_model = %s AND t.uuid = ANY(%s)"
        )
        for record, other, tenant, owner in world.odoo(statement, [model, world.tenants]):
            owners = world.words.get(owner, owner)
            yield f"{table} {record} of {world.words[tenant]}: {other} of {owners} follows it"


def _said(world: World, where: str, rows: list[tuple[Any, ...]]) -> Iterator[str]:
    for tenant, record, text, words in rows:
        found = [word for word in words.split("|") if word in text]
        at = text.index(found[0])
        yield f"{where} {record} of {world.words[tenant]}: ...{text[max(0, at - 40) : at + 40]}..."


def breaches_in_app(world: World) -> list[str]:
    """Words of one tenant in the rows of another's schema, and in what the bridge keeps and says about the other."""
    settings = world.settings
    with (
        closing(
            psycopg2.connect(
                host=settings.platform_postgres_host,
                port=settings.platform_postgres_port,
                dbname=settings.platform_postgres_db,
                user=settings.platform_postgres_admin_user,
                password=settings.platform_postgres_admin_password.get_secret_value(),
            )
        ) as link,
        link.cursor() as cursor,
    ):
        return [*_words_in_schemas(world, cursor), *_words_in_bridge(world, cursor)]


def _foreign(world: World, tenant: str) -> str:
    return "|".join(word for key, word in world.words.items() if key != tenant)


def _words_in_schemas(world: World, cursor: Any) -> Iterator[str]:
    for tenant, app in world.apps.items():
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [app.schema])
        for (name,) in sorted(cursor.fetchall()):
            statement = SQL("SELECT r::text FROM {}.{} r WHERE r::text ~ %s")
            cursor.execute(statement.format(Identifier(app.schema), Identifier(name)), [_foreign(world, tenant)])
            for (text,) in cursor.fetchall():
                yield f"app's {name} of {world.words[tenant]}: {text[:300]}"


def _words_in_bridge(world: World, cursor: Any) -> Iterator[str]:
    cursor.execute(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c"
        "  JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'bridge' AND c.column_name IN ('tenant', 'tenant_id')"
        "   AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE 'ledger\\_%'"
    )
    for table, column in cursor.fetchall():
        statement = SQL("SELECT r::text FROM bridge.{} r WHERE {}::text = %s AND r::text ~ %s").format(
            Identifier(table), Identifier(column)
        )
        for tenant in world.tenants:
            cursor.execute(statement, [tenant, _foreign(world, tenant)])
            for (text,) in cursor.fetchall():
                yield f"bridge.{table} of {world.words[tenant]}: {text[:300]}"


_BILLED = """
    SELECT t.uuid, x.x_comply360_external_id, x.state, x.commission_amount::numeric(12, 2), c.name,
           array_remove(array_agg(DISTINCT m.id), NULL), coalesce(x.payment_discrepancy, '')
      FROM x_commission x
      JOIN comply360_tenant t ON t.id = x.x_comply360_tenant_id
      JOIN res_currency c ON c.id = x.currency_id
      LEFT JOIN account_move_line l ON l.x_comply360_commission_id = x.id
      LEFT JOIN account_move m ON m.id = l.move_id AND m.move_type IN ('in_invoice', 'in_refund') AND m.state = 'posted'
     WHERE t.uuid = ANY(%s)
     GROUP BY x.id, t.uuid, c.name
"""
# what left or came back through a payment, in its own currency, shared out by what it settles
_PAID = """
    WITH settled AS (
        SELECT term.move_id, part.id, part.amount,
               CASE WHEN part.debit_move_id = term.id THEN part.credit_move_id ELSE part.debit_move_id END AS other
          FROM account_move_line term
          JOIN account_account a ON a.id = term.account_id
               AND a.account_type IN ('liability_payable', 'asset_receivable')
          JOIN account_partial_reconcile part ON term.id IN (part.debit_move_id, part.credit_move_id)
         WHERE term.move_id = ANY(%s)
    ), payments AS (
        SELECT s.move_id, s.amount, p.id, p.payment_type, p.amount AS paid, c.name,
               (SELECT sum(part.amount) FROM account_partial_reconcile part
                  JOIN account_move_line l ON l.id IN (part.debit_move_id, part.credit_move_id)
                  JOIN account_account a ON a.id = l.account_id
                       AND a.account_type IN ('liability_payable', 'asset_receivable')
                 WHERE l.move_id = p.move_id) AS total
          FROM settled s
          JOIN account_move_line line ON line.id = s.other
          JOIN account_payment p ON p.move_id = line.move_id
          JOIN res_currency c ON c.id = p.currency_id)
    SELECT move_id, name, sum((CASE payment_type WHEN 'outbound' THEN 1 ELSE -1 END) * paid * amount / total)
      FROM payments GROUP BY move_id, name
"""
_OPEN = "SELECT count(*) FROM account_move WHERE id = ANY(%s) AND move_type = 'in_invoice' AND amount_residual <> 0"


def money_unsaid(world: World) -> list[str]:
    """Bills whose payments differ from what the app calls paid, while no discrepancy says so on both sides."""
    rows = world.odoo(_BILLED, [world.tenants])
    moves = sorted({move for row in rows for move in row[5]})
    paid = world.odoo(_PAID, [moves])
    found: list[str] = []
    for group in _groups(rows):
        of_group = {move for row in group for move in row[5]}
        in_odoo: defaultdict[str, Decimal] = defaultdict(Decimal)
        for move, currency, amount in paid:
            if move in of_group:
                in_odoo[currency] += Decimal(amount)
        if not of_group:
            # paid by hand: Odoo has only the word of the accountant
            for row in group:
                in_odoo[row[4]] += row[3] if row[2] == "paid" else 0
        is_open = bool(of_group) and world.odoo(_OPEN, [list(of_group)])[0][0] > 0
        found += _differences(world, group, in_odoo, is_open)
    return found


def _groups(rows: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Commissions that share a bill belong together."""
    groups: list[tuple[set[int], list[tuple[Any, ...]]]] = []
    for row in rows:
        moves, members = set(row[5]), [row]
        for group in [group for group in groups if group[0] & moves]:
            groups.remove(group)
            moves, members = moves | group[0], members + group[1]
        groups.append((moves, members))
    return [members for _, members in groups]


def _differences(
    world: World, group: list[tuple[Any, ...]], in_odoo: dict[str, Decimal], is_open: bool
) -> Iterator[str]:
    in_app: defaultdict[str, Decimal] = defaultdict(Decimal)
    is_said, names = True, []
    for tenant, record, state, amount, currency, _, discrepancy in group:
        app = world.apps[tenant]
        rows = app.run("SELECT status, commission_amount, currency FROM {t}.commissions WHERE id = %s", [record])
        for status, app_amount, app_currency in rows:
            if status == "paid":
                in_app[app_currency] += app_amount
        letters = app.run(
            "SELECT count(*) FROM {t}.comply360_sync_state WHERE record_id::text = %s AND state = 'failed'", [record]
        )
        is_said = is_said and bool(discrepancy) and letters[0][0] > 0
        names.append(f"{world.words[tenant]} {record} {state} {amount} {currency} ({discrepancy or 'no discrepancy'})")
    different = {
        currency: (in_app[currency], in_odoo[currency])
        for currency in {*in_app, *in_odoo}
        if abs(in_app[currency] - in_odoo[currency]) >= Decimal("0.005")
    }
    # while a bill is open and the app calls nothing paid, its payments are on their way
    if different and not is_said and not (is_open and not any(in_app.values())):
        said = ", ".join(
            f"{currency}: paid in the app {one}, in Odoo {two}" for currency, (one, two) in different.items()
        )
        yield f"{said}; {'; '.join(names)}"
