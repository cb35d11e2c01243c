"""What the tests gave, and where two runs differ; pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OUTCOMES = ("passed", "failed", "error", "skipped")
NOT_RUN = "not run"


@dataclass(frozen=True)
class Result:
    """One test's result.

    Shapes: `parts` are the subtests that went wrong; `errors` the loggers that reported an error.
    """

    test: str
    phase: str
    outcome: str
    parts: tuple[str, ...] = ()
    reason: str = ""
    errors: tuple[str, ...] = ()
    queries: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What names it in every run."""
        return self.test, self.phase

    @property
    def shown(self) -> str:
        """What must be the same in both runs, in words."""
        words = [self.outcome, *(f"subtest {part}" for part in self.parts)]
        return "; ".join([*words, *(f"an error in the log of {name}" for name in self.errors)])


Results = Mapping[tuple[str, str], Result]


@dataclass(frozen=True)
class Difference:
    """A test whose results differ."""

    test: str
    phase: str
    without: str
    with_addon: str
    reason: str


def read(lines: Iterable[str]) -> Results:
    """Gives the results that a run wrote, the last one of each test."""
    found = {}
    for line in lines:
        fields = json.loads(line)
        result = Result(**{**fields, "parts": tuple(fields["parts"]), "errors": tuple(fields["errors"])})
        found[result.key] = result
    return found


def differences(without: Results, with_addon: Results) -> list[Difference]:
    """Gives the tests that one run passed, failed or skipped otherwise than the other, or did not run."""
    found = []
    for key in sorted(without.keys() | with_addon.keys()):
        one, other = without.get(key), with_addon.get(key)
        before, after = (result.shown if result else NOT_RUN for result in (one, other))
        if before != after:
            worse = other if other and other.reason else one
            found.append(Difference(*key, before, after, worse.reason if worse else ""))
    return found


def counts(results: Results) -> Counter[str]:
    """Gives how many tests there were, by outcome."""
    return Counter(result.outcome for result in results.values())


def queries(results: Results) -> int:
    """Gives how many queries the tests made that passed."""
    return sum(result.queries for result in results.values() if result.outcome == "passed")


def more_queries(without: Results, with_addon: Results, at_most: int) -> list[tuple[str, int, int]]:
    """Gives the tests that make more queries with the addon, those with the greatest share first."""
    both = [(without[key], with_addon[key]) for key in without.keys() & with_addon.keys()]
    passed = [(one, other) for one, other in both if one.outcome == other.outcome == "passed"]
    grown = [(one.test, one.queries, other.queries) for one, other in passed if other.queries > one.queries]
    return sorted(grown, key=lambda row: (row[1] / row[2], row[0]))[:at_most]


def tags(found: Iterable[Difference]) -> str:
    """Gives the classes of these tests as Odoo's option --test-tags names them."""
    return ",".join(sorted({_tag(difference.test) for difference in found}))


def _tag(test: str) -> str:
    # setUpClass (crm.tests.test_x.TestX) or crm.tests.test_x.TestX.test_y
    is_class = test.endswith(")")
    words = (test.split("(")[1].rstrip(")") if is_class else test.rpartition(".")[0]).split(".")
    return f"/{words[0]}:{words[-1]}"
