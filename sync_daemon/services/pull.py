"""The puller: what people changed in Odoo arrives in the app."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.document import Change, Ruling, Verdict
from sync_daemon.errors import TransientError
from sync_daemon.parts.heartbeat import HeartbeatCarrier
from sync_daemon.ports import Inbound, Odoo
from sync_daemon.services.report import Report

PAGE = 500
PER_TENANT = 100


@dataclass
class Puller:
    """Pulls from one Odoo instance; of several pullers the one that holds the lease works."""

    odoo: Odoo
    inbound: Inbound
    lease: timedelta
    carrier: HeartbeatCarrier
    holder: UUID = field(default_factory=uuid4)
    _beat: int = field(default=0, init=False)

    def run_once(self) -> Report:
        """Pull one page, apply it tenant by tenant, and tell Odoo what became of each change."""
        if not (leased := self.inbound.acquire(self.holder, self.lease)):
            return Report()
        reached(CrashPoint.PULL_LEASED)
        pulled = self.odoo.pull_changes(PAGE, PER_TENANT)
        verdicts = self._take(pulled.changes, leased) if pulled.changes else []
        self._note(pulled.beat)
        rulings = [verdict.ruling for verdict in verdicts]
        return Report(
            # Changes put off are no progress: the next page waits for the next poll.
            done=len(rulings) - rulings.count(Ruling.LATER),
            sent=rulings.count(Ruling.APPLIED),
            postponed=rulings.count(Ruling.LATER),
            dead=rulings.count(Ruling.PARKED),
        )

    def release(self) -> None:
        """Let another puller take over at once."""
        self.inbound.release(self.holder)

    def _take(self, changes: Sequence[Change], read_after: datetime) -> list[Verdict]:
        reached(CrashPoint.PULL_PULLED)
        verdicts = self._apply(_by_tenant(changes), read_after)
        reached(CrashPoint.PULL_APPLIED)
        self.odoo.ack_changes(verdicts)
        reached(CrashPoint.PULL_DONE)
        return verdicts

    def _note(self, beat: int) -> None:
        if beat and beat != self._beat:
            self.carrier.returned(beat)
            self._beat = beat

    def _apply(self, changes: Mapping[UUID, Sequence[Change]], read_after: datetime) -> list[Verdict]:
        receiving = self.inbound.receiving()
        run = uuid4()
        verdicts: list[Verdict] = []
        for tenant, page in changes.items():
            # renewed while the page is worked off: the lease is short, so that nobody waits long for a dead puller
            self.inbound.acquire(self.holder, self.lease)
            if tenant not in receiving:
                verdicts += _all_later(page, "the tenant's flow to the app is closed")
                continue
            try:
                verdicts += self.inbound.apply(run, tenant, receiving[tenant], page, read_after)
            except TransientError as error:
                verdicts += _all_later(page, str(error))
        return verdicts


def _by_tenant(changes: Sequence[Change]) -> dict[UUID, list[Change]]:
    groups: defaultdict[UUID, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.key.tenant].append(change)
    return groups


def _all_later(changes: Sequence[Change], message: str) -> list[Verdict]:
    return [Verdict(change.key, change.version, Ruling.LATER, message) for change in changes]
