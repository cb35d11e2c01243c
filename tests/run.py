"""Runs every check and every test, and says how many there were; `make test` calls it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stack import layout, local, odoo, odoo_source, packages
from sync_daemon.cli.stack import steps
from sync_daemon.errors import BridgeError
from tests.stack_use import using

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
BIN = Path(sys.executable).parent
TEST_ENVIRONMENT = {
    "C360_STACK_DIR": str(ROOT / "build" / "test-stack"),
    "C360_STACK_PORT_BASE": os.environ.get("C360_TEST_PORT_BASE", "27000"),
    "C360_ENV_FILE": "/dev/null",
}
ADDON_DATABASE = "comply360_addon_test"
PRISTINE_DATABASE = "comply360_addon_pristine"
ADDON_TESTS = ROOT / "addons" / "comply360_bridge" / "tests"
FOLDERS = ("unit", "contract", "addon", "ports", "migration", "integration", "acceptance")
NEED_NOTHING = frozenset({"unit", "contract"})
SHARE_THE_STACK = frozenset({"addon", "ports", "migration"})
CHECKS = {
    "ruff": ["ruff", "check", "."],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports"],
    "pylint-odoo": [
        "pylint",
        "--load-plugins=pylint_odoo",
        "--disable=all",
        "--enable=odoolint",
        # the authors are not the Odoo Community Association
        "--disable=manifest-required-author",
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


def main() -> int:
    """Gives 0 only if everything ran and passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.run")
    parser.add_argument("--only", action="append", choices=["lint", *FOLDERS], help="run only this; repeatable")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        return prepare()
    wanted = options.only or ["lint", *FOLDERS]
    began = time.monotonic()
    REPORTS.mkdir(parents=True, exist_ok=True)
    outcomes = _run_all(wanted)
    for outcome in outcomes:
        print(f"{outcome.name:<16} {outcome.passed:>5} passed {outcome.failed:>4} failed {outcome.skipped:>4} skipped")
    failed = sum(outcome.failed + outcome.skipped for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    print(
        f"{passed + failed} tests and checks in {time.monotonic() - began:.0f} s; one that is skipped counts as failed"
    )
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def prepare() -> int:
    """Starts the test stack and keeps a copy of Odoo's database as it is right after installation."""
    os.environ.update(TEST_ENVIRONMENT)
    try:
        packages.install(["docker-compose"])
        here = layout.from_environment()
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


def _run_all(wanted: Sequence[str]) -> list[Outcome]:
    folders = [name for name in FOLDERS if name in wanted and _has_tests(name)]
    if not NEED_NOTHING.issuperset(folders):
        with using(layout.from_environment(TEST_ENVIRONMENT)):
            return _run_with_stack(wanted, folders)
    return _run_plain(wanted, folders)


def _run_plain(wanted: Sequence[str], folders: Sequence[str]) -> list[Outcome]:
    outcomes = _lint() if "lint" in wanted else []
    return outcomes + [_pytest(name) for name in folders if name in NEED_NOTHING]


def _run_with_stack(wanted: Sequence[str], folders: Sequence[str]) -> list[Outcome]:
    # the servers start while the checks and the unit tests use the other core
    preparation = _start_preparation()
    try:
        outcomes = _run_plain(wanted, folders)
    finally:
        failed = preparation.wait() != 0
    if failed:
        print((REPORTS / "prepare.log").read_text(), file=sys.stderr)
        return [*outcomes, Outcome("test stack", 0, 1)]
    # two at a time: they spend much of their time waiting, each in databases or virtual hosts of its own
    with ThreadPoolExecutor(2) as pool:
        outcomes += pool.map(_pytest, [name for name in folders if name in SHARE_THE_STACK])
    return outcomes + [_pytest(name) for name in folders if name not in SHARE_THE_STACK | NEED_NOTHING]


def _start_preparation() -> subprocess.Popen[bytes]:
    print("starting the test stack beside the first checks; its log: build/reports/prepare.log", flush=True)
    with (REPORTS / "prepare.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.run", "--prepare"]
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


def _has_tests(name: str) -> bool:
    return any(_folder(name).rglob("test_*.py"))


def _folder(name: str) -> Path:
    return ADDON_TESTS if name == "addon" else ROOT / "tests" / name


def _lint() -> list[Outcome]:
    codes = {name: _check(name, command) for name, command in CHECKS.items()}
    return [Outcome(name, int(code == 0), int(code != 0)) for name, code in codes.items()]


def _pytest(name: str) -> Outcome:
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    arguments = [sys.executable, "-m", "pytest", f"--junitxml={report}", "--durations=5", *_addon_options(name)]
    log = REPORTS / f"{name}.log"
    with log.open("wb") as output:
        environment = {**os.environ, **_test_environment(name)}
        code = subprocess.run(
            [*arguments, str(_folder(name))],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    print(f"== {name}\n{log.read_text(errors='replace')}", flush=True)
    return _outcome(name, report, code)


def _addon_options(name: str) -> list[str]:
    if name != "addon":
        return []
    configuration = Path(TEST_ENVIRONMENT["C360_STACK_DIR"]) / "odoo.conf"
    # pyproject's options keep Odoo out of every other run and make Odoo's own warnings errors
    plain = ["-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "--strict-markers"]
    return [*plain, f"--odoo-config={configuration}", f"--odoo-database={ADDON_DATABASE}", "--odoo-http"]


def _test_environment(name: str) -> dict[str, str]:
    if name != "addon":
        return TEST_ENVIRONMENT
    source = odoo_source.locate(layout.from_environment(TEST_ENVIRONMENT).cache)
    return {**TEST_ENVIRONMENT, "PYTHONPATH": str(source.python_path)}


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
    print(f"== {name}", flush=True)
    return subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
