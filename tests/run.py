"""Runs every check and every test, and says how many there were; `make test` calls it."""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock

from stack import layout, local, odoo, odoo_source, packages, postgres, rabbitmq
from sync_daemon.cli.stack import steps
from sync_daemon.errors import BridgeError
from tests import newer_python
from tests.stack_use import end_on_sigterm, using

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
BIN = Path(sys.executable).parent
FIRST_PORT = int(os.environ.get("C360_TEST_PORT_BASE", "27000"))
# a copy of the tree (tests/mutants) uses the servers of the tree itself
STACKS = Path(os.environ.get("C360_TEST_STACKS", ROOT / "build"))
# the tests wait more than they compute
LANES = 3


def lane_environment(lane: int) -> dict[str, str]:
    """The test stack of one lane: tests of different lanes share no server."""
    folder = "test-stack" if lane == 1 else f"test-stack-{lane}"
    return {
        "C360_TEST_LANE": str(lane),
        "C360_STACK_DIR": str(STACKS / folder),
        "C360_STACK_PORT_BASE": str(FIRST_PORT + 10 * (lane - 1)),
        "C360_ENV_FILE": "/dev/null",
    }


TEST_ENVIRONMENT = lane_environment(int(os.environ.get("C360_TEST_LANE", "1")))
ADDON_DATABASE = "comply360_addon_test"
PRISTINE_DATABASE = "comply360_addon_pristine"
ADDON_TESTS = ROOT / "addons" / "comply360_bridge" / "tests"
FOLDERS = ("unit", "contract", "addon", "ports", "migration", "integration", "mutants", "acceptance", "torture")
NEED_NOTHING = frozenset({"unit", "contract"})
# run on a second Python as well
NEWER_PYTHON = "newer-python"
ON_NEWER_PYTHON = ("tests/unit", "tests/ports/test_odoo_transports.py")
# their files are spread over the lanes; a folder that is not here is one job
SPREAD = frozenset({"acceptance"})
CHECKS = {
    "ruff": ["ruff", "check", "."],
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
    """How many of what passed, failed, and were skipped."""

    name: str
    passed: int
    failed: int
    skipped: int = 0


@dataclass(frozen=True)
class Job:
    """What one pytest runs: a folder, or one file of it."""

    folder: str
    path: Path

    @property
    def name(self) -> str:
        """Names its log and its report."""
        return self.folder if self.path.is_dir() else f"{self.folder}-{self.path.stem.removeprefix('test_')}"


def main() -> int:
    """Gives 0 only if everything ran and passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.run")
    parser.add_argument(
        "--only", action="append", choices=["lint", *FOLDERS, NEWER_PYTHON], help="run only this; repeatable"
    )
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        return prepare()
    wanted = options.only or ["lint", *FOLDERS, NEWER_PYTHON]
    end_on_sigterm()
    began = time.monotonic()
    REPORTS.mkdir(parents=True, exist_ok=True)
    outcomes = _run_all(wanted)
    for outcome in _by_name(outcomes):
        print(f"{outcome.name:<16} {outcome.passed:>5} passed {outcome.failed:>4} failed {outcome.skipped:>4} skipped")
    failed = sum(outcome.failed + outcome.skipped for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    print(
        f"{passed + failed} tests and checks in {time.monotonic() - began:.0f} s; one that is skipped counts as failed"
    )
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def prepare() -> int:
    """Starts one lane's test stack and keeps a copy of Odoo's database as it is right after installation."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    os.environ.update(TEST_ENVIRONMENT)
    try:
        here = layout.from_environment()
        with (REPORTS / "install.lock").open("w") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            packages.install(["docker-compose", "chromium"])
            postgres.install()
            rabbitmq.install()
            odoo_source.locate(here.cache)
        settings = local.up(here, steps(), without=("odoo", "daemon"))
        fresh = not (here.state / f"addon-digest-{settings.odoo_postgres_db}").exists()
        odoo.prepare_database(here, settings)
        if fresh:
            odoo.copy_database(here, settings, PRISTINE_DATABASE)
        pristine = settings.model_copy(update={"odoo_postgres_db": PRISTINE_DATABASE})
        odoo.prepare_database(here, pristine)
        odoo.copy_database(here, pristine, ADDON_DATABASE)
        local.up(here, steps(), without=("daemon",))
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layout.exit_code(error)
    return 0


def _by_name(outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    for name in dict.fromkeys(outcome.name for outcome in outcomes):
        same = [outcome for outcome in outcomes if outcome.name == name]
        sums = (sum(getattr(outcome, part) for outcome in same) for part in ("passed", "failed", "skipped"))
        yield Outcome(name, *sums)


def _run_all(wanted: Sequence[str]) -> list[Outcome]:
    folders = [name for name in FOLDERS if name in wanted and _has_tests(name)]
    jobs = sorted((job for name in folders if name not in NEED_NOTHING for job in _jobs(name)), key=_size, reverse=True)
    queue: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        queue.put(job)
    lanes = range(1, min(LANES, len(jobs)) + 1)
    # the servers start while the checks and the unit tests use what is left of the cores
    with ThreadPoolExecutor(max(1, len(lanes))) as pool:
        running = [pool.submit(_run_lane, lane, queue) for lane in lanes]
        try:
            outcomes = _lint() if "lint" in wanted else []
            outcomes += [
                _pytest(job, TEST_ENVIRONMENT) for name in folders if name in NEED_NOTHING for job in _jobs(name)
            ]
            outcomes += [_newer_python()] if NEWER_PYTHON in wanted else []
            return outcomes + [outcome for lane in running for outcome in lane.result()]
        except (KeyboardInterrupt, SystemExit):
            # the lanes finish what they have in hand, and stop their servers
            while not queue.empty():
                queue.get_nowait()
            raise


def _jobs(name: str) -> list[Job]:
    folder = _folder(name)
    return [Job(name, path) for path in sorted(folder.glob("test_*.py"))] if name in SPREAD else [Job(name, folder)]


def _size(job: Job) -> int:
    """What takes long goes first, so that the lanes end together; folders count as long."""
    return 10**9 if job.path.is_dir() else job.path.stat().st_size


def _run_lane(lane: int, queue: SimpleQueue[Job]) -> list[Outcome]:
    """Works off jobs on servers of the lane's own."""
    environment = lane_environment(lane)
    with using(layout.from_environment(environment)):
        if not _prepared(lane, environment):
            return [Outcome("test stack", 0, 1)]
        outcomes = []
        while True:
            try:
                job = queue.get_nowait()
            except Empty:
                return outcomes
            outcomes.append(_pytest(job, environment))


def _prepared(lane: int, environment: dict[str, str]) -> bool:
    log = REPORTS / f"prepare-{lane}.log"
    _say(f"starting test stack {lane} beside the first checks; its log: {log.relative_to(ROOT)}")
    with log.open("wb") as output:
        command = [sys.executable, "-m", "tests.run", "--prepare"]
        environment = {**os.environ, **environment}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        _say(log.read_text(errors="replace"))
    return done.returncode == 0


_SPEAKING = Lock()


def _say(text: str) -> None:
    with _SPEAKING:
        print(text, flush=True)


def _has_tests(name: str) -> bool:
    return any(_folder(name).rglob("test_*.py"))


def _folder(name: str) -> Path:
    return ADDON_TESTS if name == "addon" else ROOT / "tests" / name


def _lint() -> list[Outcome]:
    codes = {name: _check(name, command) for name, command in CHECKS.items()}
    return [Outcome(name, int(code == 0), int(code != 0)) for name, code in codes.items()]


def _pytest(job: Job, lane: dict[str, str]) -> Outcome:
    options, environment = [], lane
    if job.folder == "addon":
        options, environment = addon_settings(lane, Path(lane["C360_STACK_DIR"]) / "odoo.conf")
    return _run_pytest(job.folder, job.name, sys.executable, [*options, str(job.path)], environment)


def _newer_python() -> Outcome:
    """The tests that need no server, on a Python that closes, warns and forgets where ours does not."""
    try:
        python = newer_python.locate(ROOT / ".cache")
    except BridgeError as error:
        _say(f"== {NEWER_PYTHON}\n{error}")
        return Outcome(NEWER_PYTHON, 0, 1)
    options = ["-p", "no:cacheprovider", *ON_NEWER_PYTHON]
    environment = {**TEST_ENVIRONMENT, **python.environment}
    return _run_pytest(NEWER_PYTHON, NEWER_PYTHON, str(python.executable), options, environment)


def _run_pytest(kind: str, name: str, python: str, options: Sequence[str], environment: dict[str, str]) -> Outcome:
    report, log = REPORTS / f"{name}.xml", REPORTS / f"{name}.log"
    report.unlink(missing_ok=True)
    arguments = [python, "-m", "pytest", f"--junitxml={report}", "--durations=5", *options]
    with log.open("wb") as output:
        environment = {**os.environ, **environment}
        done = subprocess.run(
            arguments, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    _say(f"== {name}\n{log.read_text(errors='replace')}")
    return _outcome(kind, report, done.returncode)


def addon_settings(lane: dict[str, str], configuration: Path) -> tuple[list[str], dict[str, str]]:
    """Options of pytest-odoo, and an environment in which Odoo is found."""
    # pyproject's options keep Odoo out of every other run and make Odoo's own warnings errors
    plain = ["-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "--strict-markers"]
    options = [*plain, f"--odoo-config={configuration}", f"--odoo-database={ADDON_DATABASE}", "--odoo-http"]
    source = odoo_source.locate(layout.from_environment(lane).cache)
    return options, {**lane, "PYTHONPATH": str(source.python_path)}


def _outcome(name: str, report: Path, code: int) -> Outcome:
    if not report.exists():
        return Outcome(name, 0, 1)
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts = [{key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")} for suite in suites]
    total, skipped = sum(item["tests"] for item in counts), sum(item["skipped"] for item in counts)
    failed = sum(item["failures"] + item["errors"] for item in counts)
    # an interrupted or empty run must not look like success
    return Outcome(name, total - failed - skipped, failed or int(code != 0), skipped)


def _check(name: str, command: Sequence[str]) -> int:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    _say(f"== {name}\n{done.stdout}{done.stderr}")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
