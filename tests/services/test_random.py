"""Everything at once and at random, by a seed: people change both sides while neighbours fail and daemons die."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.rabbitmq.topology import HINTS_EXCHANGE
from tests.memory.broker import Queue
from tests.services.steps import Walker
from tests.services.test_repeats import MONEY
from tests.services.world import Daemon, World, deciding

STEPS = 600
SEEDS = range(10)
STATUSES = ("submitted", "in_review", "approved", "rejected", "cancelled")
METHODS = ("apply_batch", "pull_changes", "ack_changes", "put_content", "show_binding")
LATEST = "2026-02-03 09:30:00"
PHONES = (None, "+263 77 1", "+263 77 2")
TWO_WAY = {Entity.CLIENT: ("city", "phone"), Entity.COMMISSION: ("status", "payment_reference")}


class Chaos:
    """One run: two daemons at most, whose services are let on step by step, and what happens to them meanwhile."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)
        world.server.dice.seed(seed)
        # the jitter of every pause
        random.seed(seed)
        self.daemons = [Daemon(world, "one", batch=3), Daemon(world, "other", batch=3)]
        self.walkers: list[Walker] = []
        self.paid: set[RecordKey] = set()
        self.chosen: dict[RecordKey, dict[str, str]] = {}
        for _ in range(3):
            self.app_inserts()
        world.settle(*self.daemons)

    def step(self) -> None:
        """Something happens."""
        acts = self.acts()
        self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def acts(self) -> list[tuple[int, Callable[[], None]]]:
        """What may happen, by weight."""
        return [
            (60, self.let_on),
            (30, self.begin),
            (10, self.pass_time),
            (1, self.app_inserts),
            (8, self.app_changes),
            (8, self.odoo_changes),
            (3, self.lose_an_answer),
            (2, self.lose_a_hint),
            (2, self.double_a_hint),
            (2, self.kill),
            (1, self.neighbour_away),
        ]

    def let_on(self) -> None:
        """One of the services that are at work comes to its next step."""
        self.walkers = [walker for walker in self.walkers if not walker.is_done]
        if self.walkers:
            self.dice.choice(self.walkers).step()

    def begin(self) -> None:
        """A service of a daemon begins a round."""
        if len(self.walkers) < 4:
            daemon = self.dice.choice(self.daemons)
            service = self.dice.choice(list(daemon.services))
            self.walkers.append(Walker(self.world.server, lambda: daemon.run(service)))

    def pass_time(self) -> None:
        self.world.clock.advance(timedelta(seconds=self.dice.choice((0.1, 1, 10, 40))))

    def app_inserts(self) -> None:
        registration = self.world.registration(status=self.dice.choice(STATUSES))
        if self.dice.random() < 0.6:
            self.world.commission(registration)
        if self.dice.random() < 0.4:
            self.world.document(registration, self.dice.randbytes(20))

    def app_changes(self) -> None:
        key = self.one_of(Entity.REGISTRATION, Entity.CLIENT, Entity.COMMISSION)
        if key is None:
            return
        if key.entity is Entity.REGISTRATION:
            name = f"Firm {self.dice.randrange(1000)}"
            self.world.app.update(key, status=self.dice.choice(STATUSES), company_name=name)
        elif key.entity is Entity.CLIENT:
            self.world.app.update(key, city=self.city(key, "app") or None)
        else:
            amount = f"{self.dice.randrange(1, 1000)}.{self.dice.randrange(100):02}"
            self.world.app.update(key, commission_amount=amount)

    def odoo_changes(self) -> None:
        key = self.one_of(Entity.CLIENT, Entity.COMMISSION)
        if key is None or not self.world.people.sees(key):
            return
        if key.entity is Entity.CLIENT:
            self.world.people.write(key, city=self.city(key, "Odoo"))
        elif key not in self.paid:
            self.paid.add(key)
            self.world.people.write(key, status="paid", paid_at=LATEST, payment_reference=f"EFT {len(self.paid)}")

    def city(self, key: RecordKey, side: str) -> str:
        """A city that nobody has chosen before, or none; it is noted as this side's last word."""
        number = self.dice.randrange(1_000_000)
        chosen = f"City {number}" if number % 5 else ""
        self.chosen.setdefault(key, {})[side] = chosen
        return chosen

    def lose_an_answer(self) -> None:
        daemon = self.dice.choice(self.daemons)
        kind = self.dice.choice((daemon.transport.lost, daemon.transport.slow))
        kind[self.dice.choice(METHODS)] += 1

    def lose_a_hint(self) -> None:
        for queue in self.hints():
            if queue.waiting and self.dice.random() < 0.5:
                queue.waiting.popleft()

    def double_a_hint(self) -> None:
        for queue in self.hints():
            if queue.waiting:
                queue.waiting.append(self.dice.choice(queue.waiting))
                self.dice.shuffle(queue.waiting)

    def hints(self) -> list[Queue]:
        """The queues of hints."""
        return [queue for name, queue in self.world.broker.queues.items() if name.startswith(HINTS_EXCHANGE)]

    def kill(self) -> None:
        """A daemon dies at its next step, wherever that is; another one begins."""
        place = self.dice.randrange(len(self.daemons))
        dead, self.daemons[place] = self.daemons[place], Daemon(self.world, "next", batch=3)

        def die(_point: CrashPoint) -> None:
            dead.process.die()
            dead.process.check()

        with deciding(die):
            dead.round()
        dead.process.die()
        dead.transport.finish()

    def neighbour_away(self) -> None:
        away = self.dice.choice((self.world.server, self.world.broker, self.world.odoo))
        away.is_away = True
        for daemon in self.daemons:
            daemon.round()
        away.is_away = False

    def one_of(self, *entities: Entity) -> RecordKey | None:
        keys = [key for entity in entities for key in self.world.keys(entity)]
        return self.dice.choice(keys) if keys else None

    def end(self) -> None:
        """Whatever is under way comes to its end, and the world to rest."""
        for walker in self.walkers:
            walker.finish()
        for daemon in self.daemons:
            daemon.transport.lost.clear()
            daemon.transport.slow.clear()
            daemon.transport.finish()
        # hints that were lost are given again once their lease is over
        self.world.clock.advance(timedelta(minutes=1))
        self.world.settle(*self.daemons)


