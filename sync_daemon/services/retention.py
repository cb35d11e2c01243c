"""Makes the ledger's months before they begin, and deletes what was kept for long enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from sync_daemon.errors import BridgeError
from sync_daemon.ports import Kept
from sync_daemon.services.report import Report


@dataclass
class Retention:
    """Any number may run: each step is one transaction, and repeating it does nothing.

    Shapes: `on_kept` is called once with the months that have to stay, because nobody here may drop them.
    """

    kept: Kept
    prepare_months: Callable[[], None]
    on_kept: Callable[[Sequence[date]], None]
    reported: tuple[date, ...] = field(default=())

    def run_once(self) -> Report:
        """Delete a batch of each kind."""
        self.prepare_months()
        done = self.kept.forget_some()
        failures: tuple[str, ...] = ()
        try:
            done += self.kept.drop_months()
        except BridgeError as error:
            failures = (str(error),)
        self._report_overdue()
        return Report(done=done, failures=failures)

    def _report_overdue(self) -> None:
        overdue = tuple(self.kept.overdue_months())
        if overdue and overdue != self.reported:
            self.on_kept(overdue)
        self.reported = overdue
