"""Three agencies in one Odoo company that have customers of the same names, and the people in Odoo who work for all.

Each text that is one agency's own holds that agency's word; what they share holds none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from http.cookiejar import CookieJar
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener
from uuid import UUID, uuid4

from psycopg2.extensions import connection as Connection

from demo.databases import app_database
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError, RejectedError, TransientError
from sync_daemon.odoo import faults
from tests.acceptance.parties import App, Odoo

EMAIL = "tendai@mail.example"
PHONE = "+27 82 555 0001"
NUMBER = "4012345678"
CURRENCIES = ("ZAR", "USD")
NEWEST = 60

_RECORDS = {
    "crm.lead": "SELECT r.id, t.uuid FROM crm_lead r JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id",
    "res.partner": "SELECT r.id, t.uuid FROM res_partner r JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id",
    "x_commission": "SELECT r.id, t.uuid FROM x_commission r JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id",
    "account.move": "SELECT r.id, t.uuid FROM account_move r JOIN comply360_tenant t ON t.id = r.x_comply360_tenant_id",
}
_BILLS = """
    SELECT DISTINCT m.id, m.state, m.payment_state, m.move_type, t.uuid
      FROM account_move m
      JOIN account_move_line l ON l.move_id = m.id
      JOIN x_commission x ON x.id = l.x_comply360_commission_id
      JOIN comply360_tenant t ON t.id = x.x_comply360_tenant_id
     WHERE t.uuid = ANY(%s)
"""


@dataclass(frozen=True)
class Found:
    """A record of Odoo and the tenant it is of; none is nobody's."""

    id: int
    tenant: str | None


class Page:
    """What a signed-in page of Odoo asks the server for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()), ProxyHandler({}))

    def ask(self, route: str, parameters: Mapping[str, object]) -> Any:
        """One call. Raises: as the bridge's own calls."""
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": parameters}).encode()
        request = Request(f"{self._url}{route}", body, {"Content-Type": "application/json"})
        with self._opener.open(request, timeout=60) as response:
            answer = json.loads(response.read())
        if error := answer.get("error"):
            raise faults.of_exception(error["data"]["name"], error["data"]["message"])
        return answer["result"]


