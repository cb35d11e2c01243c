"""Draining is over when nobody who can flow owes anything, on either side."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from sync_daemon.cli import drain
from sync_daemon.cli.drain import Left
from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.debt import Debt, debt
from sync_daemon.ports import OdooBacklog
from tests.unit.records import OTHER_TENANT, TENANT


@dataclass(frozen=True)
class Line:
    """One tenant's flow in one direction."""

    owed: int = 0
    direction: Direction = Direction.APP_TO_ODOO
    tenant: UUID = TENANT
    state: str = "active"
    paused: bool = False


BACK = Line(direction=Direction.ODOO_TO_APP)


def test_nothing_owed_is_no_debt() -> None:
    assert debt([Line(), BACK], [{}]) == Debt(open=0, paused=0)


def test_both_sides_count() -> None:
    assert debt([Line(3), BACK], [{TENANT: OdooBacklog(2, 0, None)}]) == Debt(open=5, paused=0)


def test_what_odoo_has_parked_waits_for_a_person_and_not_for_the_drain() -> None:
    assert debt([Line(), BACK], [{TENANT: OdooBacklog(0, 4, None)}]).open == 0


def test_suspended_and_paused_tenants_hold_nobody_up() -> None:
    paused = [Line(3, state="suspended"), Line(4, paused=True)]
    assert debt([*paused, Line(1)], [{}]) == Debt(open=1, paused=7)
    waiting = Line(direction=Direction.ODOO_TO_APP, paused=True)
    assert debt([Line(), waiting], [{TENANT: OdooBacklog(5, 0, None)}]) == Debt(open=0, paused=5)


def test_each_tenant_owes_its_own_and_every_odoo_is_asked() -> None:
    other = Line(direction=Direction.ODOO_TO_APP, tenant=OTHER_TENANT)
    sides = [{TENANT: OdooBacklog(1, 0, None)}, {OTHER_TENANT: OdooBacklog(2, 0, None)}]
    assert debt([BACK, other], sides) == Debt(open=3, paused=0)


def test_what_waits_to_be_published_holds_the_drain_up() -> None:
    left = Left(Debt(open=0, paused=0), events=3)
    assert not left.is_nothing
    assert left.words == "nothing is owed, 3 events wait to be published"
    assert Left(Debt(open=0, paused=7)).is_nothing


class _Both:
    """Both sides; what Odoo owes comes into the app right after the app was asked, once."""

    database = None

    def __init__(self) -> None:
        self.app, self.odoo = 0, 1
        self.registry = self
        self.instances = {"main": self}

    def flows(self) -> list[Line]:
        return [Line(self.app), BACK]

    def backlog(self) -> dict[UUID, OdooBacklog]:
        self.app, self.odoo = self.app + self.odoo, 0
        return {TENANT: OdooBacklog(self.odoo, 0, None)}


class _NoEvents:
    waiting = 0

    def __init__(self, _database: object) -> None:
        pass

    def backlog(self) -> _NoEvents:
        return self


def test_what_goes_over_while_both_sides_are_asked_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "OutgoingEvents", _NoEvents)
    bridge: Any = _Both()
    daemon: Any = SimpleNamespace(wait=lambda _seconds: True, loops=[])
    left = drain._wait(bridge, daemon, 60)
    assert left.debt == Debt(open=1, paused=0)
