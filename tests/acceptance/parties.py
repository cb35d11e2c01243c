"""Who takes part: the app with its role's SQL, people in Odoo with its public methods, and the broker's operator."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg2
import psycopg2.extras
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier

from demo.databases import app_database
from stack import rabbitmq
from stack.layout import Layout, secrets
from sync_daemon.config import SYNC_ROLE, Settings
from sync_daemon.odoo.admin import Person

psycopg2.extras.register_uuid()


@dataclass
class App:
    """The Comply360 app: one tenant's rows, written with the app's role."""

    settings: Settings = field(repr=False)
    tenant: UUID
    schema: str
    subdomain: str
    agents: list[UUID] = field(default_factory=list)

    def run(self, statement: str, values: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """One statement in a transaction of its own; `{t}` stands for the tenant's schema."""
        with app_database(self.settings) as connection:
            return self.on(connection, statement, values)

    def on(
        self, connection: Connection, statement: str, values: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        """The same on a connection whose transaction the test holds."""
        with connection.cursor() as cursor:
            cursor.execute(SQL(statement).format(t=Identifier(self.schema)), values)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, values: Sequence[object] | None = None) -> Any:
        """The only value of the only row."""
        return self.run(statement, values)[0][0]

    def connect(self) -> Connection:
        """A connection that the test closes itself."""
        settings = self.settings
        return psycopg2.connect(
            host=settings.platform_postgres_host,
            port=settings.platform_postgres_port,
            dbname=settings.platform_postgres_db,
            user=settings.c360_app_user,
            password=settings.c360_app_password.get_secret_value(),
            options="-c timezone=UTC",
        )

    def register(self, count: int = 1, status: str = "submitted", name: str = "Baobab Trading") -> list[UUID]:
        """That many registrations, each with a client of its own, in one transaction."""
        with app_database(self.settings) as connection:
            return self.register_on(connection, count, status, name)

    def register_on(
        self, connection: Connection, count: int, status: str = "submitted", name: str = "Baobab Trading"
    ) -> list[UUID]:
        """The same in a transaction that the test holds."""
        rows = self.on(
            connection,
            """
            WITH numbered AS (
                SELECT n, gen_random_uuid() AS client, gen_random_uuid() AS registration
                  FROM generate_series(1, %s) AS n
            ), new_clients AS (
                INSERT INTO {t}.clients (id, tenant_id, client_type, full_name, email, phone, country)
                SELECT client, %s, 'individual', 'Tendai Moyo ' || n, 'tendai' || n || '@mail.example',
                       '+27 82 555 ' || lpad(n::text, 4, '0'), 'ZA' FROM numbered
            )
            INSERT INTO {t}.registrations (id, tenant_id, client_id, registration_type, company_name, jurisdiction,
                                           status, submitted_at)
            SELECT registration, %s, client, 'pty_ltd', %s || ' ' || n, 'ZA', %s, now() FROM numbered
            RETURNING id
            """,
            [count, self.tenant, self.tenant, name, status],
        )
        return [identity for (identity,) in rows]

    def agent(self) -> UUID:
        """A user who is an agent; the same one whenever asked."""
        if not self.agents:
            identity = uuid4()
            self.run(
                "INSERT INTO {t}.users (id, tenant_id, email, first_name, last_name) VALUES (%s, %s, %s, %s, %s)",
                [identity, self.tenant, f"{identity.hex[:8]}@agents.example", "Chipo", "Ncube"],
            )
            self.run("INSERT INTO {t}.user_roles (user_id, role) VALUES (%s, 'agent')", [identity])
            self.agents.append(identity)
        return self.agents[0]

    def commission(self, registration: UUID, amount: str = "125.05", currency: str = "ZAR") -> UUID:
        """A pending commission on a registration."""
        identity = uuid4()
        self.run(
            """
            INSERT INTO {t}.commissions (id, tenant_id, registration_id, agent_id, registration_fee, commission_rate,
                                         commission_amount, currency)
            VALUES (%s, %s, %s, %s, 1000.40, 12.50, %s, %s)
            """,
            [identity, self.tenant, registration, self.agent(), Decimal(amount), currency],
        )
        return identity

    def leads(self, registrations: Sequence[UUID] | None = None) -> int:
        """How many registrations carry the id of their lead."""
        where = "" if registrations is None else " AND id = ANY(%s)"
        statement = f"SELECT count(*) FROM {{t}}.registrations WHERE odoo_lead_id IS NOT NULL{where}"
        return int(self.one(statement, None if registrations is None else [list(registrations)]))

    def close(self) -> None:
        """Suspends the tenant, so that what a test left behind is nobody's work."""
        self.run("UPDATE public.tenants SET status = 'suspended' WHERE id = %s", [self.tenant])


