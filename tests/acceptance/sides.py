"""What both sides have, read with plain SQL in either database and compared by rules of this file's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from demo.databases import odoo_database
from sync_daemon.config import Settings
from tests.acceptance.parties import App

Fields = dict[str, Any]
Records = dict[tuple[str, UUID], Fields]
"""Fields by (entity, id)."""

TWO_WAY = ("name", "email", "phone", "tax_number", "street", "city", "state_province", "postal_code", "country")
"""The fields of a client that both sides may change."""

_CLIENTS = """
    SELECT p.x_comply360_external_id, p.id, jsonb_build_object(
           'name', p.name, 'email', p.email, 'phone', p.phone, 'mobile', p.x_comply360_mobile,
           'tax_number', p.x_comply360_tax_number, 'city', p.city, 'postal_code', p.zip, 'country', c.code,
           'state_province', p.x_comply360_state_province, 'is_company', p.is_company, 'active', p.active,
           'street', concat_ws(E'\\n', nullif(p.street, ''), nullif(p.street2, '')))
      FROM res_partner AS p
      JOIN comply360_tenant AS t ON t.id = p.x_comply360_tenant_id
      LEFT JOIN res_country AS c ON c.id = p.country_id
     WHERE t.uuid = %s AND p.x_comply360_entity = 'client'
"""
_USERS = """
    SELECT p.x_comply360_external_id, p.id, jsonb_build_object(
           'name', p.name, 'email', p.email, 'phone', p.phone, 'mobile', p.x_comply360_mobile, 'active', p.active)
      FROM res_partner AS p
      JOIN comply360_tenant AS t ON t.id = p.x_comply360_tenant_id
     WHERE t.uuid = %s AND p.x_comply360_entity = 'user'
"""
_LEADS = """
    SELECT l.x_comply360_external_id, l.id, jsonb_build_object(
           'company_name', l.partner_name, 'contact_name', l.contact_name, 'mobile', l.x_comply360_mobile,
           'email', l.email_from, 'phone', l.phone,
           'registration_type', l.x_comply360_registration_type,
           'registration_number', l.x_comply360_registration_number, 'jurisdiction', l.x_comply360_jurisdiction,
           'status', l.x_comply360_status, 'rejection_reason', l.x_comply360_rejection_reason,
           'reference', l.x_comply360_reference, 'active', l.x_comply360_active,
           'submitted_at', to_char(l.x_comply360_submitted_at, 'YYYY-MM-DD HH24:MI:SS'))
           -- these two are the partner's as soon as there is one
           - CASE WHEN l.partner_id IS NULL THEN '{}' ELSE '{email,phone}' END::text[]
      FROM crm_lead AS l
      JOIN comply360_tenant AS t ON t.id = l.x_comply360_tenant_id
     WHERE t.uuid = %s AND l.x_comply360_external_id IS NOT NULL
"""
_COMMISSIONS = """
    SELECT x.x_comply360_external_id, x.id, jsonb_build_object(
           'registration_fee', x.registration_fee::numeric(10, 2)::text,
           'commission_rate', x.commission_rate::numeric(5, 2)::text,
           'commission_amount', x.commission_amount::numeric(10, 2)::text, 'currency', c.name, 'status', x.state,
           'approved_at', to_char(x.approved_at, 'YYYY-MM-DD HH24:MI:SS'),
           'paid_at', to_char(x.paid_at, 'YYYY-MM-DD HH24:MI:SS'), 'payment_reference', x.payment_reference)
      FROM x_commission AS x
      JOIN comply360_tenant AS t ON t.id = x.x_comply360_tenant_id
      JOIN res_currency AS c ON c.id = x.currency_id
     WHERE t.uuid = %s
"""
_DOCUMENTS = """
    SELECT a.x_comply360_external_id, a.id, jsonb_build_object(
           'file_name', a.name, 'document_type', a.x_comply360_document_type, 'mime_type', a.x_comply360_mime_type,
           'status', a.x_comply360_status)
      FROM ir_attachment AS a
      JOIN comply360_tenant AS t ON t.id = a.x_comply360_tenant_id
     WHERE t.uuid = %s
