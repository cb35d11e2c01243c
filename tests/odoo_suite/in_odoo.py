"""Runs as a script in Odoo's own process: `odoo-bin` with its tests, one line of JSON for each test's result.

The first argument is the file to write; the others are Odoo's. Tests that Odoo runs while a module is being loaded run
there, and once more when everything is loaded: only then is the code of a module that depends on theirs there too.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from odoo import sql_db
from odoo.cli.command import main
from odoo.tests import loader
from odoo.tests.result import OdooTestResult
from odoo.tests.suite import OdooSuite

WHILE_LOADING, LOADED = "while loading", "loaded"
REASON = 300


class Log(logging.Handler):
    """Which loggers reported an error since the last test began."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        # there Odoo reports a test that fails
        if ".tests" not in record.name:
            self.names.add(record.name)


class Recorded(OdooTestResult):
    """Odoo's result, which also writes each test down."""

    path: Path
    said = Log()
    phase = LOADED

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.bad: list[list[str]] = []
        self.skip = ""
        self.is_in_test = False

    def startTest(self, test: Any) -> None:
        self.bad, self.skip, self.is_in_test = [], "", True
        self.said.names.clear()
        super().startTest(test)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._note("failed", test, err)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._note("error", test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.skip = reason or "no reason given"
        if not self.is_in_test:
            self._write(test, 0)
            self.skip = ""

    def stopTest(self, test: Any) -> None:
        queries = sql_db.sql_counter - self.queries_start
        super().stopTest(test)
        self._write(test, queries)
        self.is_in_test = False

    def _note(self, outcome: str, test: Any, err: Any) -> None:
        # Odoo tries such a test again
        if self._soft_fail:
            return
        part = test._subDescription() if hasattr(test, "_subDescription") else ""
        said = f"{err[0].__name__}: {err[1]}"[:REASON]
        self.bad.append([outcome, part, said])
        if not self.is_in_test:
            # the setting up of a class, none of whose tests runs then
            self._write(test, 0)
            self.bad = []

    def _write(self, test: Any, queries: int) -> None:
        outcomes = [outcome for outcome, _, _ in self.bad]
        outcome = "error" if "error" in outcomes else "failed" if outcomes else "skipped" if self.skip else "passed"
        line = {
            "test": test.id().replace("odoo.addons.", ""),
            "phase": self.phase,
            "outcome": outcome,
            "parts": sorted({part for _, part, _ in self.bad if part}),
            "reason": self.bad[0][2] if self.bad else self.skip[:REASON],
            "errors": sorted(self.said.names),
            "queries": queries,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


_make_suite = loader.make_suite


def make_suite(modules: Any, position: str = "at_install") -> OdooSuite:
    """Odoo's suite; when everything is loaded, with the tests that belong to loading behind its own."""
    if position == "at_install":
        Recorded.phase = WHILE_LOADING
        return _make_suite(modules, position)
    Recorded.phase = LOADED
    return OdooSuite([*_make_suite(modules, position), *_make_suite(modules, "at_install")])


if __name__ == "__main__":
    Recorded.path = Path(sys.argv.pop(1))
    logging.getLogger().addHandler(Recorded.said)
    loader.OdooTestResult = Recorded
    loader.make_suite = make_suite
    main()
