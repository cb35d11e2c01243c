"""Calls into the Odoo in memory, as one daemon makes them: they may find it away, lose an answer, or be given up."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from sync_daemon import crash_points
from sync_daemon.errors import RejectedError, TransientError
from sync_daemon.odoo.client import RpcOdoo, VerifyInstance
from tests.memory.odoo import Odoo
from tests.memory.odoo_wire import Wire
from tests.memory.process import Process


class Transport:
    """Calls one method, once.

    Shapes: `lost` are methods whose next answers do not arrive, `slow` those whose next calls are given up, and go on
    in Odoo when somebody lets them `finish`. A proxy before Odoo refuses contents of more than `largest` characters.
    """

    def __init__(self, odoo: Odoo, process: Process | None = None) -> None:
        self._odoo = odoo
        self._process = process or Process()
        self.lost: Counter[str] = Counter()
        self.slow: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.largest = 100_000_000
        self._unfinished: list[tuple[str, Mapping[str, object]]] = []

    def call(self, method: str, arguments: Mapping[str, object]) -> object:
        """The method's result."""
        self._process.check()
        if self._odoo.is_away:
            raise TransientError("no connection to Odoo in memory")
        self.calls[method] += 1
        if len(str(arguments.get("data", ""))) > self.largest:
            raise RejectedError("too_big", "Odoo refuses a request of this size (HTTP 413)")
        given = {name: copy.deepcopy(value) for name, value in arguments.items() if name != "context"}
        if self._counts_down(self.slow, method):
            self._unfinished.append((method, given))
            raise TransientError(f"no answer from Odoo to {method} in time")
        answer = self._done(method, given)
        if self._counts_down(self.lost, method):
            raise TransientError(f"no answer from Odoo to {method}")
        crash_points.answered(method)
        return copy.deepcopy(answer)

    def newest(self) -> int:
        """As the route of its own; it is only asked, and changes nothing."""
        self._process.check()
        if self._odoo.is_away:
            raise TransientError("no connection to Odoo in memory")
        self.calls["newest"] += 1
        if self._counts_down(self.lost, "newest"):
            raise TransientError("no answer from Odoo to newest")
        return max((mark.number for mark in self._odoo.state.marks), default=0)

    def finish(self) -> int:
        """Let Odoo end the calls that were given up; how many."""
        unfinished, self._unfinished = self._unfinished, []
        for method, given in unfinished:
            self._done(method, given)
        return len(unfinished)

    def _done(self, method: str, given: Mapping[str, object]) -> object:
        with self._odoo.transaction():
            return getattr(Wire(self._odoo), method)(**given)

    @staticmethod
    def _counts_down(counter: Counter[str], method: str) -> bool:
        is_due = counter[method] > 0
        counter[method] -= is_due
        return is_due


def open_odoo(
    transport: Transport, installation: UUID, verify_instance: VerifyInstance | None = None, selftest: bool = False
) -> RpcOdoo:
    """The Odoo port over this transport, as one app installation."""
    return RpcOdoo(transport, installation, verify_instance or (lambda: lambda _info: None), selftest)