"""
_IN_ODOO = {
    "client": _CLIENTS,
    "user": _USERS,
    "registration": _LEADS,
    "commission": _COMMISSIONS,
    "document": _DOCUMENTS,
}
_IN_APP = {
    "client": "SELECT id, to_jsonb(r) FROM {t}.clients AS r",
    "user": "SELECT id, to_jsonb(r) FROM {t}.users AS r",
    "registration": "SELECT id, to_jsonb(r) FROM {t}.registrations AS r",
    "commission": "SELECT id, to_jsonb(r) FROM {t}.commissions AS r",
    "document": "SELECT id, to_jsonb(r) FROM {t}.documents AS r",
}
_ROWS_OF_ODOO = """
    SELECT 'res.partner', p.id, p.xmin::text FROM res_partner AS p
      JOIN comply360_tenant AS t ON t.id = p.x_comply360_tenant_id WHERE t.uuid = %(tenant)s
     UNION ALL
    SELECT 'crm.lead', l.id, l.xmin::text FROM crm_lead AS l
      JOIN comply360_tenant AS t ON t.id = l.x_comply360_tenant_id WHERE t.uuid = %(tenant)s
     UNION ALL
    SELECT 'x_commission', x.id, x.xmin::text FROM x_commission AS x
      JOIN comply360_tenant AS t ON t.id = x.x_comply360_tenant_id WHERE t.uuid = %(tenant)s
     UNION ALL
    SELECT 'ir.attachment', a.id, a.xmin::text FROM ir_attachment AS a
      JOIN comply360_tenant AS t ON t.id = a.x_comply360_tenant_id WHERE t.uuid = %(tenant)s
     ORDER BY 1, 2
"""
_ROWS_OF_APP = """
    SELECT 'clients', id, xmin::text FROM {t}.clients
     UNION ALL SELECT 'registrations', id, xmin::text FROM {t}.registrations
     UNION ALL SELECT 'commissions', id, xmin::text FROM {t}.commissions
     UNION ALL SELECT 'users', id, xmin::text FROM {t}.users
     UNION ALL SELECT 'documents', id, xmin::text FROM {t}.documents
     ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Sides:
    """Both sides of one tenant at about one moment.

    Shapes: the app's fields hold `is_due` besides: whether the record should be in Odoo. `ids` are Odoo's, of all that
    claim a record of the app's; `opted_out` are the app's ids of those that a person took out of the sync.
    """

    app: Records
    odoo: Records
    ids: Mapping[tuple[str, UUID], list[int]] = field(repr=False)
    opted_out: frozenset[UUID]

    def pairs(self, entity: str) -> Iterable[tuple[UUID, Fields, Fields]]:
        """Records that both sides have."""
        for key in sorted(self.app.keys() & self.odoo.keys(), key=str):
            if key[0] == entity:
                yield key[1], self.app[key], self.odoo[key]


def read(app: App) -> Sides:
    """Gives the tenant's records on both sides, each field in one form."""
    rows = {entity: dict(app.run(statement)) for entity, statement in _IN_APP.items()}
    here: Records = {}
    for entity, shape in _SHAPES.items():
        here.update({(entity, identity): _plain(shape(row, rows)) for identity, row in rows[entity].items()})
    there: Records = {}
    ids: defaultdict[tuple[str, UUID], list[int]] = defaultdict(list)
    with odoo_database(app.settings) as connection, connection.cursor() as cursor:
        for entity, statement in _IN_ODOO.items():
            cursor.execute(statement, [str(app.tenant)])
            for identity, record, fields in cursor.fetchall():
                there[entity, UUID(identity)] = _plain(fields)
                ids[entity, UUID(identity)].append(record)
        cursor.execute("SELECT external_id FROM comply360_binding WHERE opted_out AND tenant = %s", [str(app.tenant)])
        opted_out = frozenset(UUID(identity) for (identity,) in cursor.fetchall())
    return Sides(here, there, ids, opted_out)


