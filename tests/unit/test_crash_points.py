"""Crash points: nothing when off, and a death at exactly the step that was asked for."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sync_daemon import crash_points
from sync_daemon.crash_points import CrashPoint, answered, reached
from sync_daemon.errors import ConfigError

DAEMON = Path(crash_points.__file__).parent
PROGRAM = """
import sys
from sync_daemon.crash_points import CrashPoint, answered, arm, reached
arm({sys.argv[1]: sys.argv[2]})
for number in range(1, 1001):
    for point in CrashPoint:
        print(number, point, flush=True)
        reached(point)
    answered("ping")
    print(number, "answered", flush=True)
    answered("ack_changes")
"""


def died(name: str, value: str) -> tuple[str, str]:
    """Runs a process past every step; what it said last on stdout, and its farewell on stderr."""
    arguments = [sys.executable, "-c", PROGRAM, name, value]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done
    return done.stdout.splitlines()[-1], json.loads(done.stderr)["point"]


@pytest.mark.parametrize("point", CrashPoint)
def test_the_process_dies_at_the_step_that_was_named(point: CrashPoint) -> None:
    assert died(crash_points.AT, point) == (f"1 {point}", point)


def test_it_dies_the_third_time_a_step_is_reached() -> None:
    assert died(crash_points.AT, "push.settled:3") == ("3 push.settled", "push.settled")


def test_an_answer_is_a_step_of_the_method_that_was_called() -> None:
    assert died(crash_points.AT, "pull.ack_unread:2") == ("1 answered", "pull.ack_unread")


def test_the_same_dice_end_at_the_same_step() -> None:
    first = died(crash_points.RANDOM, "7:0.01")
    assert first == died(crash_points.RANDOM, "7:0.01")
    assert first != died(crash_points.RANDOM, "8:0.01")


def test_without_being_asked_nothing_happens() -> None:
    assert crash_points.arm({"C360_CRASH_AT": "", "C360_CRASH_RANDOM": ""}) == ""
    for point in CrashPoint:
        reached(point)
    answered("apply_batch")


@pytest.mark.parametrize(
    "environ",
    [
        {"C360_CRASH_AT": "push"},
        {"C360_CRASH_AT": "push.settled:0"},
        {"C360_CRASH_AT": "push.settled:often"},
        {"C360_CRASH_RANDOM": "0.01"},
        {"C360_CRASH_RANDOM": "7:2"},
        {"C360_CRASH_RANDOM": "7:nan"},
        {"C360_CRASH_AT": "push.settled", "C360_CRASH_RANDOM": "7:0.01"},
    ],
)
def test_what_cannot_be_done_is_refused_by_the_variables_name(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(environ))):
        crash_points.arm(environ)


def test_every_step_stands_at_one_place_of_the_daemon() -> None:
    places: Counter[str] = Counter()
    for path in DAEMON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "reached" and path.name != "crash_points.py":
                places[ast.unparse(node.args[0]).removeprefix("CrashPoint.")] += 1
    unread = {point.name for point in crash_points.UNREAD.values()}
    assert places == Counter({point.name for point in CrashPoint} - unread)
