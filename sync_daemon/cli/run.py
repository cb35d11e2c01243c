"""`c360 run`: the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from datetime import date
from uuid import UUID

import click
import structlog

from sync_daemon import crash_points, logs
from sync_daemon.config import Settings, load_settings
from sync_daemon.daemon import SELFTEST_SERVICES, SERVICES, Attach, DropMonth, serve
from sync_daemon.errors import FatalError


@click.command()
@click.option("--only", help=f"Run only these services, separated by commas: {', '.join(SERVICES)}.")
@click.option("--selftest", is_flag=True, help="Serve only the selftest's tenants.")
def run(only: str | None, selftest: bool) -> None:
    """Run the daemon until SIGTERM.

    It runs all services in one process; --only runs some of them, to scale out.

    Example: c360 run --only push
    """
    settings = load_settings()
    logs.configure(settings)
    if asked := crash_points.arm(os.environ):
        structlog.get_logger("sync_daemon").warning("crash_points.armed", at=asked)
    if selftest:
        sys.exit(serve(settings.of_selftest, _chosen(only, SELFTEST_SERVICES)))
    sys.exit(serve(settings, _chosen(only, SERVICES), attacher(settings), month_dropper(settings)))


def attacher(settings: Settings) -> Attach | None:
    """What attaches tenants that the app registers later; None without the migrator's password."""
    if not settings.c360_migrator_password.get_secret_value():
        return None

    def attach(tenant: UUID) -> None:
        # imported here: without the password the daemon needs nothing from db_init
        from db_init.connect import as_migrator
        from db_init.tenant_objects import attach_tenant

        with as_migrator(settings) as connection:
            outcome = attach_tenant(connection, tenant)
        if outcome.problem:
            raise FatalError(outcome.problem)
        structlog.get_logger("sync_daemon").info("tenant.attached", tenant=str(tenant), action=outcome.action)

    return attach


def month_dropper(settings: Settings) -> DropMonth | None:
    """What drops a month of the ledger; None without the migrator's password."""
    if not settings.c360_migrator_password.get_secret_value():
        return None

    def drop(month: date) -> None:
        from db_init.connect import as_migrator
        from db_init.ledger import drop_month

        with as_migrator(settings) as connection:
            drop_month(connection, month)
        structlog.get_logger("sync_daemon").info("ledger.month_dropped", month=month.strftime("%Y-%m"))

    return drop


def _chosen(only: str | None, services: Collection[str]) -> Collection[str]:
    if not only:
        return services
    names = [name.strip() for name in only.split(",")]
    if unknown := sorted(set(names) - set(services)):
        raise click.UsageError(f"unknown service {', '.join(unknown)}; choose from {', '.join(services)}")
    return names
