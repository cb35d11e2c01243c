"""Runs every check and every test, and says how many there were; `make test` and `make fast` call it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from threading import Lock

from stack import layout
from sync_daemon.errors import BridgeError
from tests import newer_python
from tests.lanes import LANES, TEST_ENVIRONMENT, addon_settings, lane_environment
from tests.seed import ROOT
from tests.stack_use import end_on_sigterm, using

REPORTS = ROOT / "build" / "reports"
COVERAGE = REPORTS / "coverage"
BIN = Path(sys.executable).parent
ADDON_TESTS = Path("addons", "comply360_bridge", "tests")
FOLDERS = (
    "unit",
    "contract",
    "services",
    "addon",
    "ports",
    "migration",
    "integration",
    "mutants",
    "acceptance",
    "torture",
)
NEED_NOTHING = frozenset({"unit", "contract", "services"})
# in memory and on servers: two jobs
BOTH_WAYS = frozenset({"ports"})
# their files are spread over the lanes; a folder that is not here is one job
SPREAD = frozenset({"acceptance"})
# of the addon's tests, what is a job besides the rest: a file each would load Odoo's modules a dozen times more
ADDON_PARTS = {
    "addon-money": ("test_bill_links.py", "test_bills.py", "test_commission_page.py", "test_money.py"),
    "addon-guards": ("test_concurrency.py", "test_documents.py", "test_guard.py", "test_walls.py"),
}
# run on a second Python as well
NEWER_PYTHON = "newer-python"
ON_NEWER_PYTHON = ("tests/unit", "tests/ports/test_odoo_transports.py")
# how many jobs run at once where none needs servers: one a core
HANDS = 2
# how long each job took when `--record` wrote it
SECONDS = ROOT / "tests" / "seconds.json"
CHECKS = {
    "ruff": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "commits": ["python", "-m", "tests.commit_subjects"],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports"],
    "pylint-odoo": [
        "pylint",
        "--load-plugins=pylint_odoo",
        "--disable=all",
        "--enable=odoolint",
        # the authors are not the Odoo Community Association; a model of several topics has a file for each
        "--disable=manifest-required-author,consider-merging-classes-inherited",
        "--score=n",
        "addons",
    ],
}


@dataclass(frozen=True)
class Outcome:
    """How many of what passed, failed, and were skipped; and how long it took. `bad` names what did not pass."""

    name: str
    passed: int
    failed: int
    skipped: int = 0
    seconds: float = 0
    bad: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What one pytest runs; it is counted under its folder, and its name is that of its log and its report."""

    folder: str
    name: str
    arguments: tuple[str, ...]
    needs_servers: bool
    is_measured: bool = False


class Queue:
    """Jobs that wait; what takes long goes first, so that all end together."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        known = json.loads(SECONDS.read_text())
        # one that nobody has measured may be the longest
        self._jobs = sorted(jobs, key=lambda job: known.get(job.name, inf), reverse=True)
        self._lock = Lock()

    def next(self, has_servers: bool) -> Job | None:
        """Takes a job, one that needs servers before others."""
        with self._lock:
            fitting = [job for job in self._jobs if has_servers or not job.needs_servers]
            chosen = min(fitting, key=lambda job: not job.needs_servers, default=None)
            if chosen:
                self._jobs.remove(chosen)
            return chosen

    @property
    def lanes(self) -> range:
        """The lanes that have something to do."""
        return range(1, 1 + min(LANES, sum(job.needs_servers for job in self._jobs)))

    def clear(self) -> None:
        """Nobody takes anything any more."""
        with self._lock:
            self._jobs.clear()


def main() -> int:
    """Gives 0 only if everything ran and passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.run")
    everything = ["lint", *FOLDERS, NEWER_PYTHON]
    parser.add_argument("--only", action="append", choices=everything, help="run only this; repeatable")
    parser.add_argument("--fast", action="store_true", help="run only what needs no server, on one Python")
    parser.add_argument("--record", action="store_true", help="write down how long each job takes, for later runs")
    options = parser.parse_args()
    end_on_sigterm()
    began = time.monotonic()
    REPORTS.mkdir(parents=True, exist_ok=True)
    wanted = options.only or everything
    jobs = [job for job in _jobs() if job.folder in wanted]
    if options.fast:
        jobs = [job for job in jobs if not job.needs_servers and job.folder != NEWER_PYTHON]
    is_whole = not (options.only or options.fast)
    if is_whole:
        jobs = [replace(job, is_measured=not job.needs_servers and job.folder != NEWER_PYTHON) for job in jobs]
        shutil.rmtree(COVERAGE, ignore_errors=True)
        COVERAGE.mkdir()
    outcomes = _run_all(Queue(jobs), "lint" in wanted)
    if options.record:
        SECONDS.write_text(json.dumps(_took, indent=1, sort_keys=True) + "\n")
    covered = _covered() if is_whole else ""
    return _sum_up(outcomes, time.monotonic() - began, covered)


