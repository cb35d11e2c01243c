"""What is owed, in memory."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.errors import BusyError
from tests.memory.app import Database, DeadLetter, Delivery, Mark, State, Tenant, changed, mark

PER_TENANT_IN_FLIGHT = 1_000
IN_FLIGHT = 5_000
LARGEST_EDIT = 1_000
PEOPLE_LATER = timedelta(milliseconds=200)
SERVED = ("active", "suspended")


class Outbox:
    """Marks and deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self, limit: int) -> int:
        """Turn marks into owed records, tenants in turn, about `limit` of each; how many marks were touched."""
        with self._database.transaction() as state:
            if not state.marks:
                return 0
            if limit > self._database.server.collectable:
                raise BusyError("the app's database: canceling statement due to statement timeout")
            taken, state.marks[:] = _shares(state.marks, limit)
            for marked in _compact(taken):
                self._collect(state, marked)
            reached(CrashPoint.RELAY_COLLECTING)
        reached(CrashPoint.RELAY_COLLECTED)
        return len(taken)

    def _collect(self, state: State, marked: Mark) -> None:
        owner = next((tenant for tenant in state.tenants.values() if tenant.schema == marked.schema), None)
        if owner is None or not owner.state:
            return
        key = RecordKey(marked.tenant, marked.entity, marked.ids[0])
        if owner.id == marked.tenant:
            self._owe(state, key, owner, marked)
            return
        letter = self._foreign(state, key, owner)
        issue = RecordKey(owner.id, Entity.ISSUE, letter.id)
        self._owe(state, issue, owner, dataclasses.replace(marked, lane=Lane.LIVE))

    def _owe(self, state: State, key: RecordKey, owner: Tenant, marked: Mark) -> None:
        now, version = self._database.now, self._database.server.draw()
        known = state.deliveries.get(key)
        if known is None:
            due = now + PEOPLE_LATER if key.entity in (Entity.CLIENT, Entity.USER) else now
            state.deliveries[key] = Delivery(
                key, owner.schema, owner.instance, version, marked.lane, marked_at=marked.at, due_at=due
            )
            return
        lane = Lane.LIVE if Lane.LIVE in (known.lane, marked.lane) else Lane.BULK
        due = now if known.published_at is None else known.due_at
        changed(state, key, version=version, lane=lane, attempts=0, due_at=due)

    def _foreign(self, state: State, key: RecordKey, owner: Tenant) -> DeadLetter:
        now = self._database.now
        message = (
            f"{key.entity} {key.record_id} in schema {owner.schema} names the tenant {key.tenant}, but the schema "
        )
        message += f"belongs to tenant {owner.id}"
        new = DeadLetter(
            self._database.server.new_uuid(),
            owner.id,
            Direction.APP_TO_ODOO,
            key.entity,
            str(key.record_id),
            "tenant_id",
            "",
            "foreign_tenant",
            message,
            str(key.tenant),
            1,
            now,
            now,
        )
        before = state.letters.get((owner.id, Direction.APP_TO_ODOO, key.entity, str(key.record_id), "tenant_id"))
        if before is not None:
            new = dataclasses.replace(new, id=before.id, first_at=before.first_at, attempts=before.attempts + 1)
        state.letters[new.name] = new
        return new

    def owes(self) -> bool:
        """Whether a tenant that is served owes anything, due or not."""
        with self._database.transaction() as state:
            owing = {item.key.tenant for item in state.deliveries.values() if not item.is_dead}
            return any(tenant.id in owing and tenant.state in SERVED for tenant in state.tenants.values())

    def claim(self, lane: Lane, lease: timedelta) -> Mapping[str, list[RecordKey]]:
        """Due records by Odoo instance, not offered again before `lease` is over."""
        claimed: defaultdict[str, list[RecordKey]] = defaultdict(list)
        with self._database.transaction() as state:
            now = self._database.now
            for key in self._due(state, lane):
                changed(state, key, published_at=now, due_at=now + lease)
                claimed[state.deliveries[key].instance].append(key)
            if claimed:
                reached(CrashPoint.RELAY_CLAIMING)
        return dict(claimed)

    def _due(self, state: State, lane: Lane) -> list[RecordKey]:
        """Tenants in turn, within what may be in flight."""
        now = self._database.now
        busy: defaultdict[UUID, int] = defaultdict(int)
        for delivery in state.deliveries.values():
            busy[delivery.key.tenant] += delivery.published_at is not None and delivery.due_at > now
        turns: list[tuple[int, RecordKey]] = []
        for tenant in state.tenants.values():
            if tenant.state not in SERVED or (tenant.id, Direction.APP_TO_ODOO) in state.paused:
                continue
            ready = [item for item in state.deliveries.values() if _is_due(item, tenant, lane, self._database)]
            ready.sort(key=lambda item: item.due_at)
            most = max(0, PER_TENANT_IN_FLIGHT - busy[tenant.id])
            turns += [(turn, item.key) for turn, item in enumerate(ready[:most])]
        turns.sort(key=lambda item: item[0])
        return [key for _, key in turns[: max(0, IN_FLIGHT - sum(busy.values()))]]

    def release(self, instance: str, keys: Iterable[RecordKey]) -> None:
        """Give claimed records back at once."""
        with self._database.transaction() as state:
            for key in _of_instance(state, instance, keys):
                changed(state, key, published_at=None, due_at=self._database.now)

    def owe(self, keys: Iterable[RecordKey]) -> None:
        """Owe records that nobody marked."""
        with self._database.transaction() as state:
            owe(self._database, state, keys)

    def begin_attempt(self, instance: str, keys: Iterable[RecordKey]) -> frozenset[RecordKey]:
        """Count an attempt before the call is made; gives the records that are still owed."""
        with self._database.transaction() as state:
            begun = frozenset(_of_instance(state, instance, keys))
            for key in begun:
                attempts = state.deliveries[key].attempts + 1
                changed(state, key, attempts=attempts, sent_at=self._database.now)
            return begun

    def mark(self, keys: Iterable[RecordKey], lane: Lane = Lane.LIVE) -> int:
        """Mark records as a trigger would; how many were marked."""
        with self._database.transaction() as state:
            return mark(self._database.server, state, keys, lane)

    def draw(self) -> int:
        """A version number greater than all that were drawn before."""
        with self._database.transaction():
            return self._database.server.draw()


