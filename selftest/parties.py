"""Both sides of the selftest as their own users see them: SQL as the app's role, Odoo's methods as the administrator.

Neither touches a table of the bridge, so the bridge does not judge itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier

from demo.databases import app_database
from selftest.verdict import App, Case, Commission, Lead, Odoo
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError
from sync_daemon.odoo.admin import Person, administrator

COMPANY = "Selftest Trading"
AMOUNT = "125.05"

_AGENT = """
    WITH agent AS (
        INSERT INTO {t}.users (id, tenant_id, email, first_name, last_name)
        VALUES (%(agent)s, %(tenant)s, %(email)s, 'Chipo', 'Ncube')
        RETURNING id
    )
    INSERT INTO {t}.user_roles (user_id, role) SELECT id, 'agent' FROM agent
"""
_CLIENT = """
    INSERT INTO {t}.clients (id, tenant_id, client_type, full_name, email, country)
    VALUES (%(client)s, %(tenant)s, 'individual', 'Tendai Moyo', %(email)s, 'ZA')
"""
_REGISTRATION = """
    INSERT INTO {t}.registrations (id, tenant_id, client_id, registration_type, company_name, jurisdiction, status,
                                   submitted_at, approved_at)
    VALUES (%(registration)s, %(tenant)s, %(client)s, 'pty_ltd', %(company_name)s, 'ZA', 'approved', now(), now())
"""
_COMMISSION = """
    INSERT INTO {t}.commissions (id, tenant_id, registration_id, agent_id, registration_fee, commission_rate,
                                 commission_amount, currency)
    VALUES (%(commission)s, %(tenant)s, %(registration)s, %(agent)s, 1000.40, 12.50, %(amount)s, 'ZAR')
"""
_REGISTRATIONS = "SELECT id, COALESCE(odoo_lead_id, 0), company_name FROM {t}.registrations"
_COMMISSIONS = """
    SELECT id, COALESCE(odoo_commission_id, 0), commission_amount::text, status, COALESCE(payment_reference, '')
      FROM {t}.commissions
"""


@dataclass(frozen=True)
class Agency:
    """The selftest's tenant in the app, and its agent."""

    settings: Settings
    tenant: UUID
    schema: str
    agent: UUID

    def hire(self) -> None:
        """Make the agent."""
        with app_database(self.settings) as connection:
            self._run(connection, _AGENT, agent=self.agent, email=f"{self.agent.hex[:8]}@agents.example")

    def register(self, count: int) -> list[Case]:
        """So many approved registrations with a customer and a pending commission each, in one transaction."""
        cases = [Case(uuid4(), uuid4(), uuid4(), f"{COMPANY} {number}", AMOUNT) for number in range(1, count + 1)]
        with app_database(self.settings) as connection:
            for case in cases:
                for statement in (_CLIENT, _REGISTRATION, _COMMISSION):
                    self._run(connection, statement, **vars(case), email=f"{case.client.hex[:8]}@mail.example")
        return cases

    def read(self) -> App:
        """What the app holds."""
        with app_database(self.settings) as connection:
            registrations = self._run(connection, _REGISTRATIONS)
            commissions = self._run(connection, _COMMISSIONS)
        return App(
            {record_id: Lead(*values) for record_id, *values in registrations},
            {record_id: Commission(*values) for record_id, *values in commissions},
        )

    def _run(self, connection: Connection, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            # where the app's role does not own its tables, its policies ask for the tenant
            cursor.execute("SELECT set_config('app.current_tenant_id', %s, true)", [str(self.tenant)])
            formatted = SQL(statement).format(t=Identifier(self.schema))
            cursor.execute(formatted, {"tenant": self.tenant, "agent": self.agent, **values})
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Office:
    """The same tenant in Odoo, seen and worked on by the administrator."""

    settings: Settings
    tenant: UUID

    @cached_property
    def administrator(self) -> Person:
        """Who works there."""
        return administrator(self.settings)

    def pay(self, cases: Sequence[Case]) -> list[Case]:
        """Approve and pay the commissions, each under a reference of its own."""
        paid = [replace(case, payment=f"EFT {case.commission.hex[:8]}") for case in cases]
        with self.administrator.session() as odoo:
            ids = {record_id: row["id"] for record_id, row in self._rows(odoo, "x_commission")}
            if missing := [case.commission for case in paid if case.commission not in ids]:
                raise FatalError(f"commission {missing[0]} cannot be paid in Odoo: it is not there")
            odoo.execute("x_commission", "action_approve", [ids[case.commission] for case in paid])
            for case in paid:
                odoo.execute("x_commission", "mark_paid", [ids[case.commission]], case.payment)
        return paid

    def read(self) -> Odoo:
        """What Odoo holds, archived records too."""
        with self.administrator.session() as odoo:
            leads = self._rows(odoo, "crm.lead", "partner_name")
            commissions = self._rows(odoo, "x_commission", "commission_amount", "state", "payment_reference")
            partners = self._rows(odoo, "res.partner")
        return Odoo(
            [(record_id, Lead(row["id"], row["partner_name"])) for record_id, row in leads],
            [(record_id, _commission(row)) for record_id, row in commissions],
            [record_id for record_id, _ in partners],
        )

    def _rows(self, odoo: Any, model: str, *fields: str) -> list[tuple[UUID, dict[str, Any]]]:
        named = ["x_comply360_tenant_id.uuid", "=", str(self.tenant)]
        arguments = [[named], ["x_comply360_external_id", *fields]]
        rows = odoo.execute_kw(model, "search_read", arguments, {"context": {"active_test": False, "lang": "en_US"}})
        return [(UUID(row["x_comply360_external_id"]), row) for row in rows]


def _commission(row: dict[str, Any]) -> Commission:
    # RPC knows amounts as floats; two decimals of one are exact far beyond any commission
    amount = f"{row['commission_amount']:.2f}"
    return Commission(row["id"], amount, row["state"], row["payment_reference"] or "")
