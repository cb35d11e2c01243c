"""`make torture`: random work while everything fails, on a stack of its own; exit code 1 if anything is wrong then."""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg2

from stack import layout, local
from stack.layout import Layout
from sync_daemon.cli.stack import steps
from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError
from tests.acceptance.command import printed
from tests.acceptance.parties import App, Odoo
from tests.stack_use import end_on_sigterm
from tests.torture import bookkeeping, careless, invariants, mending, messages, people, pipeline, reader, report, writer
from tests.torture.breach import Breach
from tests.torture.history import History
from tests.torture.report import Run, Sampler
from tests.torture.schedule import KINDS, Schedule
from tests.torture.stage import Stage, install_clocks, raised
from tests.torture.storage import Storage

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "C360_STACK_DIR": str(ROOT / "build" / "torture-stack"),
    "C360_STACK_PORT_BASE": os.environ.get("C360_STACK_PORT_BASE", "25600"),
    "C360_ENV_FILE": "/dev/null",
}
FOLDER = ROOT / "build" / "torture"
STORAGE = Storage(ROOT / "build" / "torture-documents")
FIGURES = ROOT / "build" / "torture.json"
TENANTS = {"calm": 1.0, "quiet": 1.0, "nasty": 0.8, "noisy": 0.14}
"""Seconds between two transactions of a tenant's writer."""
CARELESS = "careless"
"""The tenant whose app makes careless statements (tests/torture/careless.py)."""
PEOPLE = {
    people.decide_commissions: 0.4,
    people.edit_customers: 0.7,
    bookkeeping.keep_books: 0.6,
    pipeline.work_the_pipeline: 0.7,
}
"""Seconds between two calls of a person in Odoo."""

WARM_UP_SECONDS = 15.0
CONVERGE_SECONDS = 90.0
"""So long nothing that is owed may stay as it is; a busy machine takes longer for all of it."""


