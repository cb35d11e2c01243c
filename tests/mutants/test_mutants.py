"""A test that cannot fail proves nothing: without a guard, the test that watches it turns red."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync_daemon.config import Settings
from tests.mutants.mutant import Mutant, MutantError, check, check_green, copied, mutants, prove

KNOWN = mutants()
QUICK = [mutant for mutant in KNOWN if mutant.is_quick]


def test_every_patch_applies_to_the_code_as_it_is() -> None:
    with copied() as tree:
        problems = [problem for mutant in KNOWN if (problem := _misfit(mutant, tree))]
    assert not problems, "\n".join(problems)


def _misfit(mutant: Mutant, tree: Path) -> str:
    try:
        check(mutant, tree)
    except MutantError as error:
        return str(error)
    path, _, name = mutant.test.partition("::")
    text = (tree / path).read_text(encoding="utf-8") if (tree / path).is_file() else ""
    is_there = f"def {name.rpartition('::')[2]}(" in text
    return "" if is_there else f"{mutant.name}: there is no test {mutant.test}"


@pytest.mark.acceptance("R-MUTANTS")
def test_without_its_guard_each_named_test_is_red_and_with_it_green(stack_settings: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        green = pool.submit(check_green, QUICK)
        outcomes = list(pool.map(_problem, QUICK))
    green.result()
    problems = [problem for problem in outcomes if problem]
    assert not problems, "\n".join(problems)


def _problem(mutant: Mutant) -> str:
    try:
        prove(mutant)
    except MutantError as error:
        return str(error)
    return ""
