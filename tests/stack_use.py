"""Whoever leaves a test stack last stops it; several runs may share it.

`python -m tests.stack_use` keeps the first lane's running until Ctrl-C.
"""

from __future__ import annotations

import fcntl
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stack import layout as layouts
from stack import local, postgres, processes
from stack.layout import Layout
from tests import seed


@contextmanager
def using(layout: Layout) -> Iterator[None]:
    """Keeps others from stopping the stack while the block runs, and stops it afterwards unless others still use it.

    One that nobody used begins with the seed's data.
    """
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "in-use").open("w") as handle:
        if _alone(handle.fileno()) and not processes.running(layout, postgres.NAME):
            seed.lay(layout)
        fcntl.flock(handle, fcntl.LOCK_SH)
        try:
            yield
        finally:
            if _alone(handle.fileno()):
                local.down(layout)
                seed.remove(layout)


def _alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_on_sigterm() -> None:
    """SIGTERM ends this process as an error does: whatever it started is stopped first."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def keep() -> int:
    """Starts the first lane's stack, and stops it at Ctrl-C unless others still use it."""
    from tests import lanes

    end_on_sigterm()
    with suppress(KeyboardInterrupt), using(layouts.from_environment(lanes.TEST_ENVIRONMENT)):
        if code := lanes.prepare():
            return code
        print("the test stack runs; Ctrl-C stops it", file=sys.stderr)
        while True:
            time.sleep(60)
    return 0


if __name__ == "__main__":
    raise SystemExit(keep())
