"""Services that run side by side, step by step: at each step of the walks somebody else may be let on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sync_daemon.crash_points import CrashPoint
from tests.memory.app import Server
from tests.services.world import deciding

DEADLINE = 30.0


class Walker:
    """One thread that stops at every step until it is let on; one thread runs at a time."""

    def __init__(self, server: Server, work: Callable[[], object]) -> None:
        self._server = server
        self._work = work
        self._may_go = threading.Semaphore(0)
        self._has_stopped = threading.Semaphore(0)
        self.point: CrashPoint | None = None
        self.is_done = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> CrashPoint | None:
        """Let it on to its next step; None once its work is done."""
        if not self.is_done:
            self._may_go.release()
            assert self._has_stopped.acquire(timeout=DEADLINE), "it never came to its next step"
        if self.error is not None:
            raise self.error
        return None if self.is_done else self.point

    def until(self, point: CrashPoint) -> bool:
        """Let it on to this step; whether it came there."""
        while not self.is_done:
            if self.step() is point:
                return True
        return False

    def finish(self) -> None:
        """Let it on to the end."""
        while not self.is_done:
            self.step()

    def _run(self) -> None:
        self._may_go.acquire()
        try:
            with deciding(self._stop):
                self._work()
        except BaseException as error:
            self.error = error
        finally:
            self.is_done = True
            self._has_stopped.release()

    def _stop(self, point: CrashPoint) -> None:
        # what is not committed nobody else sees, so nobody else may run
        if self._server.in_transaction:
            return
        self.point = point
        self._has_stopped.release()
        self._may_go.acquire()
