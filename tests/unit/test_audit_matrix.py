"""What an audit makes of an answer, and what its matrix shows."""

from __future__ import annotations

import pytest

from audit.matrix import Cell, Finding, Outcome, exit_code, judged, table

CELL = Cell("Odoo", "accountant", "invoice", "search_read", "canary-1", "canary-2")


@pytest.mark.parametrize(
    ("value", "error", "message", "outcome"),
    [
        ([], "", "", Outcome.DENIED),
        ([{"id": 7}], "", "", Outcome.REACHED),
        (None, "odoo.exceptions.AccessError", "no access to 7", Outcome.DENIED),
        (None, "odoo.exceptions.UserError", "belongs to another tenant", Outcome.DENIED),
        (None, "odoo.exceptions.AccessError", "no access to canary-2", Outcome.REACHED),
        (None, "HTTP 404", "not found", Outcome.DENIED),
        (None, "HTTP 500", "internal error", Outcome.UNTRIED),
        (None, "builtins.TypeError", "takes 2 arguments", Outcome.UNTRIED),
    ],
)
def test_an_answer_is_denied_only_if_odoo_refused_it_or_it_is_empty(
    value: object, error: str, message: str, outcome: Outcome
) -> None:
    assert judged(CELL, value, error, message, "canary-2", bool).outcome is outcome


def test_a_row_shows_the_worst_that_each_actor_met() -> None:
    def found(actor: str, outcome: Outcome) -> Finding:
        return Finding(Cell("Odoo", actor, "lead", "read", "1", "2"), outcome)

    findings = [
        found("user", Outcome.DENIED),
        found("user", Outcome.REACHED),
        found("user", Outcome.UNTRIED),
        found("manager", Outcome.DENIED),
        found("manager", Outcome.UNTRIED),
        found("internal", Outcome.DENIED),
    ]
    actors = ("internal", "user", "manager", "service")
    assert table(findings, actors) == [["Odoo", "lead", "denied", "REACHED", "UNTRIED", "", "6"]]


def test_the_exit_code_says_whether_anything_was_reached_and_whether_all_was_tried() -> None:
    denied, reached, untried = (Finding(CELL, outcome) for outcome in Outcome)
    assert exit_code([denied]) == 0
    assert exit_code([denied, untried]) == 1
    assert exit_code([denied, untried, reached]) == 3
    assert exit_code([]) == 1, "an audit of nothing proves nothing"


def test_a_finding_names_who_tried_what_on_whose_record() -> None:
    assert str(CELL) == "Odoo: accountant of canary-1, invoice of canary-2, search_read"
    own = Cell("Odoo", "internal", "own document", "read", "canary-1", "canary-1")
    assert str(own) == "Odoo: internal of canary-1, own document of the same tenant, read"
