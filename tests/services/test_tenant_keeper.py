"""The keeper of tenants: one that cannot be made whole costs nobody anything, is said once, and recovers by itself."""

from __future__ import annotations

from collections import Counter
from uuid import UUID, uuid4

import pytest

from sync_daemon.errors import FatalError, TransientError, UnavailableError
from sync_daemon.parts.contents import Contents
from sync_daemon.services.push import Pusher
from sync_daemon.services.tenants import LONGEST_PAUSE, Step, TenantKeeper
from tests.memory import app as in_memory
from tests.memory.brake import Brake
from tests.memory.odoo import Odoo
from tests.memory.odoo_transport import Transport, open_odoo
from tests.ports.platform import InMemory

ROUNDS, ROUND_SECONDS = 100, 5.0


class Tenants:
    """Tenants of an app in memory, a keeper that attaches them, and what it reports."""

    def __init__(self) -> None:
        self.platform = InMemory()
        self.odoo = Odoo(self.platform.clock)
        self.tries: Counter[UUID] = Counter()
        self.problems: dict[UUID, str] = {}
        self.reported: list[tuple[UUID, Step, str]] = []
        self.now = 0.0
        contents = Contents(None, self.platform.contents, 0, "", 1)
        ports = self.platform.outbox, self.platform.rows, self.platform.ledger
        brake = Brake(in_memory.Database(self.platform.server))
        pusher = Pusher("main", *ports, open_odoo(Transport(self.odoo), uuid4()), contents, 10, brake)
        self.keeper = TenantKeeper(
            self.platform.registry,
            self.platform.outbox,
            pusher,
            self._attach,
            lambda *report: self.reported.append(report),
            lambda: self.now,
        )

    def _attach(self, tenant: UUID) -> None:
        self.tries[tenant] += 1
        if problem := self.problems.get(tenant):
            raise FatalError(problem)
        in_memory.serve(self.platform.server, tenant, state="creating")

    def state(self, tenant: UUID) -> str:
        return self.platform.server.state.tenants[tenant].state

    def pass_rounds(self, number: int = ROUNDS) -> int:
        """Rounds as the daemon makes them; how many found something to do."""
        busy = 0
        for _ in range(number):
            busy += bool(self.keeper.run_once().done)
            self.now += ROUND_SECONDS
        return busy


@pytest.fixture
def tenants() -> Tenants:
    """Gives one tenant that is whole."""
    made = Tenants()
    made.pass_rounds(3)
    return made


@pytest.mark.reliability("F89")
def test_a_tenant_that_cannot_be_attached_is_tried_less_and_less_and_its_problem_is_reported_once(
    tenants: Tenants,
) -> None:
    bad = tenants.platform.register(is_attached=False)
    tenants.problems[bad] = "relation clients does not exist"
    assert tenants.pass_rounds() == 0
    assert 3 <= tenants.tries[bad] <= 6 + ROUNDS * ROUND_SECONDS / (LONGEST_PAUSE.total_seconds() / 2)
    assert tenants.reported == [(bad, Step.ATTACH, "relation clients does not exist")]


def test_another_problem_of_the_same_tenant_is_reported_again(tenants: Tenants) -> None:
    bad = tenants.platform.register(is_attached=False)
    for problem in ("no table", "no table", "no right"):
        tenants.problems[bad] = problem
        tenants.pass_rounds()
    assert [problem for _, _, problem in tenants.reported] == ["no table", "no right"]


@pytest.mark.reliability("F89")
def test_the_other_tenants_go_on_and_are_not_kept_waiting(tenants: Tenants) -> None:
    bad, good = tenants.platform.register(is_attached=False), tenants.platform.register(is_attached=False)
    tenants.problems[bad] = "relation clients does not exist"
    tenants.pass_rounds(3)
    assert tenants.state(good) == "active"
    assert tenants.state(bad) == ""


@pytest.mark.reliability("F89")
def test_it_is_attached_by_itself_once_that_is_possible(tenants: Tenants) -> None:
    bad = tenants.platform.register(is_attached=False)
    tenants.problems[bad] = "relation clients does not exist"
    tenants.pass_rounds()
    del tenants.problems[bad]
    tenants.pass_rounds(int(LONGEST_PAUSE.total_seconds() / ROUND_SECONDS) + 2)
    assert tenants.state(bad) == "active"
    assert tenants.keeper.trials == {}


def test_a_tenant_that_odoo_does_not_take_keeps_no_other_one_waiting(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, good = sorted(tenants.platform.register(is_attached=False) for _ in range(2))
    register = TenantKeeper.register

    def not_that_one(keeper: TenantKeeper, tenant: UUID) -> None:
        if tenant == refused:
            raise UnavailableError("Odoo did not take it")
        register(keeper, tenant)

    monkeypatch.setattr(TenantKeeper, "register", not_that_one)
    tenants.pass_rounds()
    assert (tenants.state(refused), tenants.state(good)) == ("creating", "active")
    assert tenants.reported == [(refused, Step.REGISTER, "Odoo did not take it")]


def test_tenants_are_registered_once_odoo_is_back(tenants: Tenants) -> None:
    tenant = tenants.platform.register(is_attached=False)
    tenants.odoo.is_away = True
    assert tenants.pass_rounds() == 1, "it was attached"
    tenants.odoo.is_away = False
    tenants.pass_rounds(int(LONGEST_PAUSE.total_seconds() / ROUND_SECONDS) + 2)
    assert tenants.state(tenant) == "active"


def test_a_database_that_is_away_is_the_whole_services_trouble(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise TransientError("the app's database: away")

    monkeypatch.setattr(tenants.platform.registry, "tenants", away)
    with pytest.raises(TransientError):
        tenants.keeper.run_once()
