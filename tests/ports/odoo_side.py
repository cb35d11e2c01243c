"""One app installation in Odoo as the tests of the port see it: in memory, or in the real one over a transport."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID, uuid4

from pydantic import SecretStr

from sync_daemon.config import Settings
from sync_daemon.domain.document import Document, Status, TwoWay
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.odoo import admin
from sync_daemon.odoo.client import RpcOdoo
from sync_daemon.odoo.client import open_odoo as open_real
from tests.memory.clock import Clock
from tests.memory.odoo import MAPPERS, Odoo
from tests.memory.odoo_people import People as PeopleInMemory
from tests.memory.odoo_transport import Transport, open_odoo
from tests.ports.proxy import Proxy


class People(Protocol):
    """What a manager does in Odoo, by wire names."""

    def write(self, record: RecordKey, **fields: str) -> None: ...

    def approve(self, record: RecordKey) -> None:
        """Approve a pending commission."""
        ...

    def unlink(self, record: RecordKey) -> None: ...

    def leave(self, record: RecordKey) -> None:
        """Take a lead out of the sync."""
        ...

    def join(self, record: RecordKey) -> None:
        """Put a lead back into the sync."""
        ...

    def passed(self, time: timedelta) -> None:
        """Lets time pass."""
        ...


@dataclass
class Installation:
    """An app installation of its own, with one tenant, which `register` makes known."""

    odoo: RpcOdoo
    people: People
    stranger: Callable[[], RpcOdoo]
    tenant: UUID
    number: int = 0

    def document(self, entity: Entity, record_id: UUID | None = None, /, **fields: str | bool) -> Document:
        """A document with the next version."""
        self.number += 1
        key = RecordKey(self.tenant, entity, record_id or uuid4())
        return Document(key, Version(1, self.number), fields)

    def client(self, **fields: str | bool) -> Document:
        """A client."""
        return self.document(Entity.CLIENT, **{"name": "A client", "is_company": True, "active": True, **fields})

    def lead(self, **fields: str | bool) -> Document:
        """A registration that was submitted."""
        kind = {"registration_type": "pty_ltd", "jurisdiction": "ZA", "status": "submitted"}
        given = {"company_name": "A company", **kind, "active": True, **fields}
        return self.document(Entity.REGISTRATION, **given)

    def commission(self) -> list[Document]:
        """A pending commission with everything it needs, parents first."""
        agent = self.document(Entity.USER, name="An agent", email="agent@example.com", active=True)
        client, lead = self.client(), self.lead()
        lead = replace(lead, refs={"client": (Entity.CLIENT, client.key.record_id)})
        amounts = {"registration_fee": "1000.00", "commission_rate": "12.50", "commission_amount": "125.00"}
        document = self.document(Entity.COMMISSION, **amounts, currency="ZAR")
        two_way = {"status": TwoWay("pending", None)}
        two_way |= {name: TwoWay("", None) for name in ("approved_at", "paid_at", "payment_reference")}
        refs = {"registration": (Entity.REGISTRATION, lead.key.record_id), "agent": (Entity.USER, agent.key.record_id)}
        return [agent, client, lead, replace(document, two_way=two_way, refs=refs)]

    def again(self, document: Document, **two_way: TwoWay) -> Document:
        """The same record with the next version and these two-way values."""
        self.number += 1
        return replace(document, version=Version(1, self.number), two_way={**document.two_way, **two_way})

    def register(self) -> None:
        """Make the tenant known."""
        subdomain = f"t{self.tenant.hex[:12]}"
        document = self.document(
            Entity.TENANT, self.tenant, name=f"Tenant {subdomain}", subdomain=subdomain, status="active"
        )
        [result] = self.odoo.apply_batch(uuid4(), [document])
        assert result.status is Status.CREATED


class InMemory:
    """A manager in the Odoo in memory."""

    def __init__(self, odoo: Odoo, installation: UUID) -> None:
        self._clock = odoo.clock
        people = PeopleInMemory(odoo, installation)
        self.write, self.unlink, self.leave, self.join = people.write, people.unlink, people.leave, people.join

    def approve(self, record: RecordKey) -> None:
        self.write(record, status="approved", approved_at="2026-02-01 08:00:00")

    def passed(self, time: timedelta) -> None:
        self._clock.advance(time)


class Real:
    """The administrator of the real Odoo."""

    def __init__(self, settings: Settings, odoo: RpcOdoo) -> None:
        self._administrator = _administrator(settings)
        self._odoo = odoo

    def write(self, record: RecordKey, **fields: str) -> None:
        rules = MAPPERS[record.entity.value].by_name
        self._call(record, "write", {rules[name].target: value for name, value in fields.items()})

    def approve(self, record: RecordKey) -> None:
        with self._administrator.session() as person:
            group = person.env.ref("comply360_bridge.group_accountant").id
            person.execute_kw("res.users", "write", [[person.env.uid], {"group_ids": [(4, group)]}])
        self._call(record, "action_approve")

    def unlink(self, record: RecordKey) -> None:
        self._call(record, "unlink")

    def leave(self, record: RecordKey) -> None:
        self._call(record, "action_comply360_opt_out")

    def join(self, record: RecordKey) -> None:
        self._call(record, "action_comply360_opt_in")

    def passed(self, time_: timedelta) -> None:
        time.sleep(time_.total_seconds())

    def _call(self, record: RecordKey, method: str, *arguments: object) -> None:
        bound = self._odoo.show_binding(record)
        with self._administrator.session() as person:
            person.execute_kw(bound.model, method, [[int(bound.res_id)], *arguments])


def in_memory(odoo: Odoo, selftest: bool = False) -> Installation:
    """A new installation in the Odoo in memory."""
    uuid = uuid4()
    opened = open_odoo(Transport(odoo), uuid, selftest=selftest)
    return Installation(opened, InMemory(odoo, uuid), lambda: open_odoo(Transport(odoo), uuid4()), uuid4())


def real(settings: Settings) -> Installation:
    """A new installation in the real Odoo, with a user of its own there."""
    odoo = _with_own_user(settings)
    return Installation(odoo, Real(settings, odoo), lambda: _with_own_user(settings), uuid4())


def _with_own_user(settings: Settings) -> RpcOdoo:
    installation = uuid4()
    login = _login(settings)
    with _administrator(settings).session() as person:
        arguments = {"login": login, "installation": str(installation)}
        key = person.execute_kw(admin.MODEL, "issue_key", [], arguments)["key"]
    own = settings.model_copy(update={"odoo_login": login, "odoo_api_key": SecretStr(key)})
    return open_real(own, installation)


# users that belong to installations of the running test, and those that no test needs any more
_taken: list[tuple[tuple[str, str], str]] = []
_free: list[tuple[tuple[str, str], str]] = []


def _login(settings: Settings) -> str:
    """A user of the bridge's that no other installation of this test has; to make one costs Odoo most of a second."""
    place = (settings.odoo_url, settings.odoo_database)
    login = next((login for where, login in _free if where == place), "")
    if login:
        _free.remove((place, login))
    else:
        login = _hired(settings)
    _taken.append((place, login))
    return login


def _hired(settings: Settings) -> str:
    login = f"comply360_{uuid4().hex[:12]}"
    with _administrator(settings).session() as person:
        groups = [person.env.ref(name).id for name in ("base.group_user", "comply360_bridge.group_service")]
        values = {"name": login, "login": login, "group_ids": [(6, 0, groups)], "notification_type": "inbox"}
        person.execute_kw("res.users", "create", [values], {"context": {"no_reset_password": True}})
    return login


def give_back() -> None:
    """The installations of a test are no longer needed: their users may belong to others."""
    _free.extend(_taken)
    _taken.clear()


_administrators: dict[tuple[str, str], admin.Person] = {}


def _administrator(settings: Settings) -> admin.Person:
    """The same for the whole run: it signs in once."""
    return _administrators.setdefault((settings.odoo_url, settings.odoo_database), admin.administrator(settings))


def through(settings: Settings, proxy: Proxy, **changes: object) -> Settings:
    """The same Odoo by way of a proxy."""
    return settings.model_copy(update={"odoo_url": f"http://127.0.0.1:{proxy.port}", **changes})


def fresh() -> Odoo:
    """An Odoo in memory without records."""
    return Odoo(Clock())
