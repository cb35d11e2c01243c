"""Any edits on both sides, the daemon coming and going: after quiet both sides agree, or a person has been told.

PROPERTY_EXAMPLES asks for more than the few of `make test`; PROPERTY_SEED for the same ones again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random, SystemRandom
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync_daemon.errors import RejectedError
from tests.acceptance import sides, values
from tests.acceptance.command import c360, daemon, kill, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.sides import Sides

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "3"))
SEED = int(os.environ.get("PROPERTY_SEED", "0")) or SystemRandom().randrange(1, 2**31)
STEPS = 5
EDITS = 12
LUCK = st.integers(0, 2**32)
ROUNDS = 4
"""So often the bridge may work before there is nothing left to do: what it finds may be news to the other side."""

BOUNDED = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    # an example takes seconds, and a smaller one would take as many
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)

FURTHER = {"pending": 0, "approved": 1, "paid": 2}
ODOO_FIELDS = {"tax_number": "vat", "postal_code": "zip"}
APP_COLUMNS = {"name": "full_name", "street": "street_address"}
Told = tuple[str, UUID, str]
"""Entity, id and field of what people have been told; the field is empty where it is the whole record."""
CLIENT_OF = "id = (SELECT client_id FROM {t}.registrations WHERE id = %s)"
STEP_NAMES = ("action_approve", "mark_paid", "action_cancel", "action_reset")


class Edited(RuleBasedStateMachine):
    """One tenant, people on both sides, and a daemon that is there at times."""

    make_app: Callable[[], App]
    odoo: Odoo
    log: Path
    seen: Counter[str]

    records: list[UUID]

    def __init__(self) -> None:
        super().__init__()
        self.app = type(self).make_app()
        self.records = []
        self.process = ExitStack()
        self.is_running = False
        self.was_running = False
        self.agent = self.app.agent()
        self.before: Sides | None = None
        self.paid: dict[str, set[UUID]] = {"app": set(), "odoo": set()}
        self.told: set[Told] = set()

    @initialize(number=LUCK)
    def begins(self, number: int) -> None:
        """Records that both sides have, and edits of them while no daemon runs: no example is empty."""
        self.records = [self._register("approved"), self._register("approved"), self._register("submitted")]
        self.is_quiet()
        for place, record in enumerate(self.records):
            self.edits_the_same_on_both_sides(Random(f"{SEED} {number} {place}"), record)
        self.people_work(number)
        self.is_quiet()

    @rule(number=LUCK)
    def people_work(self, number: int) -> None:
        """A dozen edits, on either side; hypothesis has no say in them: few examples would be much alike."""
        luck = Random(f"{SEED} {number}")
        for _ in range(EDITS):
            luck.choice(EDITS_OF_PEOPLE)(self, luck, luck.choice(self.records))

    # -- the app -------------------------------------------------------------------------------------------------

    def registers(self, luck: Random, _record: UUID) -> None:
        self.records.append(self._register(luck.choice(values.STATUSES)))

    def edits_client(self, luck: Random, record: UUID) -> None:
        self._update("clients", CLIENT_OF, record, values.some_of(luck, values.CLIENT))

    def edits_registration(self, luck: Random, record: UUID) -> None:
        self._update("registrations", "id = %s", record, values.some_of(luck, values.REGISTRATION))

    def edits_agent(self, luck: Random, _record: UUID) -> None:
        self._update("users", "id = %s", self.agent, values.some_of(luck, values.USER))

    def decides_in_the_app(self, luck: Random, record: UUID) -> None:
        status = luck.choice(values.COMMISSION_STATUSES)
        changes = {"status": status, **({"payment_reference": values.text(255)(luck)} if status == "paid" else {})}
        moments = {"approved": ", approved_at = now()", "paid": ", paid_at = now()"}.get(status, "")
        # the app's own rule: what is paid stays paid
        self._update("commissions", "registration_id = %s AND status <> 'paid'", record, changes, moments)

    def deletes_softly(self, luck: Random, record: UUID) -> None:
        table, which = luck.choice([("registrations", "id = %s"), ("clients", CLIENT_OF)])
        moment = luck.choice(["NULL", "now()"])
        self.app.run(f"UPDATE {{t}}.{table} SET deleted_at = {moment} WHERE {which}", [record])

    def deletes_for_good(self, _luck: Random, record: UUID) -> None:
        self.app.run("DELETE FROM {t}.commissions WHERE registration_id = %s", [record])
        for (client,) in self.app.run("DELETE FROM {t}.registrations WHERE id = %s RETURNING client_id", [record]):
            self.app.run("DELETE FROM {t}.clients WHERE id = %s", [client])

    # -- Odoo ----------------------------------------------------------------------------------------------------

    def edits_partner(self, luck: Random, record: UUID) -> None:
        changes = values.some_of(luck, values.IN_ODOO)
        self._edit_partner(record, {name: value or False for name, value in changes.items()})

    def decides_in_odoo(self, luck: Random, record: UUID) -> None:
        step, reference = luck.choice(STEP_NAMES), values.writable(255)(luck).strip() or "EFT 1"
        for (commission,) in self.app.run("SELECT id FROM {t}.commissions WHERE registration_id = %s", [record]):
            self._in_odoo("x_commission", step, ("commission", commission), *[reference] * (step == "mark_paid"))

    def unticks_the_lead(self, luck: Random, record: UUID) -> None:
        method = luck.choice(["action_comply360_opt_out", "action_comply360_opt_in"])
        self._in_odoo("crm.lead", method, ("registration", record))

    def edits_the_same_on_both_sides(self, luck: Random, record: UUID) -> None:
        changes = values.some_of(luck, values.IN_ODOO)
        self._edit_partner(record, {name: value or False for name, value in changes.items()})
        here = {APP_COLUMNS.get(name, name): values.IN_ODOO[name](luck) for name in changes}
        self._update("clients", CLIENT_OF, record, here)

    # -- the bridge ----------------------------------------------------------------------------------------------

    @rule()
    def daemon_starts(self) -> None:
        if not self.is_running:
            self.running = self.process.enter_context(daemon(self.log))
            self.is_running = self.was_running = True

    @rule(is_killed=st.booleans())
    def daemon_ends(self, is_killed: bool) -> None:
        if self.is_running and is_killed:
            kill(self.running)
        self.process.close()
        self.is_running = False

    @rule()
    def is_quiet(self) -> None:
        """Nobody edits any more: the bridge works off what there is, and what it leaves behind is looked at."""
        self.daemon_ends(is_killed=False)
        edited = sides.read(self.app)
        self._work()
        found = sides.read(self.app)
        told = self._told()
        _expect_no_twins(found)
        _expect_equal(found, told)
        _expect_complete(found, told)
        if self.before is not None and not self.was_running:
            self.seen["fields both had changed"] += _expect_merged(self.before, edited, found, told, self.told)
        self.before, self.told, self.was_running = found, told, False
        self.seen.update({"times of quiet": 1, "people told": len(told)})

    @invariant()
    def what_is_paid_stays_paid(self) -> None:
        found = sides.read(self.app)
        for side, records in (("app", found.app), ("odoo", found.odoo)):
            for key in self.paid[side]:
                assert records.get(("commission", key), {"status": "paid"})["status"] == "paid", (side, key)
            self.paid[side] |= {
                key
                for (entity, key), fields in records.items()
                if entity == "commission" and fields["status"] == "paid"
            }

    def teardown(self) -> None:
        try:
            if self.before is not None:
                self.is_quiet()
                self._expect_no_more_writes()
        finally:
            self.process.close()
            self.app.close()

    # -- parts ---------------------------------------------------------------------------------------------------

    def _register(self, status: str) -> UUID:
        [record] = self.app.register(status=status)
        self.app.commission(record)
        return record

    def _update(self, table: str, which: str, identity: UUID, changes: Mapping[str, Any], more: str = "") -> None:
        assigned = ", ".join(f"{column} = %s" for column in changes)
        self.app.run(f"UPDATE {{t}}.{table} SET {assigned}{more} WHERE {which}", [*changes.values(), identity])

    def _edit_partner(self, record: UUID, changes: Mapping[str, Any]) -> None:
        written = {ODOO_FIELDS.get(name, name): value for name, value in changes.items()}
        for (client,) in self.app.run("SELECT client_id FROM {t}.registrations WHERE id = %s", [record]):
            self._in_odoo("res.partner", "write", ("client", client), written)

    def _in_odoo(self, model: str, method: str, key: tuple[str, UUID], *arguments: object) -> None:
        """What a person does with a record that is there; what Odoo refuses did not happen."""
        for record in sides.read(self.app).ids.get(key, []):
            try:
                self.odoo.call(model, method, [record], *arguments)
            except RejectedError:
                self.seen[f"{model} {method} refused by Odoo"] += 1

    def _work(self) -> None:
        """Until the bridge finds nothing to do and writes nothing more."""
        for _ in range(ROUNDS):
            before = sides.fingerprint(self.app)
            assert printed("drain")["owed"] == 0
            if sides.fingerprint(self.app) == before:
                return
        pytest.fail(f"the bridge still writes after {ROUNDS} rounds without an edit")

    def _expect_no_more_writes(self) -> None:
        """Looking at every row once more, in either direction, writes nothing."""
        before = sides.fingerprint(self.app)
        c360("backfill", "--tenant", self.app.subdomain, "--restart")
        c360("drain", expect=None)
        after = sides.fingerprint(self.app)
        assert [row for row in after[0] if row not in before[0]] == [], "rows of the app were written anew"
        assert [row for row in after[1] if row not in before[1]] == [], "records of Odoo were written anew"

    def _told(self) -> set[Told]:
        told: set[Told] = set()
        for conflict in printed("conflict", "list", "--tenant", self.app.subdomain):
            told.add((conflict["entity"], UUID(conflict["record_id"]), conflict["field"]))
        for letter in printed("dead", "list", "--tenant", self.app.subdomain):
            if letter["code"] == "conflict":
                continue
            is_whole = letter["direction"] == "app_to_odoo" and letter["version"]
            told.add((letter["entity"], UUID(letter["record_id"]), "" if is_whole else letter["field"]))
        return told


EDITS_OF_PEOPLE = (
    # the first ones are the work of every day
    *[Edited.edits_client, Edited.edits_partner] * 3,
    Edited.edits_registration,
    Edited.decides_in_the_app,
    Edited.decides_in_odoo,
    Edited.registers,
    Edited.edits_agent,
    Edited.deletes_softly,
    Edited.deletes_for_good,
    Edited.unticks_the_lead,
    Edited.edits_the_same_on_both_sides,
)


def _expect_no_twins(found: Sides) -> None:
    assert [key for key, ids in found.ids.items() if len(ids) > 1] == [], "a record of the app is in Odoo twice"


def _expect_equal(found: Sides, told: set[Told]) -> None:
    """Whatever differs, a person has been told of, or has taken out of the sync."""
    for entity in ("user", "client", "registration", "commission"):
        for identity, app, odoo in found.pairs(entity):
            if identity in found.opted_out or (entity, identity, "") in told:
                continue
            different = {
                name: (app[name], odoo[name])
                for name in app.keys() & odoo.keys()
                if app[name] != odoo[name] and (entity, identity, name) not in told
            }
            assert not different, (entity, identity, different)


def _expect_complete(found: Sides, told: set[Told]) -> None:
    """What should flow is there, and what the app deleted is archived or said."""
    parked = {(entity, identity) for entity, identity, field in told if not field}
    missing = {key for key, fields in found.app.items() if fields["is_due"]} - found.odoo.keys() - parked
    assert not missing, f"missing in Odoo although nobody has been told: {missing}"
    for key in found.odoo.keys() - found.app.keys():
        is_set_aside = key[1] in found.opted_out or key in parked
        assert is_set_aside or found.odoo[key].get("active") is False, f"the app deleted {key}"


def _expect_merged(before: Sides, edited: Sides, found: Sides, told: set[Told], known: set[Told]) -> int:
    """Nobody worked while people edited: what one side changed stands, what both changed is a conflict; how many.

    Odoo keeps its values while it cannot take the app's record, of which people have been told as a whole.
    """
    disputed = 0
    for identity, app, odoo in found.pairs("client"):
        key = "client", identity
        if not all(key in side for side in (before.app, before.odoo, edited.app, edited.odoo)):
            continue
        for name in sides.TWO_WAY:
            agreed, here, there = before.app[key][name], edited.app[key][name], edited.odoo[key][name]
            if (*key, name) in known or agreed != before.odoo[key][name]:
                continue
            case = f"{key} {name}: agreed {agreed!r}, app {here!r}, Odoo {there!r}, then {app[name]!r}, {odoo[name]!r}"
            if here != there and agreed not in (here, there):
                assert (*key, name) in told and (app[name], odoo[name]) == (here, there), case
                disputed += 1
            elif (*key, name) not in told and not (there == agreed and (*key, "") in told):
                stands = here if there == agreed else there
                if name == "phone" and not stands:
                    stands = edited.app[key]["mobile"]
                assert app[name] == odoo[name] == stands, case
    return disputed


@pytest.mark.reliability("F68")
@pytest.mark.acceptance("C2", "C4")
def test_whatever_people_do_on_both_sides_nothing_is_lost_unsaid(
    make_app: Callable[[], App], odoo: Odoo, daemon_log: Path
) -> None:
    print(f"{EXAMPLES} examples; once more: PROPERTY_SEED={SEED}")
    seen: Counter[str] = Counter()
    parties = {"make_app": staticmethod(make_app), "odoo": odoo, "log": daemon_log, "seen": seen}
    run_state_machine_as_test(seed(SEED)(type("Edited", (Edited,), parties)), settings=BOUNDED)
    print(dict(seen))
