"""The pusher: turns hints into documents, documents into records in Odoo, and answers into settlements."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.brake import brake, by_group, losses, without
from sync_daemon.domain.content import Content, Unreadable
from sync_daemon.domain.document import Document, Result, Status
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.domain.operations.epochs import was_set_back
from sync_daemon.domain.plan import Plan, ToSend, defer_recent, missing_parents, plan, possibly_sent, without_content
from sync_daemon.domain.settlement import (
    Applied,
    Dead,
    Postponed,
    Settlement,
    settle_answers,
    settle_refused,
    settle_unanswered,
    settle_unsent,
)
from sync_daemon.domain.snapshot import BindingState, Owed, Snapshot
from sync_daemon.errors import BridgeError, BusyError, FatalError, RejectedError, StatementError, TransientError
from sync_daemon.parts.apart import Halving, Troubled, by_tenant
from sync_daemon.parts.contents import Contents
from sync_daemon.parts.heartbeat import HeartbeatCarrier
from sync_daemon.ports import Brake, HintStream, Ledger, Odoo, Outbox, Rows
from sync_daemon.services.report import Report, joined

CONTENT_LACKING = "content_lacking"
"""Odoo's code for a document whose content it does not have yet."""

UNLINKED = "unlinked"
"""Odoo's code for a record that ended there; what it reports of that end is for a record that is bound here."""

FEW = 3
"""So many records may be bad at once by chance."""

Results = dict[RecordKey, Result]
Refusals = dict[RecordKey, RejectedError]

STILL_AT_WORK = timedelta(seconds=30)
"""So long a call that nobody waits for any more may yet make a record in Odoo."""

TABLE_PAUSE = timedelta(seconds=5)
"""Until a record is tried again whose tenant's tables cannot be used."""

_OF_THE_BRIDGE = frozenset({Entity.ISSUE, Entity.TENANT})
"""What is read elsewhere than in a tenant's tables, and says nothing of them."""

DEPTH = 3
"""A commission needs a registration, a registration its client: no chain of parents is as long."""


