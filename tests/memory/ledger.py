"""What became of a batch, written down in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey, Version
from sync_daemon.domain.pull_invoices import INVOICE_POINTER
from sync_daemon.domain.renamed import Renamed
from sync_daemon.domain.settlement import Applied, Dead, Dropped, Postponed, Settlement
from sync_daemon.domain.snapshot import BindingState, Owed, last_seen
from tests.memory.app import INSTANCE, Bound, Database, DeadLetter, Line, State, changed, mark
from tests.memory.letters import new, raise_letters, resolve_letters
from tests.memory.outbox import owe

APP_ROW_BUSY = timedelta(seconds=1)
UNDER_WAY = timedelta(seconds=1), "another call with it is under way"
PATIENCE = timedelta(minutes=2)
BUSY = "busy"
KEPT = "a trigger or a policy of the app left the row as it was"

DEPENDANTS = (
    (Entity.CLIENT, Entity.REGISTRATION, "client_id"),
    (Entity.USER, Entity.REGISTRATION, "assigned_to"),
    (Entity.USER, Entity.COMMISSION, "agent_id"),
    (Entity.REGISTRATION, Entity.COMMISSION, "registration_id"),
    (Entity.REGISTRATION, Entity.DOCUMENT, "registration_id"),
    (Entity.CLIENT, Entity.DOCUMENT, "client_id"),
)


class Ledger:
    """Settles batches, each in one transaction."""

    def __init__(self, database: Database, instance: str = INSTANCE) -> None:
        self._database = database
        self._instance = instance

    def settle(self, run: UUID, settlements: Sequence[Settlement]) -> None:
        """Write down one batch; a record whose app row is busy stays owed for its write-back."""
        with self._database.transaction() as state:
            _Settling(self._database, state, run).settle(settlements)
            reached(CrashPoint.PUSH_SETTLING)

    def learn(self, owed: Owed, state: BindingState, model: str, res_id: int) -> None:
        """Write down a binding that Odoo has and the app does not know, and mark what may go with it in sight."""
        key = owed.key
        with self._database.transaction() as now:
            taken = any(_is_at(bound, model, res_id) for bound in now.bindings.values())
            if key in now.bindings or (taken and state is BindingState.ACTIVE):
                return
            versions = Version(1, 0), "", Version(now.odoo_epoch, 0)
            now.bindings[key] = Bound(state, model, res_id, *versions, self._database.now)
            if state is BindingState.ACTIVE:
                mark_dependants(self._database, now, [key])

    def rename(self, renamed: Renamed, hand_over: Callable[[RecordKey, UUID], str]) -> None:
        """Let a record have its new id: first in Odoo, which may refuse, then here."""
        former, present = renamed.key, renamed.present
        with self._database.transaction() as state:
            if renamed not in state.renamed:
                return
            refusal = hand_over(former, renamed.record_id)
            state.renamed.remove(renamed)
            if not refusal:
                if former in state.bindings:
                    state.bindings[present] = state.bindings.pop(former)
                for key, name in [key for key in state.bases if key[0] == former]:
                    state.bases[present, name] = state.bases.pop((key, name))
                for key, name in [key for key in state.conflicts if key[0] == former]:
                    state.conflicts[present, name] = state.conflicts.pop((key, name))
                state.deliveries.pop(former, None)
            detail = {"former": str(former.record_id), **({"refused": refusal} if refusal else {})}
            state.lines.append(Line(None, present, Direction.APP_TO_ODOO, "renamed", "", detail))
            mark(self._database.server, state, [present])


class _Settling:
    """One transaction."""

    def __init__(self, database: Database, state: State, run: UUID) -> None:
        self._database = database
        self._state = state
        self._run = run

    def settle(self, settlements: Sequence[Settlement]) -> None:
        applied = [item for item in settlements if isinstance(item, Applied)]
        dropped = [item for item in settlements if isinstance(item, Dropped)]
        dead = [item for item in settlements if isinstance(item, Dead)]
        paired = {key for key, bound in self._state.bindings.items() if bound.state is BindingState.ACTIVE}
        done = [item.owed for item in settlements if isinstance(item, Applied | Dropped)]
        applied = [item for item in applied if not (item.is_answered and self._has_ended(item))]
        answered = [item for item in applied if item.is_answered]
        for item in answered:
            self._displace(item)
        for item in answered:
            self._bind(item)
        self._keep_bases(applied)
        written = {item.owed.key: self._write_back(item) for item in applied}
        busy = {key for key, found in written.items() if found is BUSY}
        unsent = [item.owed for item in settlements if isinstance(item, Applied | Dropped) and not item.is_answered]
        under_way = {owed.key for owed in unsent if self._is_under_way(owed)}
        kept_out = [found for found in written.values() if isinstance(found, DeadLetter)]
        for item in applied:
            self._point_at_invoice(item.owed.key)
        for owed in (owed for owed in done if owed.key not in busy | under_way):
            if self._is_current(owed):
                del self._state.deliveries[owed.key]
        postponed = [item for item in settlements if isinstance(item, Postponed)]
        busy_ones = [Postponed(item.owed, APP_ROW_BUSY, "the app is writing this row") for item in applied]
        waiting = [Postponed(owed, *UNDER_WAY) for owed in done if owed.key in under_way]
        self._postpone([*postponed, *(item for item in busy_ones if item.owed.key in busy), *waiting])
        self._mark_dead(dead)
        self._republish(settlements)
        self._letters(applied, dead, dropped, kept_out)
        new_pairs = {item.owed.key for item in answered} - paired
        for one in settlements:
            self._mark_dependants(one, one.owed.key in new_pairs)
        self._state.lines += [line for one in settlements if (line := _line(self._run, one))]
        for item in applied:
            self._state.succeeded[item.owed.key.tenant, Direction.APP_TO_ODOO] = self._database.now

    def _is_current(self, owed: Owed) -> bool:
        delivery = self._state.deliveries.get(owed.key)
        return delivery is not None and delivery.version == owed.version.number

    def _is_under_way(self, owed: Owed) -> bool:
        return self._is_current(owed) and self._state.deliveries[owed.key].attempts != owed.attempts

    def _has_ended(self, item: Applied) -> bool:
        """Whether the pair ended by a change in Odoo that was taken in after the document had been planned."""
        bound = self._state.bindings.get(item.owed.key)
        has_ended = bound is not None and bound.state in (BindingState.ALIAS, BindingState.UNLINKED)
        return has_ended and bound is not None and last_seen(bound.odoo_version) > item.last_seen_version

    def _displace(self, item: Applied) -> None:
        """Odoo gave its number away again: whoever was bound to it is asked for anew."""
        for key, bound in list(self._state.bindings.items()):
            if key != item.owed.key and _is_at(bound, item.model, item.res_id):
                del self._state.bindings[key]
                mark(self._database.server, self._state, [key])

    def _bind(self, item: Applied) -> None:
        key, version = item.owed.key, item.owed.version
        delivery = self._state.deliveries.get(key)
        is_sole = delivery is not None and self._is_current(item.owed) and delivery.attempts <= 1
        before = self._state.bindings.get(key)
        if before is not None and before.version > version:
            return
        self._state.bindings[key] = Bound(
            BindingState.TOMBSTONE if item.status is Status.REMOVED else BindingState.ACTIVE,
            item.model,
            item.res_id,
            version,
            item.digest if is_sole else "",
            before.odoo_version if before else Version(self._state.odoo_epoch, 0),
            self._database.now,
            item.outline,
        )

    def _keep_bases(self, applied: Iterable[Applied]) -> None:
        """A late answer does not replace a newer base."""
        for item in applied:
            for name, value in item.bases.items():
                before = self._state.bases.get((item.owed.key, name))
                if before is None or before.odoo == item.sent_over.get(name):
                    self._state.bases[item.owed.key, name] = value

    def _point_at_invoice(self, key: RecordKey) -> None:
        """Give a registration back the id of its newest invoice."""
        row, server = self._state.rows.get(key), self._database.server
        if (
            key.entity is not Entity.REGISTRATION
            or row is None
            or key in server.locked
            or server.has_writing_snapshots(key.tenant)
        ):
            return
        standing = [
            known.odoo_id
            for known in self._state.invoices.values()
            if known.columns["registration_id"] == str(key.record_id)
            if known.columns["kind"] == "invoice" and known.columns["state"] in ("draft", "posted")
        ]
        if standing and row[INVOICE_POINTER] != max(standing):
            self._state.rows[key] = {**row, INVOICE_POINTER: max(standing)}

    def _write_back(self, item: Applied) -> str | DeadLetter:
        """Copy Odoo's id into the app's row; BUSY while the app holds the row, a letter if it refuses."""
        key, column = item.owed.key, CONTRACTS[item.owed.key.entity].write_back
        row = self._state.rows.get(key)
        if not column or row is None or row[column] == item.res_id:
            return ""
        server, delivery = self._database.server, self._state.deliveries.get(key)
        is_recent = delivery is not None and delivery.marked_at > self._database.now - PATIENCE
        if key in server.locked or (server.has_writing_snapshots(key.tenant) and is_recent):
            return BUSY
        is_left = key.entity in self._state.left
        if is_left or (key.entity, column, str(item.res_id)) in self._state.refused:
            reason = KEPT if is_left else f"{column} violates a check constraint"
            message = f"the app refuses {column} of {key.entity} {key.record_id}, an id in Odoo: {reason}"
            direction = Direction.APP_TO_ODOO
            return new(self._database, direction, key, "refused_by_app", message, column, str(item.res_id))
        self._state.rows[key] = {**row, column: item.res_id}
        return ""

    def _postpone(self, postponed: Iterable[Postponed]) -> None:
        for item in postponed:
            if self._is_current(item.owed):
                due = self._database.now + item.pause
                changed(self._state, item.owed.key, published_at=None, due_at=due, last_error=item.message[:500])
            # one that another pusher settled meanwhile is still to be done
            owe(self._database, self._state, [item.owed.key])

    def _mark_dead(self, dead: Iterable[Dead]) -> None:
        for item in dead:
            if self._is_current(item.owed):
                version, error = item.owed.version.number, item.message[:500]
                changed(self._state, item.owed.key, published_at=None, dead_version=version, last_error=error)

    def _republish(self, settlements: Iterable[Settlement]) -> None:
        """Changed meanwhile: offered again at once."""
        for item in settlements:
            if item.owed.key in self._state.deliveries and not self._is_current(item.owed):
                changed(self._state, item.owed.key, published_at=None, due_at=self._database.now, attempts=0)

    def _letters(
        self,
        applied: Sequence[Applied],
        dead: Sequence[Dead],
        dropped: Sequence[Dropped],
        kept_out: Sequence[DeadLetter],
    ) -> None:
        direction, database = Direction.APP_TO_ODOO, self._database
        parked = [
            *kept_out,
            *(
                new(database, direction, item.owed.key, problem.code, problem.message, problem.field, problem.value)
                for item in applied
                for problem in item.parked
            ),
        ]
        raised = [
            dataclasses.replace(
                new(database, direction, item.owed.key, item.code, item.message, item.field, item.value),
                version=str(item.owed.version),
                attempts=max(item.owed.attempts, 1),
            )
            for item in dead
            if item.owed.key.entity is not Entity.ISSUE
        ]
        done = [*(item.owed.key for item in applied), *(item.owed.key for item in dropped)]
        resolve_letters(database, self._state, direction, done, parked)
        raise_letters(database, self._state, [*parked, *raised])

    def _mark_dependants(self, item: Settlement, is_new: bool) -> None:
        is_change = isinstance(item, Applied) and item.status in (Status.CREATED, Status.UPDATED)
        version = None if is_new or is_change else item.owed.version.number
        for entity, dependant, column in DEPENDANTS:
            if entity is item.owed.key.entity and (is_new or _shows(item, dependant)):
                mark_naming(self._database, self._state, item.owed.key, dependant, column, version)


def mark_dependants(database: Database, state: State, keys: Iterable[RecordKey]) -> None:
    """Mark what shows these records or waits for them."""
    for key in keys:
        for entity, dependant, column in DEPENDANTS:
            if entity is key.entity:
                mark_naming(database, state, key, dependant, column, None)


def mark_naming(
    database: Database, state: State, key: RecordKey, dependant: Entity, column: str, version: int | None
) -> None:
    """Those that wait to be read only get a new version; the others are marked, if they are concerned."""
    for other in _naming(state, key, dependant, column):
        delivery, bound = state.deliveries.get(other), state.bindings.get(other)
        is_later = delivery is not None and version is not None and delivery.version > version
        waits = delivery is not None and delivery.published_at is None and not delivery.is_dead
        if waits and delivery is not None and delivery.due_at <= database.now and not is_later:
            changed(state, other, version=database.server.draw())
            continue
        drawn = max(delivery.version if delivery else 0, bound.version.number if bound else 0)
        is_concerned = not CONTRACTS[dependant].related or delivery is not None or bound is not None
        if is_concerned and not (version is not None and drawn > version):
            mark(database.server, state, [other], Lane.LIVE)


def _naming(state: State, key: RecordKey, dependant: Entity, column: str) -> Iterator[RecordKey]:
    for other, row in state.rows.items():
        if other.entity is dependant and other.tenant == key.tenant and row[column] == str(key.record_id):
            yield other


def _is_at(bound: Bound, model: str, res_id: int) -> bool:
    return bound.state is BindingState.ACTIVE and (bound.model, bound.res_id) == (model, res_id)


def _shows(item: Settlement, dependant: Entity) -> bool:
    if dependant is Entity.REGISTRATION:
        return not isinstance(item, Postponed)
    return isinstance(item, Applied) and item.status is Status.CREATED


def _line(run: UUID, item: Settlement) -> Line | None:
    key, direction, version = item.owed.key, Direction.APP_TO_ODOO, str(item.owed.version)
    if isinstance(item, Applied) and item.status is not None:
        detail = {"model": item.model, "res_id": item.res_id, "parked": [problem.field for problem in item.parked]}
        return Line(run, key, direction, item.status.value, version, detail)
    if isinstance(item, Dead):
        return Line(run, key, direction, "dead", version, {"code": item.code, "field": item.field})
    return None