def fingerprint(app: App) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Gives what changes with every write, of every row of both sides that the bridge may write."""
    return app.run(_ROWS_OF_APP), _odoo_rows(app.settings, app.tenant)


def _odoo_rows(settings: Settings, tenant: UUID) -> list[tuple[Any, ...]]:
    with odoo_database(settings) as connection, connection.cursor() as cursor:
        cursor.execute(_ROWS_OF_ODOO, {"tenant": str(tenant)})
        return cursor.fetchall()


def _client(row: Fields, rows: Mapping[str, Any]) -> Fields:
    return {
        "name": _first(row["company_name"], row["full_name"], row["email"]),
        "is_company": row["client_type"] == "company",
        "email": row["email"],
        "phone": _first(row["phone"], row["mobile"]),
        "mobile": row["mobile"],
        "tax_number": row["tax_number"],
        "street": row["street_address"],
        "city": row["city"],
        "state_province": row["state_province"],
        "postal_code": row["postal_code"],
        "country": row["country"].upper() if row["country"] else "",
        "active": row["deleted_at"] is None,
        "is_due": any(
            item["client_id"] == row["id"] and item["status"] == "approved" for item in rows["registration"].values()
        ),
    }


def _user(row: Fields, rows: Mapping[str, Any]) -> Fields:
    return {
        "name": _first(" ".join(filter(None, (plain(row["first_name"]), plain(row["last_name"])))), row["email"]),
        "email": row["email"],
        "phone": _first(row["phone"], row["mobile"]),
        "mobile": row["mobile"],
        "active": row["status"] != "deleted",
        "is_due": any(item["agent_id"] == row["id"] and _is_due(item, rows) for item in rows["commission"].values()),
    }


def _registration(row: Fields, rows: Mapping[str, Any]) -> Fields:
    client = rows["client"].get(UUID(row["client_id"]), defaultdict(str))
    return {
        "company_name": row["company_name"],
        "contact_name": _first(client["full_name"], client["company_name"]),
        "email": client["email"],
        "phone": _first(client["phone"], client["mobile"]),
        "mobile": client["mobile"],
        "registration_type": row["registration_type"],
        "registration_number": row["registration_number"],
        "jurisdiction": row["jurisdiction"],
        "status": row["status"],
        "rejection_reason": row["rejection_reason"],
        "reference": _first(row["cipc_reference"], row["dcip_reference"]),
        "submitted_at": _moment(row["submitted_at"]),
        "active": row["deleted_at"] is None,
        "is_due": row["status"] != "draft",
    }


def _commission(row: Fields, rows: Mapping[str, Any]) -> Fields:
    return {
        **{name: f"{row[name]:.2f}" for name in ("registration_fee", "commission_rate", "commission_amount")},
        "currency": row["currency"],
        "status": row["status"],
        "approved_at": _moment(row["approved_at"]),
        "paid_at": _moment(row["paid_at"]),
        "payment_reference": row["payment_reference"],
        "is_due": _is_due(row, rows),
    }


def _document(row: Fields, rows: Mapping[str, Any]) -> Fields:
    return {
        **{name: row[name] for name in ("file_name", "document_type", "mime_type", "status")},
        "is_due": row["deleted_at"] is None and _is_due(row, rows),
    }


def _is_due(named: Fields, rows: Mapping[str, Any]) -> bool:
    return bool(rows["registration"][UUID(named["registration_id"])]["status"] != "draft")


_SHAPES = {
    "client": _client,
    "user": _user,
    "registration": _registration,
    "commission": _commission,
    "document": _document,
}


def plain(value: Any) -> Any:
    """A text without line ends of its own kind and without blanks at its ends; nothing is the empty text."""
    if value is None:
        return ""
    return value.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(value, str) else value


def _plain(fields: Fields) -> Fields:
    return {name: plain(value) for name, value in fields.items()}


def _first(*values: str | None) -> str:
    return next((value for value in values if plain(value)), "") or ""


def _moment(value: str | None) -> str:
    return value[:19].replace("T", " ") if value else ""