@dataclass(frozen=True)
class Pusher:
    """Pushes to one Odoo instance. Any number of pushers may work on any records at once."""

    instance: str
    outbox: Outbox
    rows: Rows
    ledger: Ledger
    odoo: Odoo
    contents: Contents
    batch_size: int
    brake: Brake
    troubled: Troubled = field(default_factory=Troubled)

    def push(self, keys: Collection[RecordKey]) -> Report:
        """Sync these records; what fails in one tenant's tables holds up no other one.

        Raises what Odoo raised, after writing it down.
        """
        return joined(self._push_group(group) for group in self.troubled.groups(keys))

    def _push_group(self, keys: Sequence[RecordKey]) -> Report:
        try:
            return self._push(keys)
        except (BusyError, StatementError) as error:
            groups = by_tenant(keys, lambda key: key.tenant)
            if len(groups) > 1:
                return joined(map(self._push_group, groups))
            return self._push_apart(keys, error)

    def _push_apart(self, keys: Sequence[RecordKey], error: BusyError | StatementError) -> Report:
        """One tenant's records, of which some cannot be read: those at fault are dead, the others go."""
        tenant = keys[0].tenant
        if isinstance(error, BusyError):
            # waiting for each half would keep the other tenants longer
            self.troubled.note(tenant)
            return self._put_off(keys, str(error))
        # what is read elsewhere, or not at all, goes through without a word about the tenant's tables
        read = [key for key in self.rows.owed(keys) if key.entity not in _OF_THE_BRIDGE]
        elsewhere = [key for key in keys if key not in read]
        if read and elsewhere:
            return joined([self._push(elsewhere), self._push_apart(read, error)])
        halving = Halving(self._push)
        halving.work(keys, error)
        if halving.is_tenants:
            self.troubled.note(tenant, f"tenant {tenant}: {error}")
            return self._put_off(keys, str(error))
        return joined([*halving.results, self._give_up({key: str(fault) for key, fault in halving.faults})])

    def _put_off(self, keys: Collection[RecordKey], cause: str) -> Report:
        owed = self.rows.owed(keys).values()
        self.ledger.settle(uuid4(), [Postponed(item, TABLE_PAUSE, cause) for item in owed])
        return Report(done=len(keys), postponed=len(owed))

    def _give_up(self, faults: Mapping[RecordKey, str]) -> Report:
        found = self.rows.owed(faults)
        dead = [
            Dead(item, "refused_by_app", f"the app's database refuses {key.entity} {key.record_id}: {faults[key]}")
            for key, item in found.items()
        ]
        self._settle(uuid4(), dead)
        return Report(done=len(faults), dead=len(dead))

    def _settle(self, run: UUID, settlements: Sequence[Settlement]) -> None:
        """Write down outcomes; those of a tenant whose tables fail come again, and hold up no other one."""
        try:
            self.ledger.settle(run, settlements)
        except (BusyError, StatementError) as error:
            groups = by_tenant(settlements, lambda item: item.owed.key.tenant)
            if len(groups) > 1:
                for group in groups:
                    self._settle(run, group)
                return
            self._settle_apart(run, settlements, error)

    def _settle_apart(self, run: UUID, settlements: Sequence[Settlement], error: BusyError | StatementError) -> None:
        tenant = settlements[0].owed.key.tenant
        faults = [(item, str(error)) for item in settlements]
        failure = ""
        if isinstance(error, StatementError):
            halving = Halving(partial(self.ledger.settle, run))
            halving.work(settlements, error)
            faults = [(item, str(fault)) for item, fault in halving.faults]
            failure = f"tenant {tenant}: {error}" if halving.is_tenants else ""
        self.troubled.note(tenant, failure)
        self.ledger.settle(run, [Postponed(item.owed, TABLE_PAUSE, cause) for item, cause in faults])

    def _push(self, keys: Collection[RecordKey]) -> Report:
        snapshot = self._read(keys)
        self.troubled.forget({key.tenant for key in snapshot.rows if key.entity not in _OF_THE_BRIDGE})
        decided = defer_recent(plan(snapshot), STILL_AT_WORK)
        reached(CrashPoint.PUSH_PLANNED)
        run = uuid4()
        decided = self._braked(run, snapshot, decided)
        if decided.ask:
            # before anything is settled: what could not be asked stays owed
            self.odoo.requeue_changes(sorted(decided.ask))
        sent = self._send_all(run, snapshot, decided)
        return _report(keys, [*settle_unsent(decided), *sent])

    def _send_all(self, run: UUID, snapshot: Snapshot, decided: Plan) -> list[Settlement]:
        """Send, then settle what does not go: a tenant whose tables are slow keeps nobody else's records from Odoo."""
        sent: list[Settlement] = []
        try:
            for chunk in _chunks(decided.send, self.batch_size):
                sent += self._send(run, snapshot, chunk)
        except BridgeError:
            self._settle_unsent(run, decided)
            raise
        self._settle_unsent(run, decided)
        return sent

    def _settle_unsent(self, run: UUID, decided: Plan) -> None:
        if unsent := settle_unsent(decided):
            self._settle(run, unsent)

    def _braked(self, run: UUID, snapshot: Snapshot, decided: Plan) -> Plan:
        """The same plan without what the brake holds; a batch in which nothing is lost costs nothing."""
        lost = by_group(losses(snapshot, decided))
        if not lost:
            return decided
        limits = {tenant: snapshot.contracts.limits_of(tenant) for tenant, _ in lost}
        with self.brake.unit(run) as unit:
            braking = brake(lost, unit.tally(lost, limits), limits)
            unit.settle(braking)
        return without(decided, braking.kept)

    def _read(self, keys: Collection[RecordKey]) -> Snapshot:
        """Everything that decides about these records, and about those that must go before them."""
        snapshot = self._with_parents(keys)
        if renames := [item for item in snapshot.renamed if item.key.tenant not in snapshot.stopped]:
            for renamed in renames:
                self.ledger.rename(renamed, self.odoo.rename_binding)
            snapshot = self._with_parents(keys)
        if candidates := possibly_sent(snapshot):
            self._look_for(candidates)
            # parents too: another pusher may have settled one meanwhile, by an older view of whether it goes
            snapshot = self._with_parents(keys)
        return self._with_identified(snapshot)

    def _with_parents(self, keys: Collection[RecordKey]) -> Snapshot:
        """Read; records that must go first are owed, and read too."""
        wanted = frozenset(keys)
        snapshot = self.rows.snapshot(wanted)
        for _ in range(DEPTH):
            parents = missing_parents(snapshot)
            if not parents:
                break
            self.outbox.owe(parents)
            wanted = wanted | parents
            snapshot = self.rows.snapshot(wanted)
        return snapshot

    def _with_identified(self, snapshot: Snapshot) -> Snapshot:
        """The same with the contents of documents that go, as far as they can be read."""
        documents = without_content(snapshot)
        if not documents:
            return snapshot
        contents = self.contents.identify(snapshot, documents)
        self._count_failures(contents)
        return dataclasses.replace(snapshot, contents=contents)

    def _look_for(self, candidates: Iterable[Owed]) -> None:
        """Ask Odoo for records that it was sent: an answer that was lost may have named them."""
        for owed in candidates:
            found = self.odoo.show_binding(owed.key)
            if found.res_id:
                self.ledger.learn(owed, BindingState(found.state), found.model, int(found.res_id))

    def _count_failures(self, contents: Mapping[RecordKey, Content | Unreadable]) -> None:
        failed = [key for key, content in contents.items() if isinstance(content, Unreadable) and content.tries]
        if failed:
            self.outbox.begin_attempt(self.instance, failed)

    def _send(self, run: UUID, snapshot: Snapshot, chunk: Sequence[ToSend]) -> list[Settlement]:
        begun = self.outbox.begin_attempt(self.instance, [item.document.key for item in chunk])
        # what another pusher has settled meanwhile nobody would ask for if this call's answer were lost
        chunk = [item for item in chunk if item.document.key in begun]
        if not chunk:
            return []
        owed = {item.document.key: snapshot.owed[item.document.key] for item in chunk}
        reached(CrashPoint.PUSH_COUNTED)
        try:
            results, refused = self._apply(run, chunk)
            results = self._with_contents(run, snapshot, chunk, results)
            reached(CrashPoint.PUSH_ANSWERED)
        except BridgeError as error:
            # Whether Odoo applied it is unknown, and does not matter: the same documents are sent again.
            self._settle(run, settle_unanswered(list(owed.values()), str(error), random.random()))
            raise
        ended = (owed[key] for key, result in results.items() if result.code == UNLINKED)
        self._look_for(item for item in ended if item.key not in snapshot.bindings)
        answered = [item for item in chunk if item.document.key in results]
        settled = settle_answers(owed, answered, [results[item.document.key] for item in answered], random.random())
        settled += [settle_refused(owed[key], problem) for key, problem in refused.items()]
        # first asked, then settled: what nobody owes any more nobody would ask for after a crash
        self._ask_for_diverged(settled)
        self._settle(run, settled)
        self._check_order(owed, results)
        return settled

    def _apply(self, run: UUID, chunk: Sequence[ToSend]) -> tuple[Results, Refusals]:
        """Apply a chunk; if it is refused as a whole, halve it until the bad record stands alone.

        Raises: TransientError if several records are refused and none goes through: the records are not at fault.
        """
        results, refused = self._halve(run, chunk)
        if len(refused) == len(chunk) > FEW:
            problem = next(iter(refused.values()))
            raise TransientError(f"Odoo refuses {len(chunk)} records alike: {problem.message}")
        return results, refused

    def _with_contents(self, run: UUID, snapshot: Snapshot, chunk: Sequence[ToSend], results: Results) -> Results:
        """Upload the contents Odoo lacks, one at a time, and apply those documents again."""
        lacking = [item.document for item in chunk if _lacks_content(results.get(item.document.key))]
        return {**results, **{document.key: self._hand_over(run, snapshot, document, results) for document in lacking}}

    def _hand_over(self, run: UUID, snapshot: Snapshot, document: Document, results: Results) -> Result:
        try:
            pieces = self.contents.pieces(snapshot, document.key)
            self.odoo.put_content(document.key, str(document.fields["sha256"]), pieces)
            return self.odoo.apply_batch(run, [document])[0]
        except RejectedError as problem:
            if problem.code != "too_big":
                return dataclasses.replace(results[document.key], message=str(problem))
            message = f"the content of this document does not reach Odoo: {problem.message}; see docs/runbook.md, 413"
            return dataclasses.replace(
                results[document.key], status=Status.REJECTED, code=problem.code, message=message, field="sha256"
            )
        except BridgeError as error:
            # the others of the batch are written down as they are; this one stays owed
            return dataclasses.replace(results[document.key], message=str(error))

    def _halve(self, run: UUID, chunk: Sequence[ToSend]) -> tuple[Results, Refusals]:
        try:
            answers = self.odoo.apply_batch(run, [item.document for item in chunk])
        except RejectedError as problem:
            if len(chunk) == 1:
                return {}, {chunk[0].document.key: problem}
        else:
            return {result.key: result for result in answers}, {}
        middle = len(chunk) // 2
        results, refused = self._halve(run, chunk[:middle])
        more_results, more_refused = self._halve(run, chunk[middle:])
        return {**results, **more_results}, {**refused, **more_refused}

    def _ask_for_diverged(self, settled: Sequence[Settlement]) -> None:
        diverged = [item.owed.key for item in settled if isinstance(item, Applied) and item.diverged]
        if diverged:
            self.odoo.requeue_changes(diverged)

    def _check_order(self, owed: Mapping[RecordKey, Owed], results: Results) -> None:
        """Raises: FatalError if Odoo holds a version that the app has not drawn yet."""
        newer = [result for result in results.values() if result.status is Status.STALE]
        if not newer:
            return
        drawn = self.outbox.draw()
        for result in newer:
            if was_set_back(result.version, Version(owed[result.key].version.epoch, drawn)):
                raise FatalError(
                    f"the app's database was set back to an earlier time: Odoo holds version {result.version} of "
                    f"{result.key}, which the app has not drawn yet; stop the daemon and follow docs/runbook.md, After "
                    "a restore: c360 epoch bump --side app"
                )


