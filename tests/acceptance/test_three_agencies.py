"""Whatever people do in three agencies that share a company and their customers' names, nothing passes between them.

PROPERTY_EXAMPLES and PROPERTY_STEPS ask for more than `make test` does, PROPERTY_SEED for other ones (0: any).
PROPERTY_GOES_ON=1 prints what each act broke, and fails at the end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random, SystemRandom
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from demo.databases import odoo_database
from sync_daemon.config import Settings
from tests.acceptance import acts
from tests.acceptance.acts import Act
from tests.acceptance.agencies import World, nobodys_partners, populate
from tests.acceptance.breaches import breaches_in_app, breaches_in_odoo, money_unsaid
from tests.acceptance.command import c360
from tests.acceptance.parties import App, Odoo

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "2"))
STEPS = int(os.environ.get("PROPERTY_STEPS", "2"))
ACTS = 6
SEED = int(os.environ.get("PROPERTY_SEED", "10")) or SystemRandom().randrange(1, 2**31)
GOES_ON = os.environ.get("PROPERTY_GOES_ON") == "1"
LUCK = st.integers(0, 2**32)
ROUNDS = 2

BOUNDED = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    # an example takes many seconds; what led to a fault is printed, and what is seen after each act names the act
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
GROUPS = {
    acts.SALES: ["sales_team.group_sale_salesman_all_leads", "base.group_partner_manager"],
    acts.INVOICES: ["account.group_account_invoice", "sales_team.group_sale_salesman_all_leads"],
}


class People(RuleBasedStateMachine):
    """Three agencies, and everybody at work in one Odoo."""

    world: World

    @initialize(number=LUCK)
    def begins(self, number: int) -> None:
        """Records that both sides have, and people who work with them: no example is empty."""
        self.world.history.clear()
        populate(self.world, Random(f"{SEED} {number}"))
        nobodys_partners(self.world)
        _drain()
        self._do(acts.OPENING, number)
        for place, group in enumerate((acts.ON_LEADS, acts.ON_CONTACTS, acts.ON_BOOKS)):
            self._work(group, number + place)

    @rule(number=LUCK)
    def salespeople_work(self, number: int) -> None:
        self._work(acts.ON_LEADS, number)

    @rule(number=LUCK)
    def contacts_change(self, number: int) -> None:
        self._work(acts.ON_CONTACTS, number)

    @rule(number=LUCK)
    def accountants_work(self, number: int) -> None:
        self._work(acts.ON_BOOKS, number)

    @rule(number=LUCK)
    def the_app_and_the_bridge_work(self, number: int) -> None:
        self._work(acts.IN_THE_APP, number)
        _drain(rounds=1)

    def _work(self, choices: Sequence[Act], number: int) -> None:
        """Some acts; hypothesis has no say in them, because few examples would be much alike."""
        self._do(Random(f"{SEED} {number}").choices(choices, k=ACTS), number)

    def _do(self, chosen: Sequence[Act], number: int) -> None:
        luck = Random(f"{SEED} {number} acts")
        for act in chosen:
            self.world.history.append(f"-- {act.__name__}")
            act(self.world, luck)
            self._look(breaches_in_odoo(self.world))

    def teardown(self) -> None:
        _drain()
        self._look([*breaches_in_odoo(self.world), *breaches_in_app(self.world), *money_unsaid(self.world)])

    def _look(self, found: Sequence[str]) -> None:
        """What is new since the last look is the last act's."""
        world = self.world
        new = [breach for breach in found if breach not in world.breaches]
        world.breaches.update(found)
        if new and GOES_ON:
            last = max((place for place, line in enumerate(world.history) if line.startswith("--")), default=0)
            print("\n".join(["", *world.history[last:], "  then:", *(f"  {breach}" for breach in new[:8])]))
        assert GOES_ON or not new, "\n".join([*world.history, "then:", *new])


def _drain(rounds: int = ROUNDS) -> None:
    for _ in range(rounds):
        c360("drain", expect=None)


@pytest.fixture
def world(make_app: Callable[[], App], odoo: Odoo, accountant: Odoo, stack_settings: Settings) -> Iterator[World]:
    """Gives three agencies, their words, and the people who work for them."""
    run = uuid4().hex[:6]
    apps = [make_app() for _ in range(3)]
    words = {str(app.tenant): f"{name}{run}" for app, name in zip(apps, ("kudu", "ibex", "oryx"), strict=True)}
    people = {"admin": odoo, acts.BOOKS: accountant, **{name: _hired(odoo, name, run) for name in GROUPS}}
    _give_rates(odoo)
    with odoo_database(stack_settings) as reader:
        # each look sees what was committed before it, and holds nothing back
        reader.autocommit = True
        yield World(stack_settings, {str(app.tenant): app for app in apps}, words, people, reader, Counter())


def _hired(odoo: Odoo, name: str, run: str) -> Odoo:
    """A user of Odoo with these groups and no more."""
    groups = [odoo.call("ir.model.data", "check_object_reference", *group.split("."))[1] for group in GROUPS[name]]
    base = odoo.call("ir.model.data", "check_object_reference", "base", "group_user")[1]
    login, password = f"{name}-{run}", uuid4().hex
    values = {"name": name, "login": login, "password": password, "group_ids": [[6, 0, [base, *groups]]]}
    odoo.call("res.users", "create", [values], context={"no_reset_password": True})
    return Odoo(odoo.settings, login, password)


def _give_rates(odoo: Odoo) -> None:
    for code, rate in (("ZAR", 18.5), ("USD", 1.0)):
        [currency] = odoo.call("res.currency", "search", [["name", "=", code]])
        day = [["currency_id", "=", currency], ["name", "=", "2020-01-01"]]
        if not odoo.call("res.currency.rate", "search", day):
            odoo.call("res.currency.rate", "create", [{"currency_id": currency, "name": "2020-01-01", "rate": rate}])


@pytest.mark.acceptance("C4", "C8")
def test_whatever_people_do_nothing_passes_between_agencies_and_money_adds_up(world: World) -> None:
    print(f"{EXAMPLES} examples of {STEPS} steps; once more: PROPERTY_SEED={SEED}")
    machine = type("PeopleOfThree", (People,), {"world": world})
    run_state_machine_as_test(seed(SEED)(machine), settings=BOUNDED)
    print("\n".join(f"{number:>4} {what}" for what, number in sorted(world.seen.items())))
    if GOES_ON:
        print("\n".join(f"{number:>4} {why}" for why, number in sorted(world.reasons.items())))
    assert not world.breaches
