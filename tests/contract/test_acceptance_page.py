"""docs/acceptance.md is what the tests' markers say; every promise has a test."""

from __future__ import annotations

import pytest

from tests.acceptance_page import PAGE, PROMISES, page, shown


@pytest.mark.parametrize("identity", PROMISES)
def test_every_promise_has_a_test(identity: str) -> None:
    assert shown().get(identity)


def test_no_test_is_marked_with_a_promise_that_nobody_made() -> None:
    assert sorted(shown().keys() - PROMISES.keys()) == []


def test_the_page_in_the_tree_is_what_the_markers_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.acceptance_page > docs/acceptance.md"
