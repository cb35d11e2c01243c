"""The matrix of an audit: who tried what on whose record, and what came of it; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What came of an attempt."""

    DENIED = "denied"
    REACHED = "reached"
    UNTRIED = "untried"


@dataclass(frozen=True)
class Cell:
    """One attempt.

    Shapes: `place` is the neighbour, such as Odoo; `actor` has the rights of `own`, a tenant's name, and tries a `way`
    to a record of `other`; `kind` is the record's.
    """

    place: str
    actor: str
    kind: str
    way: str
    own: str
    other: str

    def __str__(self) -> str:
        if self.own == self.other:
            return f"{self.place}: {self.actor} of {self.own}, {self.kind} of the same tenant, {self.way}"
        return f"{self.place}: {self.actor} of {self.own or 'no tenant'}, {self.kind} of {self.other}, {self.way}"


@dataclass(frozen=True)
class Finding:
    """An attempt and its outcome; `what` says what was reached, or why nothing was tried."""

    cell: Cell
    outcome: Outcome
    what: str = ""


REFUSALS = frozenset({"AccessError", "AccessDenied", "MissingError", "UserError", "ValidationError", "RedirectWarning"})
LONGEST = 160


def judged(
    cell: Cell, value: object, error: str, message: str, canary: str, is_reached: Callable[[object], bool]
) -> Finding:
    """The finding from an answer: denied is a refusal or an empty answer, without the other tenant's canary.

    Shapes: `error` is an exception's class or an HTTP status, empty if there was none.
    """
    if canary in message:
        return Finding(cell, Outcome.REACHED, f"the refusal names the record: {_short(message)}")
    if not error:
        if is_reached(value):
            return Finding(cell, Outcome.REACHED, _short(value))
        return Finding(cell, Outcome.DENIED)
    if error.rpartition(".")[2] in REFUSALS or error in ("HTTP 303", "HTTP 401", "HTTP 403", "HTTP 404"):
        return Finding(cell, Outcome.DENIED)
    return Finding(cell, Outcome.UNTRIED, f"{error}: {_short(message)}")


def table(findings: Sequence[Finding], actors: Sequence[str]) -> list[list[str]]:
    """A row per place and kind: what each actor met, and how many attempts there were. A dash: nothing was tried."""
    rows: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        rows.setdefault((finding.cell.place, finding.cell.kind), []).append(finding)
    return [
        [place, kind, *(_met(found, actor) for actor in actors), str(len(found))]
        for (place, kind), found in rows.items()
    ]


def exit_code(findings: Iterable[Finding]) -> int:
    """3 if anything was reached, 1 if something could not be tried, else 0."""
    outcomes = {finding.outcome for finding in findings}
    if Outcome.REACHED in outcomes:
        return 3
    return 1 if Outcome.UNTRIED in outcomes or not outcomes else 0


def _met(findings: Iterable[Finding], actor: str) -> str:
    outcomes = {finding.outcome for finding in findings if finding.cell.actor == actor}
    for outcome in (Outcome.REACHED, Outcome.UNTRIED, Outcome.DENIED):
        if outcome in outcomes:
            return outcome.upper() if outcome is not Outcome.DENIED else outcome.value
    return ""


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
