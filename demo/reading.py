"""Reads both sides of the demo's tenants by plain SQL, each side as its own program's role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Composable, Identifier

from demo.books import Commission, DemoBooks, Registration, Side, compare
from demo.databases import app_database, odoo_database
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError

_TENANTS = """
    SELECT app.subdomain, app.id, app_schema.schema_name
      FROM public.tenants AS app JOIN public.tenant_schemas AS app_schema ON app_schema.tenant_id = app.id
     WHERE app.subdomain = ANY(%s) AND app.deleted_at IS NULL AND app_schema.status = 'active'
     ORDER BY app.subdomain
"""
_APP_REGISTRATIONS = "SELECT id, btrim(company_name), status, odoo_lead_id FROM {schema}.registrations"
_APP_COMMISSIONS = """
    SELECT id, registration_id, registration_fee, commission_rate, commission_amount, currency, status,
           COALESCE(date_trunc('second', approved_at)::text, ''), COALESCE(date_trunc('second', paid_at)::text, ''),
           COALESCE(btrim(payment_reference), ''), odoo_commission_id
      FROM {schema}.commissions
"""
_APP_CLIENTS = "SELECT id FROM {schema}.clients"
_APP_USERS = "SELECT id FROM {schema}.users"
_APP_CUSTOMERS = "SELECT DISTINCT client_id FROM {schema}.registrations WHERE status = 'approved'"
_APP_AGENTS = "SELECT DISTINCT agent_id FROM {schema}.commissions"
_APP_FAILED = "SELECT entity, count(*) FROM {schema}.comply360_sync_state WHERE state = 'failed' GROUP BY entity"

_ODOO_REGISTRATIONS = """
    SELECT bound.external_id::uuid, lead.partner_name, lead.x_comply360_status, lead.id
      FROM comply360_binding AS bound JOIN crm_lead AS lead ON lead.id = bound.res_id
     WHERE bound.tenant = %(tenant)s AND bound.entity = 'registration' AND bound.state = 'active'
"""
_ODOO_COMMISSIONS = """
    SELECT bound.external_id::uuid, registration.external_id::uuid, row.registration_fee, row.commission_rate,
           row.commission_amount, currency.name, row.state, COALESCE(row.approved_at::text, ''),
           COALESCE(row.paid_at::text, ''), COALESCE(row.payment_reference, ''), row.id
      FROM comply360_binding AS bound
      JOIN x_commission AS row ON row.id = bound.res_id
      JOIN res_currency AS currency ON currency.id = row.currency_id
      LEFT JOIN comply360_binding AS registration ON registration.res_model = 'crm.lead'
            AND registration.res_id = row.lead_id AND registration.state = 'active'
     WHERE bound.tenant = %(tenant)s AND bound.entity = 'commission' AND bound.state = 'active'
"""
_ODOO_PARTNERS = """
    SELECT bound.external_id::uuid
      FROM comply360_binding AS bound JOIN res_partner AS partner ON partner.id = bound.res_id
     WHERE bound.tenant = %(tenant)s AND bound.entity = %(entity)s AND bound.state = 'active'
"""


def read(settings: Settings, subdomains: Sequence[str]) -> list[DemoBooks]:
    """The comparison of each of these tenants. Raises: FatalError if one does not exist."""
    with app_database(settings) as app:
        tenants = _rows(app, SQL(_TENANTS), [list(subdomains)])
        if missing := set(subdomains) - {subdomain for subdomain, *_ in tenants}:
            raise FatalError(f"no active tenant {', '.join(sorted(missing))}; run: c360 demo load")
        here = {tenant: _app_side(app, tenant, schema) for _, tenant, schema in tenants}
    with odoo_database(settings) as odoo:
        return [compare(subdomain, here[tenant], _odoo_side(odoo, tenant)) for subdomain, tenant, _ in tenants]


def _app_side(connection: Connection, tenant: UUID, schema: str) -> Side:
    _rows(connection, SQL("SELECT set_config('app.current_tenant_id', %s, true)"), [str(tenant)])

    def rows(statement: str) -> list[tuple[Any, ...]]:
        return _rows(connection, SQL(statement).format(schema=Identifier(schema)))

    return Side(
        registrations={record_id: Registration(*values) for record_id, *values in rows(_APP_REGISTRATIONS)},
        commissions={record_id: Commission(*values) for record_id, *values in rows(_APP_COMMISSIONS)},
        clients={record_id for (record_id,) in rows(_APP_CLIENTS)},
        users={record_id for (record_id,) in rows(_APP_USERS)},
        customers={record_id for (record_id,) in rows(_APP_CUSTOMERS)},
        agents={record_id for (record_id,) in rows(_APP_AGENTS)},
        failed=dict(rows(_APP_FAILED)),
    )


def _odoo_side(connection: Connection, tenant: UUID) -> Side:
    def rows(statement: str, **values: str) -> list[tuple[Any, ...]]:
        return _rows(connection, SQL(statement), {"tenant": str(tenant), **values})

    return Side(
        registrations={record_id: Registration(*values) for record_id, *values in rows(_ODOO_REGISTRATIONS)},
        commissions={record_id: Commission(*values) for record_id, *values in rows(_ODOO_COMMISSIONS)},
        clients={record_id for (record_id,) in rows(_ODOO_PARTNERS, entity="client")},
        users={record_id for (record_id,) in rows(_ODOO_PARTNERS, entity="user")},
    )


def _rows(connection: Connection, statement: Composable, values: object = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]
        return cursor.fetchall()
