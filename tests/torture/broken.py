"""Runs `c360 run` without one of its guards, to show that the torture test would notice: `--broken NAME`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sync_daemon.cli.main import main
from sync_daemon.config import Settings
from sync_daemon.domain.document import Ruling, Verdict
from sync_daemon.domain.settlement import Dropped, Settlement
from sync_daemon.domain.snapshot import Owed
from sync_daemon.postgres.push import ledger
from sync_daemon.services import pull, push


def settles_any_version() -> None:
    """What was applied settles the record, although it changed again meanwhile."""
    blind = ledger._SQL["discharge"].replace(
        "(d.tenant_id, d.entity, d.record_id, d.version) = (k.tenant_id, k.entity, k.record_id, k.version)",
        "(d.tenant_id, d.entity, d.record_id) = (k.tenant_id, k.entity, k.record_id)",
    )
    ledger._SQL = {**ledger._SQL, "discharge": blind}


def trusts_the_broker() -> None:
    """A hint that was published is never published again."""
    Settings.lease = property(lambda _settings: timedelta(days=1))  # type: ignore[assignment]


def takes_lost_answers_for_done() -> None:
    """A call whose answer was lost is not repeated."""

    def settle_unanswered(owed: Sequence[Owed], message: str, jitter: float) -> list[Settlement]:
        return [Dropped(item, message) for item in owed]

    push.settle_unanswered = settle_unanswered  # type: ignore[attr-defined]


def acknowledges_what_waits() -> None:
    """Odoo is told that a change was taken in, although it was put off."""
    take_in = pull.Puller._take_in

    def all_applied(self: pull.Puller, *arguments: Any) -> list[Verdict]:
        return [dataclasses.replace(verdict, ruling=Ruling.APPLIED) for verdict in take_in(self, *arguments)]

    pull.Puller._take_in = all_applied  # type: ignore[method-assign,assignment]


GUARDS: dict[str, Callable[[], None]] = {
    guard.__name__: guard
    for guard in (settles_any_version, trusts_the_broker, takes_lost_answers_for_done, acknowledges_what_waits)
}

if __name__ == "__main__":
    GUARDS[sys.argv[1]]()
    sys.argv = ["c360", "run"]
    main()