class Forms(Chaos):
    """The same where few values come and go, and rows are saved as somebody had read them long before."""

    def __init__(self, world: World, seed: int) -> None:
        self.forms: list[tuple[RecordKey, dict[str, object]]] = []
        super().__init__(world, seed)

    def acts(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (12, self.let_on),
            (6, self.begin),
            (12, self.go_round),
            (2, self.pass_time),
            (6, self.app_changes),
            (6, self.odoo_changes),
            (1, self.lose_an_answer),
            (1, self.kill),
        ]

    def go_round(self) -> None:
        """A daemon works undisturbed."""
        self.dice.choice(self.daemons).round()

    def city(self, key: RecordKey, side: str) -> str:
        return self.dice.choice(("", "Gweru", "Harare"))

    def app_changes(self) -> None:
        if self.forms and self.dice.random() < 0.5:
            of, form = self.forms.pop(self.dice.randrange(len(self.forms)))
            self.world.app.update(of, **form)
        elif (commission := self.one_of(Entity.COMMISSION)) is not None and self.dice.random() < 0.2:
            if self.world.row(commission)["status"] != "paid":
                self.world.app.update(commission, status=self.dice.choice(("pending", "cancelled")))
        else:
            super().app_changes()
        if (client := self.one_of(Entity.CLIENT)) is not None:
            contact = {"email": f"{self.dice.randrange(1000)}@example.org", "phone": self.dice.choice(PHONES)}
            name = self.dice.choice(list(contact))
            self.world.app.update(client, **{name: contact[name]})
        key = self.one_of(Entity.CLIENT, Entity.COMMISSION)
        if key is not None:
            columns = MONEY if key.entity is Entity.COMMISSION else ("city", "phone", "full_name")
            self.forms.append((key, {column: self.world.row(key)[column] for column in columns}))

    def odoo_changes(self) -> None:
        key = self.one_of(Entity.CLIENT, Entity.COMMISSION)
        shown = self.world.people.sees(key) if key is not None else {}
        if key is None or not shown or self.dice.random() < 0.3 or key in self.paid:
            super().odoo_changes()
        elif key.entity is Entity.CLIENT:
            self.world.people.write(key, phone=self.dice.choice(PHONES) or "")
        elif shown["status"] == "pending":
            self.world.people.write(key, status="approved", approved_at=LATEST)
        else:
            self.world.people.write(key, status="pending", approved_at="")


@pytest.mark.parametrize("seed", range(20))
def test_rows_saved_as_they_were_leave_no_difference_unsaid(world: World, seed: int) -> None:
    chaos = Forms(world, seed)
    for _ in range(STEPS):
        chaos.step()
    chaos.end()
    conflicts = set(world.server.state.conflicts)
    for key in [*world.keys(Entity.CLIENT), *world.keys(Entity.COMMISSION)]:
        shown, row = world.people.sees(key), world.row(key)
        names = TWO_WAY[key.entity] if shown else ()
        said = {name: (row[name] or "", shown[name]) for name in names if (key, name) not in conflicts}
        assert {name: app for name, (app, _) in said.items()} == {name: odoo for name, (_, odoo) in said.items()}
    for key in chaos.paid:
        if (key, "status") not in conflicts:
            assert world.row(key)["status"] == world.people.sees(key)["status"] == "paid"
    assert set(world.letters()) <= {"conflict"}


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_both_sides_come_to_agree(world: World, seed: int) -> None:
    chaos = Chaos(world, seed)
    for _ in range(STEPS):
        chaos.step()
    chaos.end()
    world.check_once()
    for key in world.keys(Entity.REGISTRATION):
        shown, row = world.people.sees(key), world.row(key)
        assert (shown["company_name"], shown["status"]) == (row["company_name"], row["status"])
    conflicts = set(world.server.state.conflicts)
    for key in world.keys(Entity.CLIENT):
        shown = world.people.sees(key)
        if shown and (key, "city") not in conflicts:
            assert shown["city"] == (world.row(key)["city"] or "")
            assert shown["city"] in chaos.chosen.get(key, {"nobody": ""}).values(), "nobody goes back to an older value"
    for key in world.keys(Entity.COMMISSION):
        shown, row = world.people.sees(key), world.row(key)
        assert Decimal(str(shown["commission_amount"])) == Decimal(str(row["commission_amount"])), "no cent is lost"
        assert shown["status"] == row["status"] == ("paid" if key in chaos.paid else row["status"])
        assert shown["payment_reference"] == (row["payment_reference"] or "")
    for key in world.keys(Entity.DOCUMENT):
        bound = world.people.bound(key)
        place = str(world.row(key)["storage_path"])
        assert world.odoo.state.files[bound.res_id] == world.files.content(place)
    events = [message.event for message in world.broker.drain("notifications") if message.event]
    paid = [event.subject for event in events if event.routing_key == "commission.paid"]
    assert set(paid) >= {f"commission/{key.record_id}" for key in chaos.paid}
    assert len({event.id for event in events if event.routing_key == "commission.paid"}) == len(chaos.paid)
    assert set(world.letters()) <= {"conflict"}