@dataclass(frozen=True)
class HintedPusher:
    """A pusher that works through hints of some lanes."""

    pusher: Pusher
    stream: HintStream
    wait: timedelta
    carrier: HeartbeatCarrier
    lanes: Sequence[Lane] = tuple(Lane)

    def run_once(self) -> Report:
        """Take some hints, push what they name, carry the newest heartbeat on, then acknowledge them."""
        received = self.stream.take(self.pusher.batch_size, self.wait, self.lanes)
        if not received:
            return Report(failures=self.pusher.troubled.failures)
        reached(CrashPoint.PUSH_TAKEN)
        try:
            report = self._push({key for item in received for key in item.hint.keys})
            if beat := max(item.hint.beat for item in received):
                self.carrier.carry(beat)
            return dataclasses.replace(report, failures=self.pusher.troubled.failures)
        finally:
            # Also after an error: the owed rows say what is left to do, and the relay will hint at them again.
            reached(CrashPoint.PUSH_SETTLED)
            self.stream.ack(received)
            reached(CrashPoint.PUSH_DONE)

    def _push(self, keys: Collection[RecordKey]) -> Report:
        return self.pusher.push(keys) if keys else Report()


def _lacks_content(result: Result | None) -> bool:
    return result is not None and result.status is Status.RETRY and result.code == CONTENT_LACKING


def _chunks(items: Sequence[ToSend], size: int) -> Iterator[Sequence[ToSend]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _report(keys: Collection[RecordKey], settled: Sequence[Settlement]) -> Report:
    return Report(
        done=len(keys),
        sent=sum(isinstance(item, Applied) and item.status is not None for item in settled),
        postponed=sum(isinstance(item, Postponed) for item in settled),
        dead=sum(isinstance(item, Dead) for item in settled),
    )
