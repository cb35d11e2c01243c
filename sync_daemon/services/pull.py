"""The puller: brings people's changes in Odoo to the app."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.document import Change, Ruling, Verdict
from sync_daemon.domain.hint import LARGEST_BEAT
from sync_daemon.domain.pull_page import open_page
from sync_daemon.domain.pull_plan import plan_pull
from sync_daemon.domain.pull_settlement import settle_faults, settle_pull
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import BridgeError, FatalError, StatementError
from sync_daemon.parts.apart import Halving
from sync_daemon.parts.heartbeat import HeartbeatCarrier
from sync_daemon.ports import Inbound, Odoo
from sync_daemon.services.report import Report

PAGE = 500
PER_TENANT = 100
WITHOUT_HINTS = timedelta(seconds=0.4)
"""Until the next pull where Odoo does not tell its newest mark."""
UNTOLD = timedelta(seconds=60)
"""Until it is asked for the newest mark again."""


@dataclass
class Puller:
    """Pulls from one Odoo instance; of several pullers, only the holder of the lease works.

    Between two pulls, `pull_every` apart while nothing comes, it asks for Odoo's newest mark, which costs less, and
    pulls at once when there is a newer one. Where Odoo does not tell, it pulls more often instead.
    """

    odoo: Odoo
    inbound: Inbound
    lease: timedelta
    carrier: HeartbeatCarrier
    pull_every: timedelta = timedelta(0)
    clock: Callable[[], float] = time.monotonic
    holder: UUID = field(default_factory=uuid4)
    _pulls_at: float = field(default=-math.inf, init=False)
    _asks_at: float = field(default=-math.inf, init=False)
    _newest: int = field(default=0, init=False)
    _beat: int = field(default=0, init=False)
    _failing: dict[UUID, str] = field(default_factory=dict, init=False)

    def run_once(self) -> Report:
        """Pull one page if it is time, take it in tenant by tenant, and send Odoo a verdict on each change."""
        if not self._is_due():
            return Report(failures=tuple(self._failing.values()))
        self._pulls_at = -math.inf
        leased = self.inbound.acquire(self.holder, self.lease)
        if leased is None:
            self._failing.clear()
            self._rest(is_holder=False)
            return Report()
        report = self._pull(leased)
        if not report.done:
            self._rest(is_holder=True)
        return report

    def _pull(self, leased: datetime) -> Report:
        reached(CrashPoint.PULL_LEASED)
        pulled = self.odoo.pull_changes(PAGE, PER_TENANT)
        verdicts: list[Verdict] = []
        if pulled.changes:
            reached(CrashPoint.PULL_PULLED)
            verdicts = self._take_in(_by_tenant(pulled.changes), leased)
            reached(CrashPoint.PULL_APPLIED)
            self.odoo.ack_changes(verdicts)
            reached(CrashPoint.PULL_DONE)
        self._note(pulled.beat)
        return _report(verdicts, self._failing.values())

    def release(self) -> None:
        """Release the lease, so that another puller can take over at once."""
        self.inbound.release(self.holder)

    def _is_due(self) -> bool:
        """Whether to pull now. Where Odoo does not tell its newest mark, the next round pulls and says why."""
        now = self.clock()
        if now >= self._pulls_at:
            return True
        if now < self._asks_at:
            return False
        try:
            newest = self.odoo.newest()
        except BridgeError:
            # not in this round: it would last as long as two calls that nobody answers
            self._pulls_at, self._asks_at = now, now + UNTOLD.total_seconds()
            return False
        is_newer, self._newest = newest > self._newest, newest
        return is_newer

    def _rest(self, is_holder: bool) -> None:
        now = self.clock()
        is_told = is_holder and now >= self._asks_at
        rest = self.pull_every if is_told else min(self.pull_every, WITHOUT_HINTS)
        self._pulls_at = now + rest.total_seconds()
        if not is_holder:
            # whoever holds the lease asks for everybody
            self._asks_at = max(self._asks_at, self._pulls_at)

    def _take_in(self, changes: Mapping[UUID, Sequence[Change]], read_after: datetime) -> list[Verdict]:
        receiving = {tenant.id: tenant for tenant in self.inbound.receiving()}
        run = uuid4()
        verdicts: list[Verdict] = []
        for owner, page in changes.items():
            # renewed while the page is worked off: the lease is short, so that nobody waits long for a dead puller
            self.inbound.acquire(self.holder, self.lease)
            self._failing.pop(owner, None)
            if owner not in receiving:
                verdicts += _all_later(page, "the tenant's flow to the app is closed")
                continue
            try:
                verdicts += take_in_apart(self.inbound, run, receiving[owner], page, read_after)
            except BridgeError as error:
                # what is wrong with one tenant holds up no other one
                verdicts += _all_later(page, str(error))
                if isinstance(error, FatalError):
                    self._failing[owner] = f"tenant {receiving[owner].subdomain}: {error}"
        return verdicts

    def _note(self, beat: int) -> None:
        if beat != self._beat and 0 < beat <= LARGEST_BEAT:
            self.carrier.returned(beat)
            self._beat = beat


def take_in(
    inbound: Inbound, run: UUID, tenant: Tenant, changes: Sequence[Change], read_after: datetime
) -> Sequence[Verdict]:
    """Take in one tenant's changes, all or nothing; Odoo was asked for them after that time of the app's clock."""
    with inbound.unit(run, tenant) as unit:
        page = open_page(unit.rules, changes)
        plan = plan_pull(page, unit.read(page), read_after)
        settlement = settle_pull(plan, unit.write(plan.writes))
        unit.settle(settlement)
        reached(CrashPoint.PULL_APPLYING)
    return settlement.verdicts


def take_in_apart(
    inbound: Inbound, run: UUID, tenant: Tenant, changes: Sequence[Change], read_after: datetime
) -> list[Verdict]:
    """The same; of changes that fail together, those at fault are parked, and the others taken in.

    Raises: StatementError if none goes through: no change is at fault.
    """
    try:
        return list(take_in(inbound, run, tenant, changes, read_after))
    except StatementError as error:
        halving: Halving[Change, Sequence[Verdict]] = Halving(
            lambda part: take_in(inbound, run, tenant, part, read_after)
        )
        halving.work(changes, error)
        if halving.is_tenants:
            raise
    taken = [verdict for verdicts in halving.results for verdict in verdicts]
    return taken + _refuse(inbound, run, tenant, [(change, str(fault)) for change, fault in halving.faults])


def _refuse(inbound: Inbound, run: UUID, tenant: Tenant, faults: Sequence[tuple[Change, str]]) -> list[Verdict]:
    with inbound.unit(run, tenant) as unit:
        settlement = settle_faults(faults)
        unit.settle(settlement)
    return list(settlement.verdicts)


def _by_tenant(changes: Sequence[Change]) -> dict[UUID, list[Change]]:
    groups: defaultdict[UUID, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.key.tenant].append(change)
    return groups


def _all_later(changes: Sequence[Change], message: str) -> list[Verdict]:
    return [Verdict(change.key, change.version, Ruling.LATER, message) for change in changes]


def _report(verdicts: Sequence[Verdict], failures: Collection[str]) -> Report:
    rulings = [verdict.ruling for verdict in verdicts]
    return Report(
        # Changes put off are no progress: the next page waits for the next poll.
        done=len(rulings) - rulings.count(Ruling.LATER),
        sent=rulings.count(Ruling.APPLIED),
        postponed=rulings.count(Ruling.LATER),
        dead=rulings.count(Ruling.PARKED),
        failures=tuple(failures),
    )
