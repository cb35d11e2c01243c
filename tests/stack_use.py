"""Whoever leaves a test stack last stops it; several runs may share it."""

from __future__ import annotations

import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stack import local
from stack.layout import Layout


@contextmanager
def using(layout: Layout) -> Iterator[None]:
    """Keeps others from stopping the stack while the block runs, and stops it afterwards unless others still use it."""
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "in-use").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        try:
            yield
        finally:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                local.down(layout)


def end_on_sigterm() -> None:
    """SIGTERM ends this process as an error does: whatever it started is stopped first."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
