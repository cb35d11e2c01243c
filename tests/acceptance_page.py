"""docs/acceptance.md, from the markers of the tests: which test shows what.

`python -m tests.acceptance_page > docs/acceptance.md` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.marked import ROOT, Marked, marked

PAGE = ROOT / "docs" / "acceptance.md"

PROMISES = {
    "A1": "A registration becomes a lead, and its status moves the pipeline",
    "A2": "The client of an approved registration becomes a customer, once, and never silently another one",
    "A3": "A commission made, recalculated, approved, cancelled or paid in the app is so in Odoo",
    "A4": "A document becomes an attachment, checked, once, its newest version",
    "A5": "The flows of a suspended tenant wait, and those that a person pauses; the data stays",
    "O1": "A commission approved, cancelled or paid in Odoo is so in the app",
    "O2": "An invoice of a customer or lead can be read in the app",
    "O3": "Payments, changes of customers, leads won or lost arrive in the app",
    "O4": "What arrives is published to RabbitMQ for the app's other services",
    "O5": "Users of the app and of Odoo are linked, so that assignee and approver arrive as people",
    "C1": "One contract, overridden per tenant, checked against both sides",
    "C2": "Two-way fields merge; what both sides changed goes to a person, who decides on either side",
    "C3": "Money that has to go back is said on both sides, and nothing is deleted",
    "C4": "Deletes, merges and conversions keep both sides honest",
    "C5": "A salesperson can take one lead out of the sync",
    "C6": "Backfill goes on where it stopped; reconcile finds what differs, and mends it",
    "C7": "Every value can say why it is here",
    "C8": "The books of both sides agree to the cent, or name the row",
    "C9": "Tenants that share a company in Odoo stay apart, whatever people do there",
    "R-SELFTEST": "Killed at any step of both walks, on one's own stack, nothing is lost and nothing doubled",
    "R-PAPERS": "A document is read in Odoo by who may read its lead, and changed by the bridge alone",
    "R-ISOLATION": "A user limited to a tenant reaches nothing of another one, and the audit names whatever they reach",
    "R-MUTANTS": "Every guard is proven: without it, the test that watches it fails",
    "R-HEALTH": "What is wrong is named: the neighbour, the age of what is owed, the hop, what a tenant lacks",
    "R-DOCTOR": "Each fault of the setup is named with a remedy, and who follows the remedy is rid of it",
    "R-DAEMONS": "Any of several daemons may die, freeze, stop or be replaced; the others go on, nothing is lost",
    "R-TIMEOUTS": "Every call ends; one whose answer never came is repeated safely; the newer value stays",
    "R-COPY": "A copy of the app's database, or a tenant that was restored, undoes nothing",
    "R-BACKUP": "After a restore of one side alone nothing is lost or doubled, and what it has forgotten is named",
    "R-REINSTALL": "An addon that was uninstalled finds its records again: nothing is there twice, money is as it was",
}


def shown() -> Mapping[str, list[Marked]]:
    """The marked tests by id, in order of file and place."""
    return marked("acceptance")


def page() -> str:
    """The page."""
    tests = shown()
    source = "Generated from the tests' markers by `python -m tests.acceptance_page`; not to be edited."
    lines = ["# Acceptance", "", source, ""]
    for identity, promise in PROMISES.items():
        lines += [f"## {identity} {promise}", ""]
        lines += [f"- {_sentence(test)} ([{Path(test.path).name}](../{test.path}))" for test in tests.get(identity, [])]
        lines.append("")
    return "\n".join(lines)


def _sentence(test: Marked) -> str:
    return test.words[0].upper() + test.words[1:]


if __name__ == "__main__":
    print(page(), end="")
