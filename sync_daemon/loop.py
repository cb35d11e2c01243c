"""One service in one thread: it works while there is work, rests while idle, and backs off while it fails."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from sync_daemon import errors
from sync_daemon.domain.backoff import pause_after
from sync_daemon.domain.operations.health import Service
from sync_daemon.services.report import Report

FIRST_PAUSE, LONGEST_PAUSE, FATAL_PAUSE = timedelta(seconds=0.5), timedelta(seconds=15), timedelta(seconds=60)

log = structlog.get_logger("sync_daemon")

_thread = threading.local()


def pulse() -> None:
    """Report progress of this thread's loop in the middle of a round; no effect in other threads."""
    loop = getattr(_thread, "loop", None)
    if loop is not None:
        loop.pulsed_at = time.monotonic()


@contextmanager
def repeated(work: Callable[[], object], every: timedelta) -> Iterator[None]:
    """Does some work again and again in a thread of its own while the block runs; what fails is tried again."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every.total_seconds()):
            with suppress(errors.BridgeError):
                work()

    thread = threading.Thread(target=run, name="repeated", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass
class Loop:
    """The rounds of one service. Units: seconds; without a pulse for `patience` it counts as blocked."""

    name: str
    run_once: Callable[[], Report]
    rest: float
    close: Callable[[], None] = lambda: None
    patience: float = 120.0
    failures: int = 0
    last_error: str = ""
    failing_parts: tuple[str, ...] = ()
    kind: str = ""
    failed: int = 0
    failing_since: float = 0.0
    failed_at: float = 0.0
    failed_with: str = ""
    pulsed_at: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, stop: threading.Event) -> None:
        """Run until `stop`; an unforeseen error ends the thread, and with it the process, and so does CopyError."""
        _thread.loop = self
        while not stop.is_set():
            pulse()
            # no pause may look like a blocked loop
            stop.wait(min(self._round(), self.patience / 2))

    def seen(self) -> Service:
        """The loop's state, seen from outside."""
        now = time.monotonic()
        failing = now - self.failing_since if self.failures or self.failing_parts else 0.0
        error = self.last_error or "; ".join(self.failing_parts) or self.failed_with
        failed = now - self.failed_at if error else 0.0
        return Service(self.name, now - self.pulsed_at, self.patience, failing, self.kind, error, failed)

    def _round(self) -> float:
        try:
            report = self.run_once()
        except errors.CopyError:
            raise
        except errors.FatalError as error:
            return self._failed(error, FATAL_PAUSE, FATAL_PAUSE)
        except errors.BridgeError as error:
            return self._failed(error, FIRST_PAUSE, LONGEST_PAUSE)
        finally:
            pulse()
        if self.failures:
            log.info("service.recovered", service=self.name, after=self.failures)
        self.failures, self.last_error = 0, ""
        if report.done:
            # a round without work does not show that the failure is over
            self.failed_with = ""
        self._note_parts(report.failures)
        self.counts.update(done=report.done, sent=report.sent, postponed=report.postponed, dead=report.dead)
        if report.done:
            log.debug(
                "service.ran",
                service=self.name,
                done=report.done,
                sent=report.sent,
                postponed=report.postponed,
                dead=report.dead,
            )
        return 0 if report.done else self.rest

    def _note_parts(self, failures: tuple[str, ...]) -> None:
        """The service goes on with the rest, but it is not well."""
        for failure in failures:
            if failure not in self.failing_parts:
                log.error("service.part_failed", service=self.name, error=failure)
        if failures and not self.failing_parts:
            self.failing_since, self.kind = time.monotonic(), errors.FatalError.__name__
        self.failing_parts = failures

    def _failed(self, error: errors.BridgeError, first: timedelta, longest: timedelta) -> float:
        # A long outage is logged once and then at every tenfold count, not at every try.
        if str(error) != self.last_error or self.failures in {9, 99, 999}:
            log.error("service.paused", service=self.name, error=str(error), kind=type(error).__name__)
        if not self.failures:
            self.failing_since = time.monotonic()
        self.failures, self.last_error, self.kind = self.failures + 1, str(error), type(error).__name__
        self.failed_with, self.failed_at = self.last_error, time.monotonic()
        self.failed += 1
        return pause_after(self.failures, random.random(), first, longest).total_seconds()