@dataclass(frozen=True)
class Odoo:
    """A person in Odoo: public methods only, with that person's rights."""

    settings: Settings = field(repr=False)
    login: str
    password: str = field(repr=False)

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A signed-in session."""
        with _person(self).session() as session:
            session.env.context["active_test"] = False
            yield session

    def call(self, model: str, method: str, *arguments: object, **named: object) -> Any:
        """One call of a public method; archived records are seen."""
        with self.session() as session:
            named.setdefault("context", {"active_test": False, "lang": "en_US"})
            return session.execute_kw(model, method, list(arguments), named)

    def leads(self, app: App) -> list[dict[str, Any]]:
        """All leads of a tenant, archived ones too."""
        fields = ["x_comply360_external_id", "partner_name", "active", "type", "email_from", "x_comply360_status"]
        return list(self.call("crm.lead", "search_read", _of(app), fields))

    def commissions(self, app: App) -> list[dict[str, Any]]:
        """All commissions of a tenant."""
        fields = ["x_comply360_external_id", "state", "commission_amount", "payment_reference", "paid_at"]
        return list(self.call("x_commission", "search_read", _of(app), fields))

    def issues(self, app: App) -> list[dict[str, Any]]:
        """All open sync issues of a tenant."""
        fields = ["record_entity", "record_id", "field_name", "value", "code", "message", "state"]
        domain = [["tenant_id.uuid", "=", str(app.tenant)], ["state", "=", "open"]]
        return list(self.call("comply360.issue", "search_read", domain, fields))


_people: dict[tuple[str, ...], Person] = {}


def _person(odoo: Odoo) -> Person:
    """The same for the whole run: it signs in once."""
    key = (odoo.settings.odoo_url, odoo.settings.odoo_database, odoo.login, odoo.password)
    return _people.setdefault(key, Person(odoo.settings, odoo.login, odoo.password))


def forget_people() -> None:
    """Everybody signs in anew, for instance after Odoo's database was set back."""
    _people.clear()


def _of(app: App) -> list[list[str]]:
    return [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]]


@dataclass(frozen=True)
class Broker:
    """RabbitMQ's operator, through its management API."""

    layout: Layout

    def get(self, path: str) -> Any:
        """What the API answers."""
        return self._ask("GET", path, None)

    def queue(self, name: str) -> dict[str, Any]:
        """One queue's figures."""
        return dict(self.get(f"queues/{_VHOST}/{name}"))

    def queues(self) -> list[str]:
        """The names of all queues."""
        return [str(queue["name"]) for queue in self.get(f"queues/{_VHOST}")]

    def delete(self, what: str, name: str) -> None:
        """Delete a queue (`queues`) or an exchange (`exchanges`)."""
        self._ask("DELETE", f"{what}/{_VHOST}/{name}", None)

    def permit(self, user: str, configure: str, write: str, read: str) -> None:
        """Give a user these rights and no others."""
        rights = {"configure": configure, "write": write, "read": read}
        self._ask("PUT", f"permissions/{_VHOST}/{user}", rights)

    def published(self, name: str) -> int:
        """How many messages were ever published into the queue, as its counter says."""
        stats = self.queue(name).get("message_stats") or {}
        return int(stats.get("publish", 0))

    def peek(self, name: str, count: int) -> list[dict[str, Any]]:
        """Messages that wait, which stay where they are."""
        question = {"count": count, "ackmode": "ack_requeue_true", "encoding": "auto"}
        return list(self._ask("POST", f"queues/{_VHOST}/{name}/get", question))

    def publish(self, exchange: str, key: str, body: str) -> bool:
        """Whether the message reached a queue."""
        message = {
            "properties": {"delivery_mode": 2, "content_type": "application/json", "message_id": str(uuid4())},
            "routing_key": key,
            "payload": body,
            "payload_encoding": "string",
        }
        return bool(self._ask("POST", f"exchanges/{_VHOST}/{exchange}/publish", message)["routed"])

    def _ask(self, method: str, path: str, body: object) -> Any:
        credentials = f"{rabbitmq.ADMIN}:{secrets(self.layout)['RABBITMQ_ADMIN_PASSWORD']}".encode()
        request = urllib.request.Request(
            f"{rabbitmq.management_url(self.layout)}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")


def as_sync(settings: Settings) -> Connection:
    """A connection to the app's database as the daemon's own role, which the caller closes."""
    return psycopg2.connect(
        host=settings.platform_postgres_host,
        port=settings.platform_postgres_port,
        dbname=settings.platform_postgres_db,
        user=SYNC_ROLE,
        password=settings.c360_sync_password.get_secret_value(),
    )


_VHOST = quote(rabbitmq.VHOST, safe="")
