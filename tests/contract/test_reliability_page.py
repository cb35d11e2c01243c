"""Every way to fail has marked tests, and the page in the tree is what catalogue and markers say."""

from __future__ import annotations

import pytest

from tests.reliability_page import MARK, PAGE, catalogue, generated, shown


def test_the_catalogue_is_whole() -> None:
    assert list(catalogue()) == [f"F{number:02}" for number in range(1, 94)]


@pytest.mark.parametrize("number", catalogue())
def test_every_way_to_fail_has_tests_or_says_why_not(number: str) -> None:
    assert bool(shown().get(number)) != bool(catalogue()[number].cannot)


def test_no_test_is_marked_with_a_way_to_fail_that_is_not_in_the_catalogue() -> None:
    assert sorted(shown().keys() - catalogue().keys()) == []


def test_the_page_in_the_tree_is_what_catalogue_and_markers_say() -> None:
    assert PAGE.read_text(encoding="utf-8").endswith(f"{MARK}\n{generated()}"), "run: python -m tests.reliability_page"