@dataclass
class World:
    """The agencies, the people, and what they did."""

    settings: Settings = field(repr=False)
    apps: Mapping[str, App]
    words: Mapping[str, str]
    people: Mapping[str, Odoo]
    reader: Connection = field(repr=False)
    seen: Counter[str]
    history: list[str] = field(default_factory=list)
    nobodys: list[int] = field(default_factory=list)
    plain_leads: list[int] = field(default_factory=list)
    breaches: set[str] = field(default_factory=set)
    reasons: Counter[str] = field(default_factory=Counter)
    pages: dict[str, Page] = field(default_factory=dict, repr=False)

    @property
    def tenants(self) -> list[str]:
        """The uuids."""
        return list(self.apps)

    def odoo(self, statement: str, values: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Rows of Odoo's database."""
        with self.reader.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def records(self, model: str) -> list[Found]:
        """The tenants' newest records of a model."""
        order = f"{_RECORDS[model]} WHERE t.uuid = ANY(%s) ORDER BY r.id DESC LIMIT {NEWEST}"
        return [Found(*row) for row in self.odoo(order, [self.tenants])]

    def partners(self) -> list[Found]:
        """Partners of the tenants and of nobody."""
        return [*self.records("res.partner"), *(Found(number, None) for number in self.nobodys)]

    def leads(self) -> list[Found]:
        """Leads of the tenants, and their copies, which are of nobody."""
        return [*self.records("crm.lead"), *(Found(number, None) for number in self.plain_leads)]

    def bills(self, **wanted: str) -> list[Found]:
        """Vendor bills with commissions of the tenants, such as those in a state."""
        rows = self.odoo(_BILLS, [self.tenants])
        names = ("state", "payment_state", "move_type")
        return [
            Found(row[0], row[4]) for row in rows if wanted.items() <= dict(zip(names, row[1:4], strict=True)).items()
        ]

    def word(self, luck: Random, tenant: str | None) -> str:
        """A text that only this tenant may know; nobody's is known to all."""
        return f"{self.words[tenant] if tenant else 'open'} {luck.randrange(1000)}"

    def does(self, who: str, model: str, method: str, *arguments: object, **named: object) -> Any:
        """A public method that a person calls; None where Odoo refuses it."""
        said = f"{who}: {model}.{method}{arguments}{named or ''}"
        return self._tried(said, f"{model} {method}", lambda: self.people[who].call(model, method, *arguments, **named))

    def asks(self, who: str, route: str, **parameters: object) -> Any:
        """A route that a page of Odoo calls; None where Odoo refuses it."""

        return self._tried(f"{who}: {route} {parameters}", route, lambda: self._page(who).ask(route, parameters))

    def _page(self, who: str) -> Page:
        if who not in self.pages:
            person = self.people[who]
            self.pages[who] = Page(self.settings.odoo_url)
            self.pages[who].ask(
                "/web/session/authenticate",
                {"db": self.settings.odoo_database, "login": person.login, "password": person.password},
            )
        return self.pages[who]

    def _tried(self, said: str, kind: str, act: Any) -> Any:
        self.history.append(said)
        try:
            found = act()
        except (RejectedError, FatalError) as error:
            self.seen[f"refused: {kind}"] += 1
            self.reasons[f"{kind}: {error}"[:200]] += 1
            self.history[-1] += f" -> {error}"
            return None
        except TransientError as error:
            # no refusal: Odoo's code itself broke
            self.seen[f"broke: {kind}"] += 1
            self.reasons[f"{kind}: BROKE {error}"[:200]] += 1
            self.history[-1] += f" -> BROKE {error}"
            return None
        self.seen[f"done: {kind}"] += 1
        return found if found is not None else True

    def run(self, tenant: str, statement: str, values: Sequence[object]) -> None:
        """A statement of the app, in a transaction of its own."""
        self.history.append(f"app of {self.words[tenant]}: {' '.join(statement.split())} {list(map(str, values))}")
        self.apps[tenant].run(statement, values)
        self.seen["done: the app"] += 1


def populate(world: World, luck: Random) -> None:
    """Each agency gets the same customers, whose other texts are its own, and commissions on their registrations."""
    for tenant, app in world.apps.items():
        word = world.words[tenant]
        with app_database(world.settings) as connection:
            agent = _agent(app, connection, word)
            for client in _clients(word):
                row = {**client, "id": uuid4(), "tenant_id": app.tenant}
                _insert(app, connection, "clients", row)
                for status in ("approved", "submitted") if client["email"] == EMAIL else ("approved",):
                    registration = _registration(app, row, word, status)
                    _insert(app, connection, "registrations", registration)
                    _insert(app, connection, "commissions", _commission(app, registration, agent, luck))
                    _insert(app, connection, "documents", _document(world.settings, app, registration, word))


def nobodys_partners(world: World) -> None:
    """A company and a person that people entered in Odoo, with what all customers share."""
    values = [
        {"name": "Shared Holdings", "is_company": True, "email": EMAIL, "phone": PHONE},
        {"name": "Tendai Moyo", "email": EMAIL, "phone": PHONE},
    ]
    made = world.does("admin", "res.partner", "create", values)
    world.nobodys.extend(made or [])


def _agent(app: App, connection: Any, word: str) -> UUID:
    if not app.agents:
        identity = uuid4()
        row = {"id": identity, "tenant_id": app.tenant, "email": EMAIL, "first_name": "Chipo", "last_name": word}
        _insert(app, connection, "users", {**row, "phone": PHONE, "mobile": word})
        _insert(app, connection, "user_roles", {"user_id": identity, "role": "agent"})
        app.agents.append(identity)
    return app.agents[0]


def _clients(word: str) -> list[dict[str, Any]]:
    own = {
        "street_address": f"{word} street\n{word} floor",
        "city": f"{word} city",
        "state_province": f"{word} province",
    }
    shared = {"email": EMAIL, "phone": PHONE, "tax_number": NUMBER, "country": "ZA"}
    return [
        {**own, **shared, "client_type": "individual", "full_name": "Tendai Moyo", "postal_code": f"{word} 1"},
        {**own, **shared, "client_type": "company", "company_name": "Baobab Trading", "mobile": f"{word} mobile"},
        {
            **own,
            "client_type": "individual",
            "full_name": f"{word} Ncube",
            "email": f"{word}@mail.example",
            "phone": f"{word} phone",
            "tax_number": f"{word} number",
        },
    ]


def _registration(app: App, client: Mapping[str, Any], word: str, status: str) -> dict[str, Any]:
    name = "Baobab Trading" if client["email"] == EMAIL else f"{word} Mining"
    return {
        "id": uuid4(),
        "tenant_id": app.tenant,
        "client_id": client["id"],
        "registration_type": "pty_ltd",
        "company_name": name,
        "registration_number": "2026/000001/07",
        "jurisdiction": "ZA",
        "status": status,
        "cipc_reference": f"{word} reference",
    }


def _commission(app: App, registration: Mapping[str, Any], agent: UUID, luck: Random) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "tenant_id": app.tenant,
        "registration_id": registration["id"],
        "agent_id": agent,
        "registration_fee": Decimal("1000.40"),
        "commission_rate": Decimal("12.50"),
        "commission_amount": Decimal(luck.randrange(100, 99999)) / 100,
        "currency": luck.choice(CURRENCIES),
    }


def _document(settings: Settings, app: App, registration: Mapping[str, Any], word: str) -> dict[str, Any]:
    """A passport in the app's storage, whose content is the agency's own."""
    identity = uuid4()
    path = Path(urlsplit(settings.c360_storage_root).path) / str(app.tenant) / f"{identity}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{word} passport")
    return {
        "id": identity,
        "tenant_id": app.tenant,
        "registration_id": registration["id"],
        "document_type": "id_document",
        "file_name": f"{word} passport.txt",
        "file_size": path.stat().st_size,
        "mime_type": "text/plain",
        "storage_path": f"{app.tenant}/{path.name}",
        "status": "verified",
    }


def _insert(app: App, connection: Any, table: str, row: Mapping[str, Any]) -> None:
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    app.on(connection, f"INSERT INTO {{t}}.{table} ({columns}) VALUES ({places})", list(row.values()))
