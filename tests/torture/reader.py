"""Reads both databases with plain SQL as their administrator: what the bridge's own code says is not asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

from sync_daemon.config import Settings
from tests.acceptance.parties import App
from tests.torture.storage import Storage

Row = dict[str, Any]


@dataclass
class Findings:
    """What was read. Shapes: rows have the names of their columns; those of all tenants are in one list."""

    registrations: list[Row] = field(default_factory=list)
    clients: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)
    commissions: list[Row] = field(default_factory=list)
    bindings: list[Row] = field(default_factory=list)
    letters: list[Row] = field(default_factory=list)
    conflicts: list[Row] = field(default_factory=list)
    owed: list[Row] = field(default_factory=list)
    leads: list[Row] = field(default_factory=list)
    partners: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    booked: list[Row] = field(default_factory=list)
    odoo_bindings: list[Row] = field(default_factory=list)
    odoo_marks: list[Row] = field(default_factory=list)
    issues: list[Row] = field(default_factory=list)
    latencies: list[Row] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)
    attachments: list[Row] = field(default_factory=list)
    invoices: list[Row] = field(default_factory=list)
    moves: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)


def read(settings: Settings, tenants: Sequence[App], storage: Storage, filestore: Path, since: datetime) -> Findings:
    """Read everything of these tenants; letters that name no tenant are those since then.

    Shapes: contents are read where they lie, in the app's storage and in Odoo's filestore.
    """
    found = Findings()
    ids = [app.tenant for app in tenants]
    with as_admin(settings, settings.platform_postgres_db) as cursor:
        for app in tenants:
            for name, statement in _APP.items():
                getattr(found, name).extend(_rows(cursor, SQL(statement).format(t=Identifier(app.schema)), app.tenant))
        for name, statement in _BRIDGE.items():
            getattr(found, name).extend(_rows(cursor, SQL(statement), ids))
        found.letters = [letter for letter in found.letters if letter["tenant"].int or letter["last_at"] >= since]
    with as_admin(settings, settings.odoo_postgres_db) as cursor:
        for name, statement in _ODOO.items():
            getattr(found, name).extend(_rows(cursor, SQL(statement), [str(tenant) for tenant in ids]))
    for row in found.documents:
        row["sha256"] = storage.sha256(row["storage_path"])
    for row in found.attachments:
        row["sha256"] = _sha256(filestore / settings.odoo_postgres_db, row)
    return found


def debts(settings: Settings, tenants: Sequence[App]) -> dict[str, int]:
    """How much is owed on either side, by what."""
    ids = [app.tenant for app in tenants]
    with as_admin(settings, settings.platform_postgres_db) as cursor:
        here = _rows(cursor, SQL(_DEBTS), ids)[0]
    with as_admin(settings, settings.odoo_postgres_db) as cursor:
        there = _rows(cursor, SQL(_ODOO_DEBTS), [str(tenant) for tenant in ids])[0]
    return {**here, **there}


def progress(settings: Settings) -> tuple[int, int]:
    """How much was ever written down by the bridge, and how much is owed to Odoo now."""
    with as_admin(settings, settings.platform_postgres_db) as cursor:
        cursor.execute(_PROGRESS)
        written, owed = cursor.fetchone() or (0, 0)
        return int(written), int(owed)


def imprint(settings: Settings, tenants: Sequence[App]) -> dict[str, str]:
    """One value per table of both sides, which any write to it changes."""
    found = {}
    ids = [app.tenant for app in tenants]
    with as_admin(settings, settings.platform_postgres_db) as cursor:
        for app in tenants:
            for table in ("users", "clients", "registrations", "commissions", "documents"):
                cursor.execute(SQL(_IMPRINT).format(table=Identifier(app.schema, table)))
                found[f"{app.subdomain} {table}"] = str((cursor.fetchone() or [""])[0])
        for table in ("binding", "base_value", "ledger", "dead_letter", "conflict", "invoice", "lead_outcome"):
            cursor.execute(SQL(_IMPRINT_OF).format(table=Identifier("bridge", table)), [ids])
            found[f"bridge {table}"] = str((cursor.fetchone() or [""])[0])
    with as_admin(settings, settings.odoo_postgres_db) as cursor:
        for table in (
            "crm_lead",
            "x_commission",
            "res_partner",
            "account_move",
            "comply360_binding",
            "comply360_outbox",
            "comply360_issue",
        ):
            cursor.execute(SQL(_IMPRINT).format(table=Identifier(table)))
            found[f"Odoo {table}"] = str((cursor.fetchone() or [""])[0])
        cursor.execute(SQL(_IMPRINT_OF_DOCUMENTS))
        found["Odoo ir_attachment"] = str((cursor.fetchone() or [""])[0])
    return found


@contextmanager
def as_admin(settings: Settings, database: str) -> Iterator[Cursor]:
    """The administrator's cursor, each statement in a transaction of its own."""
    is_app = database == settings.platform_postgres_db
    side = "platform" if is_app else "odoo"
    connection = psycopg2.connect(
        host=getattr(settings, f"{side}_postgres_host"),
        port=getattr(settings, f"{side}_postgres_port"),
        user=getattr(settings, f"{side}_postgres_admin_user"),
        password=getattr(settings, f"{side}_postgres_admin_password").get_secret_value(),
        dbname=database,
        connect_timeout=5,
        options="-c timezone=UTC -c statement_timeout=60s",
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _sha256(files: Path, attachment: Row) -> str:
    """The identity of an attachment's bytes; why there are none, if there are none."""
    if not attachment["store_fname"]:
        return hashlib.sha256(attachment["db_datas"] or b"").hexdigest()
    path = files / attachment["store_fname"]
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "its file is not there"


def _rows(cursor: Cursor, statement: Any, parameter: object) -> list[Row]:
    cursor.execute(statement, [parameter] * statement.as_string(cursor).count("%s"))
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_APP = {
    "registrations": """
        SELECT %s::uuid AS tenant, id, client_id, company_name, status, registration_type, jurisdiction, submitted_at,
               approved_at, odoo_lead_id, odoo_invoice_id, deleted_at IS NULL AS active
          FROM {t}.registrations
    """,
    "clients": """
        SELECT %s::uuid AS tenant, id, coalesce(company_name, full_name, email) AS name, email,
               coalesce(phone, mobile) AS phone, tax_number, street_address AS street, city,
               postal_code, country, deleted_at IS NULL AS active
          FROM {t}.clients
    """,
    "users": "SELECT %s::uuid AS tenant, id, email, concat_ws(' ', first_name, last_name) AS name FROM {t}.users",
    "commissions": """
        SELECT %s::uuid AS tenant, id, registration_id, agent_id, registration_fee, commission_rate, commission_amount,
               currency, status, approved_at, paid_at, payment_reference, odoo_commission_id
          FROM {t}.commissions
    """,
    "documents": """
        SELECT %s::uuid AS tenant, id, registration_id, client_id, file_name, storage_path, status,
               deleted_at IS NULL AS active
          FROM {t}.documents
    """,
    "latencies": """
        SELECT %s::uuid AS tenant, r.submitted_at AT TIME ZONE 'UTC' AS began, b.created_at AS ended
          FROM {t}.registrations AS r
          JOIN bridge.binding AS b ON b.entity = 'registration' AND b.record_id = r.id
         WHERE b.created_at >= r.submitted_at AT TIME ZONE 'UTC'
    """,
}
_BRIDGE = {
    "bindings": "SELECT tenant_id AS tenant, entity, record_id AS id, res_model, res_id, state FROM bridge.binding"
    " WHERE tenant_id = ANY(%s)",
    "letters": """
        SELECT tenant_id AS tenant, id, direction, entity, record_id, field, code, message, value, last_at
          FROM bridge.dead_letter
         WHERE resolved_at IS NULL AND (tenant_id = ANY(%s) OR tenant_id = '00000000-0000-0000-0000-000000000000')
    """,
    "conflicts": "SELECT tenant_id AS tenant, entity, record_id AS id, field, app_value, odoo_value"
    " FROM bridge.conflict WHERE state = 'open' AND tenant_id = ANY(%s)",
    "owed": """
        SELECT tenant_id AS tenant, entity, record_id AS id, dead_version = version AS is_dead, last_error, attempts,
               published_at
          FROM bridge.delivery WHERE tenant_id = ANY(%s)
    """,
    "invoices": """
        SELECT tenant_id AS tenant, odoo_id, kind, number, state, payment_state, total, residual, currency,
               invoice_date, registration_id
          FROM bridge.invoice WHERE tenant_id = ANY(%s)
    """,
    "outcomes": "SELECT tenant_id AS tenant, registration_id AS id, outcome FROM bridge.lead_outcome"
    " WHERE tenant_id = ANY(%s)",
}
_OF_TENANT = "JOIN comply360_tenant AS t ON t.id = r.x_comply360_tenant_id WHERE t.uuid = ANY(%s)"
_ODOO = {
    "leads": f"""
        SELECT t.uuid::uuid AS tenant, r.x_comply360_external_id::uuid AS id, r.id AS odoo_id, r.partner_name,
               r.email_from, r.phone, r.contact_name, r.x_comply360_status AS status,
               r.x_comply360_registration_type AS registration_type, r.x_comply360_jurisdiction AS jurisdiction,
               r.x_comply360_submitted_at AS submitted_at, r.x_comply360_approved_at AS approved_at,
               coalesce(r.x_comply360_active, false) AS active, r.partner_id, r.won_status
          FROM crm_lead AS r {_OF_TENANT}
    """,
    "partners": f"""
        SELECT t.uuid::uuid AS tenant, r.x_comply360_external_id::uuid AS id, r.id AS odoo_id, r.name, r.email, r.phone,
               r.x_comply360_tax_number AS tax_number, r.street, r.city, r.zip AS postal_code, c.code AS country,
               r.active
          FROM res_partner AS r LEFT JOIN res_country AS c ON c.id = r.country_id {_OF_TENANT}
    """,
    "records": f"""
        SELECT t.uuid::uuid AS tenant, r.x_comply360_external_id::uuid AS id, r.id AS odoo_id, r.lead_id, r.agent_id,
               r.registration_fee, r.commission_rate, r.commission_amount, y.name AS currency, r.state AS status,
               r.approved_at, r.paid_at, r.payment_reference, r.paid_by_hand
          FROM x_commission AS r JOIN res_currency AS y ON y.id = r.currency_id {_OF_TENANT}
    """,
    "booked": f"""
        SELECT t.uuid::uuid AS tenant, r.x_comply360_external_id::uuid AS id, sum(l.price_total) AS booked
          FROM account_move_line AS l
          JOIN account_move AS m ON m.id = l.move_id AND m.state = 'posted' AND m.move_type = 'in_invoice'
          JOIN x_commission AS r ON r.id = l.x_comply360_commission_id {_OF_TENANT}
         GROUP BY t.uuid, r.x_comply360_external_id
    """,
    "attachments": """
        SELECT t.uuid::uuid AS tenant, r.x_comply360_external_id::uuid AS id, r.id AS odoo_id, r.name AS file_name,
               r.x_comply360_status AS status, r.res_model, r.res_id, r.x_comply360_original_id AS original_id,
               r.store_fname, r.db_datas
          FROM ir_attachment AS r
          LEFT JOIN ir_attachment AS o ON o.id = r.x_comply360_original_id
          JOIN comply360_tenant AS t ON t.id = coalesce(o.x_comply360_tenant_id, r.x_comply360_tenant_id)
         WHERE t.uuid = ANY(%s)
    """,
    "moves": f"""
        SELECT t.uuid::uuid AS tenant, NULL::uuid AS id, r.id AS odoo_id, r.move_type, r.name AS number, r.state,
               r.payment_state, r.amount_total AS total, r.amount_residual AS residual, y.name AS currency,
               r.invoice_date, r.x_comply360_lead_id AS lead_id
          FROM account_move AS r JOIN res_currency AS y ON y.id = r.currency_id {_OF_TENANT}
    """,
    "odoo_bindings": "SELECT tenant::uuid AS tenant, entity, external_id::uuid AS id, res_model, res_id, state"
    " FROM comply360_binding WHERE tenant = ANY(%s)",
    "odoo_marks": """
        SELECT b.tenant::uuid AS tenant, b.entity, b.external_id::uuid AS id, o.op, o.state, o.message
          FROM comply360_outbox AS o JOIN comply360_binding AS b ON b.id = o.binding_id
         WHERE b.tenant = ANY(%s)
    """,
    "issues": """
        SELECT b.tenant::uuid AS tenant, b.external_id::uuid AS id, i.state
          FROM comply360_issue AS i
          JOIN comply360_binding AS b ON b.res_model = 'comply360.issue' AND b.res_id = i.id AND b.entity = 'issue'
         WHERE b.tenant = ANY(%s)
    """,
}
_DEBTS = """
    SELECT (SELECT count(*) FROM bridge.outbox WHERE tenant_id = ANY(%s)) AS marks,
           (SELECT count(*) FROM bridge.delivery
             WHERE tenant_id = ANY(%s) AND dead_version IS DISTINCT FROM version) AS deliveries
"""
_ODOO_DEBTS = """
    SELECT (SELECT count(*) FROM comply360_outbox AS o JOIN comply360_binding AS b ON b.id = o.binding_id
             WHERE o.state = 'pending' AND b.tenant = ANY(%s)) AS odoo_marks
"""
_PROGRESS = """
    SELECT (SELECT count(*) FROM bridge.ledger) + (SELECT coalesce(sum(version), 0) FROM bridge.binding),
           (SELECT count(*) FROM bridge.delivery WHERE dead_version IS DISTINCT FROM version)
"""
_IMPRINT = "SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, '' ORDER BY r::text)), '') FROM {table} AS r"
# Odoo keeps much else there, its pages' parts among them
_IMPRINT_OF_DOCUMENTS = """
    SELECT count(*) || ' ' || coalesce(md5(string_agg(r.id || ' ' || r.write_date || ' ' || r.checksum, ''
                                                     ORDER BY r.id)), '')
      FROM ir_attachment AS r WHERE r.x_comply360_tenant_id IS NOT NULL OR r.x_comply360_original_id IS NOT NULL
"""
_IMPRINT_OF = _IMPRINT + " WHERE tenant_id = ANY(%s)"

psycopg2.extras.register_uuid()
