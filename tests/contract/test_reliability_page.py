"""The catalogue names tests that are there, and the page in the tree is the catalogue."""

from __future__ import annotations

import pytest

from tests.reliability_page import CATALOGUE, MARK, PAGE, generated, is_there


def test_the_catalogue_is_whole() -> None:
    assert list(CATALOGUE) == [f"F{number:02}" for number in range(1, 89)]


@pytest.mark.parametrize("number", CATALOGUE)
def test_every_way_to_fail_has_tests_that_are_there_or_says_why_not(number: str) -> None:
    entry = CATALOGUE[number]
    assert [test for test in entry.tests if not is_there(test)] == []
    assert bool(entry.tests) != bool(entry.cannot) or entry.open


def test_the_page_in_the_tree_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8").endswith(f"{MARK}\n{generated()}"), "run: python -m tests.reliability_page"
