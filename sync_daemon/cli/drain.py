"""`c360 drain`: work until nothing is owed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from sync_daemon import logs
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.cli.run import attacher
from sync_daemon.config import load_settings
from sync_daemon.daemon import SERVICES, Bridge, Daemon, open_bridge
from sync_daemon.domain.operations.debt import Debt, debt
from sync_daemon.errors import BridgeError, CopyError
from sync_daemon.postgres.admin.dead_letters import OpenDeadLetter
from sync_daemon.postgres.events import OutgoingEvents

POLL_SECONDS = 0.25
PROGRESS_SECONDS = 2.0
NOT_WORK = frozenset({"events", "reconcile", "contract", "retention"})
"""Services that carry nothing owed between the sides."""


@dataclass(frozen=True)
class Left:
    """The work left; `debt` is None while one side does not answer, and `problem` says which."""

    debt: Debt | None
    events: int = 0
    problem: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing that can flow is owed and every event is published."""
        return self.debt is not None and self.debt.open == 0 and self.events == 0

    @property
    def words(self) -> str:
        """The work left, for a person."""
        if self.debt is None:
            return "cannot tell what is owed"
        owed = f"{self.debt.open} records are owed" if self.debt.open else "nothing is owed"
        return owed + (f", {self.events} events wait to be published" if self.events else "")


@click.command()
@click.option("--timeout", default=300, show_default=True, type=click.IntRange(min=1), help="Stop after these seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drain(timeout: int, as_json: bool) -> None:
    """Work until nothing is owed on either side.

    Suspended and paused tenants, dead records and those that the brake holds do not count. Events that arise meanwhile
    are published. It works with or without a running daemon. Exit code 3 if a record was parked or time ran out.

    Example: c360 drain --timeout 60
    """
    settings = load_settings()
    logs.configure(settings.model_copy(update={"c360_log_level": "ERROR"}))
    with open_bridge(settings) as bridge:
        began = bridge.registry.now()
        # Tenants first: records of a tenant that Odoo does not know yet cannot be sent.
        bridge.keeper(attacher(settings)).run_once()
        daemon = Daemon(bridge, [name for name in SERVICES if name not in NOT_WORK], attacher(settings))
        daemon.start()
        try:
            left = _wait(bridge, daemon, timeout)
        finally:
            daemon.stop()
        parked = bridge.dead_letters.open(since=began)
        _show(bridge, left, parked, as_json)
        sys.exit(0 if left.is_nothing and not parked and not daemon.crashed else 3)


def _wait(bridge: Bridge, daemon: Daemon, timeout: int) -> Left:
    end = time.monotonic() + timeout
    spoken = time.monotonic()
    while True:
        left = _look(bridge)
        if left.is_nothing:
            # a change that crosses while both sides are asked may be seen on neither
            left = _look(bridge)
        if left.is_nothing or time.monotonic() > end or daemon.wait(POLL_SECONDS):
            return left
        if time.monotonic() - spoken > PROGRESS_SECONDS:
            problems = {left.problem, *(loop.last_error for loop in daemon.loops)} - {""}
            say("; ".join([left.words, *sorted(problems)]))
            spoken = time.monotonic()


def _look(bridge: Bridge) -> Left:
    # Odoo after the app: it still owes what the puller has in hand. Events last: a change that Odoo no longer owes has
    # written its events.
    try:
        flows = bridge.registry.flows()
        owed = debt(flows, [odoo.backlog() for odoo in bridge.instances.values()])
        return Left(owed, OutgoingEvents(bridge.database).backlog().waiting)
    except CopyError:
        raise
    except BridgeError as error:
        return Left(None, problem=str(error))


def _show(bridge: Bridge, left: Left, parked: Sequence[OpenDeadLetter], as_json: bool) -> None:
    paused = left.debt.paused if left.debt else None
    if as_json:
        owed = left.debt.open if left.debt else None
        letters = [vars(letter) for letter in parked]
        print_json({"owed": owed, "paused": paused, "events": left.events, "problem": left.problem, "parked": letters})
        return
    if paused:
        say(f"{paused} records wait because their tenants are suspended or paused")
    if dead := bridge.dead_letters.open():
        columns = ("tenant", "record", "field", "cause", "last seen")
        print_table("Dead records and fields", columns, map(_row, dead))
    say(left.words + (f": {left.problem}" if left.problem else ""))


def _row(letter: OpenDeadLetter) -> tuple[str, str, str, str, datetime]:
    return letter.subdomain, f"{letter.entity} {letter.record_id}", letter.field, letter.message, letter.last_at
