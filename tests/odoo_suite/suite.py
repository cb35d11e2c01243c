"""A stack with two Odoo databases, one without the addon, and runs of Odoo's tests on copies of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stack import layout as layouts
from stack import local, odoo, odoo_source
from stack.layout import Layout
from stack.odoo import ADDON
from stack.progress import step
from stack.teardown import remove_postgres_home
from sync_daemon.cli.stack import steps
from sync_daemon.config import Settings
from sync_daemon.errors import UnavailableError
from tests.odoo_suite import results
from tests.odoo_suite.results import Results

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "odoo-suite"
ENVIRONMENT = {
    "C360_STACK_DIR": str(FOLDER / "stack"),
    "C360_STACK_PORT_BASE": os.environ.get("C360_STACK_PORT_BASE", "25700"),
    "C360_ENV_FILE": "/dev/null",
}
MODULES = ("crm", "account", "mail")
DATABASE_WITH, DATABASE_OF_RUN = "odoo_suite_with", "odoo_suite_run"
SCRIPT = Path(__file__).with_name("in_odoo.py")
OTHERS = ("rabbitmq", "odoo", "daemon")
ALONE = ("--workers=0", "--max-cron-threads=0", "--limit-memory-hard=0", "--limit-memory-soft=0", "--stop-after-init")


@dataclass(frozen=True)
class Suite:
    """A started stack whose two databases have the same modules but for the addon."""

    here: Layout
    settings: Settings

    @property
    def odoo(self) -> str:
        """The tested Odoo's version."""
        return odoo_source.locate(self.here.cache).version

    @property
    def addon(self) -> str:
        """Changes with the addon's code."""
        return odoo.addon_digest(self.here, odoo_source.locate(self.here.cache))[:12]

    @property
    def key(self) -> str:
        """Changes with what a run without the addon depends on: Odoo and the packages it imports."""
        pins = (ROOT / "requirements-odoo.txt").read_bytes()
        return hashlib.sha256(self.odoo.encode() + pins).hexdigest()[:12]

    def stored(self, module: str, with_addon: bool) -> Path:
        """The file of a run's results."""
        return FOLDER / (f"with-{self.addon}" if with_addon else f"without-{self.key}") / f"{module}.jsonl"

    def prepare(self, with_addon: bool) -> None:
        """Makes the database again whose sources have changed."""
        plain, other = self.settings, self.settings.model_copy(update={"odoo_postgres_db": DATABASE_WITH})
        if self._is_new("without", self.key):
            with step("installing crm and account without the addon"):
                odoo.run(self.here, plain, ["-i", "crm,account", "--stop-after-init"], "odoo-suite-without")
            self._made("without", self.key)
        if with_addon and self._is_new("with", self.addon):
            odoo.copy_database(self.here, plain, DATABASE_WITH)
            with step("installing the addon in a copy"):
                odoo.run(self.here, other, ["-i", ADDON, "--stop-after-init"], "odoo-suite-with")
            self._made("with", self.addon)

    def run(self, tags: str, with_addon: bool, report: Path) -> Results:
        """Runs the tests that the tags name, on a fresh copy.

        Raises: UnavailableError if Odoo ran none.
        """
        self.prepare(with_addon)
        origin = DATABASE_WITH if with_addon else self.settings.odoo_postgres_db
        odoo.copy_database(self.here, self.settings.model_copy(update={"odoo_postgres_db": origin}), DATABASE_OF_RUN)
        odoo.write_configuration(self.here, self.settings.model_copy(update={"odoo_postgres_db": DATABASE_OF_RUN}))
        report.parent.mkdir(parents=True, exist_ok=True)
        draft = report.with_suffix(".running")
        draft.unlink(missing_ok=True)
        log = report.with_suffix(".log")
        self._odoo(tags, draft, log)
        if not draft.exists():
            raise UnavailableError(f"Odoo ran no test of {tags}; full log: {log}")
        draft.replace(report)
        return results.read(report.read_text(encoding="utf-8").splitlines())

    def _odoo(self, tags: str, report: Path, log: Path) -> None:
        options = ["-c", str(self.here.state / "odoo.conf"), f"--http-port={self.here.ports.odoo_tests}"]
        command = [sys.executable, str(SCRIPT), str(report), *options, f"--test-tags={tags}", *ALONE]
        with log.open("wb") as output:
            # a test that fails makes Odoo end with 1, on both sides alike
            subprocess.run(
                [*command, "--log-handler=:WARNING"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=odoo.environment(self.here, odoo_source.locate(self.here.cache)),
                cwd=self.here.state,
                check=False,
            )

    def _is_new(self, name: str, key: str) -> bool:
        recorded = self.here.state / f"suite-{name}"
        return not recorded.exists() or recorded.read_text() != key

    def _made(self, name: str, key: str) -> None:
        (self.here.state / f"suite-{name}").write_text(key)


def start() -> Suite:
    """Starts the stack; one of another Odoo is made anew."""
    os.environ.update(ENVIRONMENT)
    here = layouts.from_environment()
    settings = local.up(here, steps(), without=OTHERS)
    suite = Suite(here, settings)
    if (here.state / "suite-without").exists() and suite._is_new("without", suite.key):
        local.down(here)
        remove_postgres_home(here)
        shutil.rmtree(here.state)
        suite = Suite(here, local.up(here, steps(), without=OTHERS))
    return suite