def _sum_up(outcomes: Sequence[Outcome], seconds: float, covered: str) -> int:
    for name in dict.fromkeys([*CHECKS, *FOLDERS, NEWER_PYTHON, *(outcome.name for outcome in outcomes)]):
        same = [outcome for outcome in outcomes if outcome.name == name]
        if same:
            passed, failed, skipped = (
                sum(getattr(one, what) for one in same) for what in ("passed", "failed", "skipped")
            )
            took = sum(outcome.seconds for outcome in same)
            print(f"{name:<16} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped {took:>6.0f} s")
    failed = sum(outcome.failed + outcome.skipped for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    if covered:
        print(covered)
    for outcome in outcomes:
        for name in outcome.bad:
            print(f"did not pass: {name}")
    print(f"{passed + failed} tests and checks in {seconds:.0f} s; one that is skipped counts as failed")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def _covered() -> str:
    """How much of the daemon the tests without servers run; which lines they leave out is in a file."""
    environment = {**os.environ, "COVERAGE_FILE": str(COVERAGE / "all")}
    for words in (["combine", "-q", *map(str, COVERAGE.glob("of-*"))], ["report", "--show-missing"]):
        done = subprocess.run(
            [sys.executable, "-m", "coverage", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    lines = COVERAGE.with_suffix(".txt")
    lines.write_text(done.stdout)
    share = done.stdout.split()[-1] if done.stdout else "?"
    return f"tests without servers run {share} of sync_daemon's lines: {lines.relative_to(ROOT)}"


def _run_all(queue: Queue, lint: bool) -> list[Outcome]:
    lanes = queue.lanes
    # while the servers start, the checks and what needs none use what is left of the cores
    hands = 1 if lanes else HANDS
    with ThreadPoolExecutor(len(lanes) + hands + 2) as pool:
        seeding = pool.submit(_seeded, bool(lanes))
        running = [pool.submit(_run_lane, lane, queue, seeding) for lane in lanes]
        running += [pool.submit(_lint)] if lint else []
        running += [pool.submit(_work_off, queue, False, TEST_ENVIRONMENT) for _ in range(hands)]
        try:
            return [outcome for one in running for outcome in one.result()]
        except (KeyboardInterrupt, SystemExit):
            # the lanes finish what they have in hand, and stop their servers
            queue.clear()
            raise


def _jobs() -> Iterator[Job]:
    for folder in FOLDERS:
        path = ADDON_TESTS if folder == "addon" else Path("tests", folder)
        if folder in SPREAD:
            for file in sorted((ROOT / path).glob("test_*.py")):
                name = f"{folder}-{file.stem.removeprefix('test_')}"
                yield Job(folder, name, (str(path / file.name),), True)
        elif folder == "addon":
            yield from _jobs_of_the_addon()
        elif folder in BOTH_WAYS:
            yield Job(folder, f"{folder}-memory", ("--needs=nothing", str(path)), False)
            yield Job(folder, f"{folder}-servers", ("--needs=servers", str(path)), True)
        elif any((ROOT / path).rglob("test_*.py")):
            yield Job(folder, folder, (str(path),), folder not in NEED_NOTHING)
    yield Job(NEWER_PYTHON, NEWER_PYTHON, ("-p", "no:cacheprovider", *ON_NEWER_PYTHON), False)


def _jobs_of_the_addon() -> Iterator[Job]:
    apart = [ADDON_TESTS / file for files in ADDON_PARTS.values() for file in files]
    yield Job("addon", "addon", (str(ADDON_TESTS), *(f"--ignore={path}" for path in apart)), True)
    for name, files in ADDON_PARTS.items():
        yield Job("addon", name, tuple(str(ADDON_TESTS / file) for file in files), True)


def _run_lane(lane: int, queue: Queue, seeding: Future[bool]) -> list[Outcome]:
    """Works off jobs on servers of the lane's own."""
    environment = lane_environment(lane)
    if not seeding.result():
        return [Outcome("test stack", 0, 1)]
    with using(layout.from_environment(environment)):
        if not _said_in_log(f"test stack {lane}", "tests.lanes", environment):
            return [Outcome("test stack", 0, 1)]
        return _work_off(queue, True, environment)


def _work_off(queue: Queue, has_servers: bool, environment: dict[str, str]) -> list[Outcome]:
    outcomes = []
    while job := queue.next(has_servers):
        outcomes.append(_pytest(job, environment))
    return outcomes


def _seeded(wanted: bool) -> bool:
    return not wanted or _said_in_log("what the test stacks begin with", "tests.seed", TEST_ENVIRONMENT)


def _said_in_log(what: str, module: str, environment: dict[str, str]) -> bool:
    log = REPORTS / f"{what.replace(' ', '-')}.log"
    _say(f"preparing {what} beside the first checks; log: {log.relative_to(ROOT)}")
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=_child_environment(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        _say(log.read_text(errors="replace"))
    return done.returncode == 0


_SPEAKING = Lock()


def _say(text: str) -> None:
    with _SPEAKING:
        print(text, flush=True)


def _lint() -> list[Outcome]:
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        return list(pool.map(_check, CHECKS))


def _check(name: str) -> Outcome:
    began, (program, *options) = time.monotonic(), CHECKS[name]
    done = subprocess.run([str(BIN / program), *options], cwd=ROOT, capture_output=True, text=True, check=False)
    _say(f"== {name}\n{done.stdout}{done.stderr}")
    return Outcome(name, int(done.returncode == 0), int(done.returncode != 0), seconds=time.monotonic() - began)


_took: dict[str, int] = {}


def _pytest(job: Job, lane: dict[str, str]) -> Outcome:
    began = time.monotonic()
    outcome = _on_newer_python(job) if job.folder == NEWER_PYTHON else _on_this_python(job, lane)
    _took[job.name] = round(time.monotonic() - began)
    return replace(outcome, seconds=time.monotonic() - began)


def _on_this_python(job: Job, lane: dict[str, str]) -> Outcome:
    options: list[str] = []
    environment = lane
    if job.folder == "addon":
        options, environment = addon_settings(lane, Path(lane["C360_STACK_DIR"]) / "odoo.conf")
    if job.is_measured:
        environment = {**environment, "COVERAGE_FILE": str(COVERAGE / f"of-{job.name}")}
        options = ["run", "--source=sync_daemon", "-m", "pytest"]
        return _run_pytest(job, [sys.executable, "-m", "coverage", *options], environment)
    return _run_pytest(job, [sys.executable, "-m", "pytest", *options], environment)


def _on_newer_python(job: Job) -> Outcome:
    """The tests that need no server, on a Python that closes, warns and forgets where ours does not."""
    try:
        python = newer_python.locate(ROOT / ".cache")
    except BridgeError as error:
        _say(f"== {NEWER_PYTHON}\n{error}")
        return Outcome(NEWER_PYTHON, 0, 1)
    return _run_pytest(job, [str(python.executable), "-m", "pytest"], {**TEST_ENVIRONMENT, **python.environment})


def _run_pytest(job: Job, pytest: Sequence[str], environment: dict[str, str]) -> Outcome:
    report, log = REPORTS / f"{job.name}.xml", REPORTS / f"{job.name}.log"
    report.unlink(missing_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            [*pytest, f"--junitxml={report}", "--durations=5", *job.arguments],
            cwd=ROOT,
            env=_child_environment(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    _say(f"== {job.name}\n{log.read_text(errors='replace')}")
    return _outcome(job.folder, report, done.returncode)


def _child_environment(own: dict[str, str]) -> dict[str, str]:
    """Each `c360` that a test starts finds the tree compiled, also where a machine says not to write it down."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**given, **own}


def _outcome(name: str, report: Path, code: int) -> Outcome:
    if not report.exists():
        return Outcome(name, 0, 1)
    root = ElementTree.parse(report).getroot()
    suites = root.iter("testsuite")
    counts = [{key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")} for suite in suites]
    total, skipped = sum(item["tests"] for item in counts), sum(item["skipped"] for item in counts)
    failed = sum(item["failures"] + item["errors"] for item in counts)
    # an interrupted or empty run must not look like success
    return Outcome(name, total - failed - skipped, failed or int(code != 0), skipped, bad=tuple(_not_passed(root)))


def _not_passed(root: ElementTree.Element) -> Iterator[str]:
    """The tests that failed or were skipped, each with the first line of why."""
    for case in root.iter("testcase"):
        for what in ("failure", "error", "skipped"):
            if (found := case.find(what)) is not None:
                why = (found.get("message") or "").strip().splitlines() or [""]
                yield f"{case.get('classname')}::{case.get('name')}: {why[0][:200]}"


if __name__ == "__main__":
    raise SystemExit(main())