def owe(database: Database, state: State, keys: Iterable[RecordKey]) -> None:
    """Owe records within a transaction; those that are owed stay as they are."""
    for key in sorted(keys):
        tenant = state.tenants.get(key.tenant)
        if tenant is not None and tenant.state and key not in state.deliveries:
            now, version = database.now, database.server.draw()
            state.deliveries[key] = Delivery(key, tenant.schema, tenant.instance, version, Lane.LIVE, now, now)


def _is_due(delivery: Delivery, tenant: Tenant, lane: Lane, database: Database) -> bool:
    is_served = tenant.state == "active" or delivery.key.entity is Entity.TENANT
    is_tenants = delivery.key.tenant == tenant.id and delivery.lane is lane
    return is_tenants and is_served and not delivery.is_dead and delivery.due_at <= database.now


def _of_instance(state: State, instance: str, keys: Iterable[RecordKey]) -> list[RecordKey]:
    return [key for key in set(keys) if key in state.deliveries and state.deliveries[key].instance == instance]


def _shares(marks: Sequence[Mark], limit: int) -> tuple[list[Mark], list[Mark]]:
    """The parts of marks that are taken, and what is left."""
    turns: defaultdict[str, int] = defaultdict(int)
    fair: list[tuple[int, int, Mark]] = []
    left = list(marks[limit:])
    for place, one in enumerate(marks[:limit]):
        if turns[one.schema] < limit:
            fair.append((turns[one.schema], place, one))
        else:
            left.append(one)
        turns[one.schema] += min(len(one.ids), limit)
    taken, number = [], 0
    for _turn, _place, one in sorted(fair, key=lambda item: item[:2]):
        if number >= 2 * limit:
            left.append(one)
            continue
        number += min(len(one.ids), limit)
        lane = Lane.BULK if one.size > LARGEST_EDIT else one.lane
        taken.append(dataclasses.replace(one, ids=one.ids[:limit], lane=lane))
        if len(one.ids) > limit:
            left.append(dataclasses.replace(one, ids=one.ids[limit:], whole=one.size))
    return taken, sorted(left, key=lambda item: item.at)


def _compact(marks: Iterable[Mark]) -> list[Mark]:
    """One mark per record: the live lane wins, and the first time."""
    found: dict[tuple[str, RecordKey], Mark] = {}
    for one in marks:
        for record_id in one.ids:
            name = one.schema, RecordKey(one.tenant, one.entity, record_id)
            before = found.get(name)
            lane = Lane.LIVE if before and before.lane is Lane.LIVE else one.lane
            at = before.at if before else one.at
            found[name] = dataclasses.replace(one, ids=(record_id,), lane=lane, at=at)
    return [found[name] for name in sorted(found, key=lambda name: name[1])]
