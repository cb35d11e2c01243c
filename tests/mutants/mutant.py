"""Mutants: patches that take one guard out of a copy of the code. Each must turn the test it names red.

A patch begins with `Guard: ` and a sentence, and `Test: ` and the id of a test. The shipped code has no switch that
turns a guard off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lanes import TEST_ENVIRONMENT, addon_settings
from tests.seed import FIRST_PORT, ROOT, STACKS

FOLDER = Path(__file__).resolve().parent
ADDON = "addons/"
QUICK = ("tests/unit/", "tests/contract/", "tests/integration/")
# The servers are those of the tree itself: a copy of `stack` would start others in their place.
LEFT_OUT = ("stack",)
PATIENCE = 600


class MutantError(Exception):
    """A mutant that proves nothing; the text says why."""


@dataclass(frozen=True)
class Mutant:
    """A patch, the guard that it takes out, and the test that must see it."""

    path: Path
    guard: str
    test: str

    @property
    def name(self) -> str:
        """The patch's name."""
        return self.path.stem

    @property
    def is_quick(self) -> bool:
        """Whether its test takes seconds."""
        return self.test.startswith(QUICK)


def mutants() -> list[Mutant]:
    """All of them, by name."""
    return [_read(path) for path in sorted(FOLDER.glob("*.patch"))]


def prove(mutant: Mutant) -> None:
    """Apply the patch to a copy, and see the test fail. Raises MutantError if it does not apply, or nothing fails."""
    with copied() as tree:
        apply(mutant, tree)
        outcome = run(tree, [mutant.test])
    if outcome.broken or not outcome.failed:
        why = "cannot run" if outcome.broken else "stays green"
        raise MutantError(f"{mutant.name}: without the guard ({mutant.guard}) {mutant.test} {why}\n{outcome.said}")


def check_green(chosen: Iterable[Mutant]) -> None:
    """See every named test pass in an unchanged copy. Raises MutantError naming what does not."""
    tests = sorted({mutant.test for mutant in chosen})
    of_addon = [test for test in tests if test.startswith(ADDON)]
    with copied() as tree:
        for group in filter(None, (of_addon, [test for test in tests if test not in of_addon])):
            outcome = run(tree, group)
            if outcome.broken or outcome.failed or outcome.passed < len(group):
                raise MutantError(f"without any patch these do not all pass: {', '.join(group)}\n{outcome.said}")


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the tree as it is, in a folder of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with tempfile.TemporaryDirectory(prefix="c360-mutant-") as folder:
        for name in filter(None, listed.split("\0")):
            source = ROOT / name
            if source.is_file() and not name.startswith(tuple(f"{part}/" for part in LEFT_OUT)):
                target = Path(folder, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                for one in (source, *_compiled(source)):
                    copy = target.parent / one.relative_to(source.parent)
                    copy.parent.mkdir(exist_ok=True)
                    # with its time, by which Python knows what was compiled from it
                    shutil.copy2(one, copy)
        yield Path(folder)


def _compiled(source: Path) -> Iterable[Path]:
    return source.parent.glob(f"__pycache__/{source.stem}.*.pyc") if source.suffix == ".py" else ()


def check(mutant: Mutant, tree: Path) -> None:
    """See that the patch applies, and change nothing. Raises MutantError if it does not fit any more."""
    _apply(mutant, tree, "--check")


def apply(mutant: Mutant, tree: Path) -> None:
    """Apply the patch. Raises MutantError if it does not fit any more."""
    _apply(mutant, tree)


def _apply(mutant: Mutant, tree: Path, *options: str) -> None:
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", *options, str(mutant.path)],
        cwd=tree,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MutantError(f"{mutant.name}: the patch does not apply any more; renew it\n{done.stderr.strip()}")


@dataclass(frozen=True)
class Outcome:
    """How a run of tests in a copy went; `broken` are errors outside of the tests themselves."""

    passed: int
    failed: int
    broken: int
    said: str


def run(tree: Path, tests: Sequence[str]) -> Outcome:
    """Run tests in a copy, against the servers of the tree itself."""
    report = tree / "report.xml"
    is_addon = tests[0].startswith(ADDON)
    options, environment = _addon_settings(tree) if is_addon else ([], _environment(tree))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x" if len(tests) == 1 else "-q",
            f"--junitxml={report}",
            *options,
            *tests,
        ],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if not report.exists():
        return Outcome(0, 0, 1, _tail(done.stdout))
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total, failed, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return Outcome(total - failed - errors - skipped, failed, errors + skipped, _tail(done.stdout))


def _read(path: Path) -> Mutant:
    head = dict(line.split(": ", 1) for line in path.read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines())
    return Mutant(path, head["Guard"], head["Test"])


def _environment(tree: Path) -> dict[str, str]:
    lane = TEST_ENVIRONMENT["C360_TEST_LANE"]
    ours = {"C360_TEST_STACKS": str(STACKS), "C360_TEST_PORT_BASE": str(FIRST_PORT), "C360_TEST_LANE": lane}
    # before the installed package, also for every `c360` that a test starts
    return {**os.environ, **ours, "PYTHONPATH": str(tree)}


def _addon_settings(tree: Path) -> tuple[list[str], dict[str, str]]:
    """Odoo takes the addon from the copy; its database is the one of the addon's own tests."""
    configuration = Path(TEST_ENVIRONMENT["C360_STACK_DIR"], "odoo.conf").read_text(encoding="utf-8")
    copy = tree / "odoo-of-the-copy.conf"
    copy.touch(mode=0o600)
    copy.write_text(configuration.replace(str(ROOT / "addons"), str(tree / "addons")), encoding="utf-8")
    options, environment = addon_settings(TEST_ENVIRONMENT, copy)
    return options, {**os.environ, **environment}


def _tail(text: str, lines: int = 25) -> str:
    return "\n".join(text.splitlines()[-lines:])
