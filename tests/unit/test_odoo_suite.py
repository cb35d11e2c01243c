"""Where two runs of Odoo's own tests differ, and the page that says so."""

from __future__ import annotations

import json

import pytest

from tests.odoo_suite.page import Module, page
from tests.odoo_suite.results import Result, Results, differences, more_queries, read, tags


def results(*found: Result) -> Results:
    return {result.key: result for result in found}


def passed(test: str, queries: int = 10) -> Result:
    return Result(f"crm.tests.test_lead.TestLead.{test}", "loaded", "passed", queries=queries)


def failed(test: str, *parts: str, reason: str = "AssertionError: 5 != 4") -> Result:
    return Result(f"crm.tests.test_lead.TestLead.{test}", "loaded", "failed", parts, reason)


def test_the_same_results_differ_nowhere() -> None:
    both = results(passed("test_a"), failed("test_b"))
    assert differences(both, both) == []


@pytest.mark.parametrize(
    ("without", "with_addon", "words"),
    [
        (passed("test_a"), failed("test_a"), ("passed", "failed")),
        (failed("test_a", "(a=1)"), failed("test_a", "(a=1)", "(a=2)"), None),
        (passed("test_a"), None, ("passed", "not run")),
        (None, passed("test_a"), ("not run", "passed")),
    ],
)
def test_a_test_that_gives_something_else_is_a_difference(
    without: Result | None, with_addon: Result | None, words: tuple[str, str] | None
) -> None:
    runs = [results(run) if run else {} for run in (without, with_addon)]
    [found] = differences(*runs)
    assert words is None or (found.without, found.with_addon) == words


def test_an_error_in_the_log_of_one_run_is_a_difference() -> None:
    logged = Result("crm.tests.test_lead.TestLead.test_a", "loaded", "passed", errors=("odoo.sql_db",))
    [found] = differences(results(passed("test_a")), results(logged))
    assert found.with_addon == "passed; an error in the log of odoo.sql_db"


def test_how_many_queries_a_test_makes_is_no_difference_but_is_shown() -> None:
    runs = results(passed("test_a", 10), passed("test_b", 10)), results(passed("test_a", 14), passed("test_b", 9))
    assert differences(*runs) == []
    assert more_queries(*runs, at_most=5) == [("crm.tests.test_lead.TestLead.test_a", 10, 14)]


def test_the_classes_of_different_tests_are_named_as_odoo_names_them() -> None:
    broken = Result("setUpClass (crm.tests.test_team.TestTeam)", "loaded", "error")
    assert tags(differences({}, results(passed("test_a"), broken))) == "/crm:TestLead,/crm:TestTeam"


def test_a_run_is_read_as_it_was_written() -> None:
    fields = {"test": "a.b", "phase": "loaded", "outcome": "passed", "parts": [], "reason": "", "errors": []}
    lines = [json.dumps({**fields, "queries": number}) for number in (3, 4)]
    assert read(lines) == {("a.b", "loaded"): Result("a.b", "loaded", "passed", queries=4)}


def test_the_page_says_whether_the_results_are_the_same() -> None:
    same = results(passed("test_a"), failed("test_b", reason="FileNotFoundError: /home/somebody/odoo/x.py | y"))
    text = page([Module("crm", same, same)], {"Odoo": "19.0"})
    assert "**All 2 results are the same**" in text
    assert "FileNotFoundError: .../x.py \\| y" in text
    other = {**same, passed("test_a").key: failed("test_a")}
    text = page([Module("crm", same, other)], {"Odoo": "19.0"})
    assert "**1 of 2 results differ**" in text
    assert "| `crm.tests.test_lead.TestLead.test_a` | loaded | passed | failed | AssertionError: 5 != 4 |" in text