def main() -> int:
    """Gives 0 only if nothing was lost, doubled, unexpected or differing."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--seed", type=int, help="of the work and the faults; one is chosen and printed if not given")
    parser.add_argument("--duration", type=float, default=300.0, help="seconds of work, most of them with faults")
    parser.add_argument("--stack-that-runs", action="store_true", help="use the running stack the environment names")
    parser.add_argument("--broken", default="", help="a guard to be without (tests/torture/broken.py): it must fail")
    parser.add_argument("--only", default="", help="kinds of faults and acts, separated by commas, if not all")
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    if unknown := set(only) - {kind.name for kind in KINDS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    if not options.stack_that_runs:
        os.environ.update(ENVIRONMENT)
    end_on_sigterm()
    here = layout.from_environment()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    try:
        settings = local.up(here, steps(), without=("daemon",))
        run = play(here, settings, seed, options.duration, options.broken, only)
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layout.exit_code(error)
    finally:
        if not options.stack_that_runs:
            local.down(here)
    report.write(run, FIGURES)
    report.show(run, FOLDER)
    return 0 if run.passed else 1


def play(here: Layout, settings: Settings, seed: int, duration: float, broken: str, only: Sequence[str]) -> Run:
    """Warm up, let faults strike, mend all, wait until nothing is owed, and look."""
    _say(f"torture with seed {seed} for {duration:.0f} s")
    since = datetime.now(UTC)
    clocks = install_clocks()
    history, warm_up = History(), min(WARM_UP_SECONDS, duration / 5)
    with raised(here, settings, STORAGE, _empty(FOLDER), seed, broken) as stage:
        stage.tenants += _tenants(settings)
        stage.careless = stage.tenants[-1]
        careless.settle_in(stage.careless, history)
        messages.capture(stage)
        schedule, sampler = Schedule(stage, history, random.Random(f"{seed} faults"), only), Sampler(stage)
        threading.Thread(target=sampler.run, daemon=True).start()
        with _at_work(stage, history, seed):
            time.sleep(warm_up)
            began = datetime.now(UTC)
            schedule.run(duration - warm_up)
            stage.heal()
        ended = datetime.now(UTC)
        _say("all is mended and nobody works; waiting until nothing is owed")
        converged = _settled_in(stage)
        wrong = _silence(stage, 20.0 if duration >= 120 else 8.0)
        hints = messages.collect(stage)
        wrong += _replay(stage, hints, seed)
        sampler.stop()
        found = reader.read(settings, stage.tenants, STORAGE, here.state / "odoo" / "filestore", since)
        wrong += invariants.check(history, found)
        for daemon in stage.daemons:
            daemon.stop()
        wrong += invariants.daemons_behaved(_log_lines(stage)) + invariants.faults_struck(schedule.errors)
        wrong += invariants.nothing_piled_up(*report.peak(sampler.samples))
        return Run(
            seed,
            duration,
            history,
            found,
            wrong,
            schedule.strikes,
            sampler.samples,
            stage.daemons,
            stage.links["odoo"].connections,
            len(hints),
            (began, ended),
            converged,
            clocks,
        )


def _silence(stage: Stage, seconds: float) -> list[Breach]:
    before = reader.imprint(stage.settings, stage.tenants)
    _say(f"quiet for {seconds:.0f} s")
    time.sleep(seconds)
    return invariants.nobody_wrote(before, reader.imprint(stage.settings, stage.tenants), "after all was quiet")


def _replay(stage: Stage, hints: list[bytes], seed: int) -> list[Breach]:
    """All hints that were ever kept, once more and in another order: they must change nothing."""
    before = reader.imprint(stage.settings, stage.tenants)
    _say(f"replaying {len(hints)} hints")
    messages.republish(stage, random.Random(seed), hints)
    _converged_in(stage)
    return invariants.nobody_wrote(before, reader.imprint(stage.settings, stage.tenants), "when all hints came again")


def _settled_in(stage: Stage) -> float | None:
    """The same, with an operator who looks after it once more."""
    spent = _converged_in(stage)
    if spent is None or not mending.last_round(stage):
        return spent
    again = _converged_in(stage)
    return None if again is None else spent + again


def _converged_in(stage: Stage) -> float | None:
    """Seconds until nothing is owed on either side and no message waits; None if that stops getting less before."""
    began = moved = time.monotonic()
    fewest, rounds = math.inf, 0
    while time.monotonic() - moved < CONVERGE_SECONDS:
        left = _left(stage)
        # between a change in Odoo and what follows from it nothing is owed for a moment
        rounds = 0 if left else rounds + 1
        if rounds == 2:
            return time.monotonic() - began
        if left < fewest:
            fewest, moved = left, time.monotonic()
        time.sleep(1)
    return None


def _left(stage: Stage) -> float:
    """How much is owed or waits; endless while nobody can say."""
    try:
        return sum(reader.debts(stage.settings, stage.tenants).values()) + messages.waiting(stage)
    except (psycopg2.Error, OSError):
        return math.inf


def _tenants(settings: Settings) -> Iterator[App]:
    for name in (*TENANTS, CARELESS):
        subdomain = f"{name}{uuid4().hex[:10]}"
        title = 'Nasty "Agency"; DROP SCHEMA x -- 🚀' if name == "nasty" else f"Agency {name}"
        made = printed("tenant", "create", subdomain, "--name", title, "--country", "ZW", expect=0)
        yield App(settings, UUID(made["id"]), made["schema"], subdomain)


@contextmanager
def _at_work(stage: Stage, history: History, seed: int) -> Iterator[None]:
    """The app's writers and the people in Odoo, while the block lasts."""
    settings = stage.settings.model_copy(update={"odoo_timeout_seconds": 20.0})
    password = settings.odoo_admin_password.get_secret_value()
    administrator = Odoo(settings, settings.odoo_admin_login, password)
    bookkeeping.set_rates(administrator)
    writers = [
        writer.Writer(app, stage.storage, history, random.Random(f"{seed} writer {name}"), pause)
        for app, (name, pause) in zip(stage.working, TENANTS.items(), strict=True)
    ]
    staff = [
        people.Person(administrator, stage.working, history, random.Random(f"{seed} {work.__name__}"), pause, work)
        for work, pause in PEOPLE.items()
    ]
    stop = threading.Event()
    works = [*(one.run for one in writers), *(one.run for one in staff)]
    threads = [threading.Thread(target=work, args=(stop,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _log_lines(stage: Stage) -> Iterator[str]:
    for daemon in stage.daemons:
        yield from daemon.log.read_text(encoding="utf-8", errors="replace").splitlines()


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.iterdir():
        former.unlink()
    return folder


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
