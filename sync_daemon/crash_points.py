"""Crash points: the named steps of both walks at which a test can make the daemon die.

Nothing happens at any of them unless `c360 run` is started with one of

- `C360_CRASH_AT="push.unread"`, or `"push.unread:2"` for the second time that step is reached,
- `C360_CRASH_RANDOM="7:0.01"`: at each step with this probability, the dice seeded with 7.

The process ends as by `kill -9`, without running any handler.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum

from sync_daemon.errors import ConfigError

AT, RANDOM = "C360_CRASH_AT", "C360_CRASH_RANDOM"


class CrashPoint(StrEnum):
    """Every step, in the order of the walks; the comment beside each is true when the step is reached."""

    RELAY_COLLECTING = "relay.collecting"  # marks became deliveries, not committed
    RELAY_COLLECTED = "relay.collected"  # committed, nothing claimed
    RELAY_CLAIMING = "relay.claiming"  # records claimed, not committed
    RELAY_CLAIMED = "relay.claimed"  # committed, nothing published
    RELAY_PUBLISHING = "relay.publishing"  # the broker confirmed a hint, others may follow
    RELAY_PUBLISHED = "relay.published"  # the broker confirmed every hint

    PUSH_TAKEN = "push.taken"  # hints in hand, nothing read
    PUSH_PLANNED = "push.planned"  # rows read, decided what to send
    PUSH_COUNTED = "push.counted"  # the attempt is committed, nothing sent
    PUSH_UNREAD = "push.unread"  # Odoo committed and answered, the answer is not read
    PUSH_ANSWERED = "push.answered"  # the answer is read, nothing written down
    PUSH_SETTLING = "push.settling"  # written down, not committed
    PUSH_SETTLED = "push.settled"  # committed, an error of Odoo as well, the hints not acknowledged
    PUSH_DONE = "push.done"  # the acknowledgement is on its way to the broker

    PULL_LEASED = "pull.leased"  # the puller's lease is committed, nothing asked for
    PULL_UNREAD = "pull.unread"  # Odoo answered with changes, the answer is not read
    PULL_PULLED = "pull.pulled"  # changes in hand, nothing written
    PULL_APPLYING = "pull.applying"  # written into the app, not committed
    PULL_APPLIED = "pull.applied"  # committed, Odoo does not know
    PULL_ACK_UNREAD = "pull.ack_unread"  # Odoo committed the verdicts and answered, the answer is not read
    PULL_DONE = "pull.done"  # both sides know

    EVENTS_TAKEN = "events.taken"  # the app's events in hand, nothing marked
    EVENTS_MARKED = "events.marked"  # marked and committed, the events not acknowledged


UNREAD = {
    "apply_batch": CrashPoint.PUSH_UNREAD,
    "pull_changes": CrashPoint.PULL_UNREAD,
    "ack_changes": CrashPoint.PULL_ACK_UNREAD,
}
"""The step at which a call's answer has come and is not read, by the method that was called."""

_Decision = Callable[[CrashPoint], bool]

_is_time: _Decision | None = None


def reached(point: CrashPoint) -> None:
    """Report that a step is reached."""
    if _is_time is not None and _is_time(point):
        _die(point)


def answered(method: str) -> None:
    """Report that Odoo answered a call of this method and the answer is still unread."""
    if _is_time is not None and method in UNREAD:
        reached(UNREAD[method])


def arm(environ: Mapping[str, str]) -> str:
    """Arm what the environment asks for; returns its text, empty if it asks for nothing.

    Raises: ConfigError naming the variable that cannot be used.
    """
    global _is_time
    at, dice = environ.get(AT, ""), environ.get(RANDOM, "")
    if at and dice:
        raise ConfigError(f"set only one of {AT} and {RANDOM}")
    _is_time = _nth(at) if at else _thrown(dice) if dice else None
    return at or dice


def _nth(text: str) -> _Decision:
    name, _, times = text.partition(":")
    if name not in set(CrashPoint) or not (times or "1").isdecimal() or times == "0":
        raise ConfigError(
            f'{AT}={text} should be a crash point, or one with its turn as in "push.unread:2"; '
            f"there are {', '.join(CrashPoint)}"
        )
    left = int(times or "1")
    lock = threading.Lock()

    def is_time(point: CrashPoint) -> bool:
        nonlocal left
        with lock:
            left -= point == name
            return point == name and left == 0

    return is_time


def _thrown(text: str) -> _Decision:
    seed, _, probability = text.partition(":")
    try:
        limit = float(probability)
    except ValueError:
        limit = -1.0
    if not seed.isdecimal() or not 0 <= limit <= 1:
        raise ConfigError(f'{RANDOM}={text} should be a seed and a probability, as in "7:0.01"')
    dice = random.Random(int(seed))
    lock = threading.Lock()

    def is_time(_point: CrashPoint) -> bool:
        with lock:
            return dice.random() < limit

    return is_time


def _die(point: CrashPoint) -> None:
    # past every buffer, which dies with the process
    os.write(2, f'{{"event": "crash_point.reached", "point": "{point}", "level": "warning"}}\n'.encode())
    os.kill(os.getpid(), signal.SIGKILL)
