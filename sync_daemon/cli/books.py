"""`c360 books`: compare the commissions of both sides, to the cent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from sync_daemon.cli.backfill import found, tenant_option
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import open_bridge
from sync_daemon.domain.operations.books import Books, Line, OdooEntry
from sync_daemon.domain.operations.books import books as compare
from sync_daemon.errors import BridgeError
from sync_daemon.ports import Odoo
from sync_daemon.postgres.admin.books import AppBooks

PAGE = 1_000


@click.command()
@tenant_option
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Limit to commissions created in this month (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def books(tenant: str | None, month: datetime | None, as_json: bool) -> None:
    """Compare commissions in the app, in Odoo and on vendor bills.

    Counts and sums are per tenant, currency and state; only posted bills count, and only what was really paid of them:
    no credit note, no write-off. Run `c360 drain` first: a change in transit counts as a difference. Exit code 3 if any
    row differs; the command names each one.

    Example: c360 books --month 2026-01
    """
    with open_bridge(load_settings()) as bridge:
        app = AppBooks(bridge.database, bridge.settings.odoo_instance)
        odoo = bridge.instances[bridge.settings.odoo_instance]
        compared: list[tuple[str, Books]] = []
        unread: list[str] = []
        for item in found(app.tenants(tenant), tenant):
            try:
                here, others = app.entries(item, month.date() if month else None)
            except BridgeError as error:
                # the others' books are nobody's fault
                unread.append(f"{item.subdomain}: its commissions cannot be read: {error}; see: c360 doctor")
                continue
            there = {record_id: entry for record_id, entry in _entries(odoo, item.id) if record_id not in others}
            compared.append((item.subdomain, compare(here, there)))
    if as_json:
        print_json([_json(*result) for result in compared])
    else:
        columns = (
            "tenant",
            "currency",
            "state",
            "app",
            "sum",
            "Odoo",
            "sum",
            "billed",
            "sum",
            "paid",
            "sum",
            "filtered",
            "difference",
        )
        print_table(
            "Commissions",
            columns,
            [
                (
                    subdomain,
                    line.currency,
                    line.state,
                    line.app.count,
                    line.app.sum,
                    line.odoo.count,
                    line.odoo.sum,
                    line.billed.count,
                    line.billed.sum,
                    line.paid.count,
                    line.paid.sum,
                    line.filtered,
                    line.difference,
                )
                for subdomain, result in compared
                for line in result.lines
            ],
        )
        for subdomain, result in compared:
            for fault in result.faults:
                say(f"{subdomain}: commission {fault.record_id}: {fault.message}")
    for words in unread:
        say(words)
    sys.exit(0 if all(result.agree for _, result in compared) and not unread else 3)


def _entries(odoo: Odoo, tenant: UUID) -> Iterator[tuple[UUID, OdooEntry]]:
    after, more = "", True
    while more:
        page, more = odoo.commission_books(tenant, after, PAGE)
        yield from page
        after = str(page[-1][0]) if page else after


def _json(subdomain: str, item: Books) -> dict[str, Any]:
    return {
        "tenant": subdomain,
        "agree": item.agree,
        "lines": [_line(line) for line in item.lines],
        "faults": [{"record_id": str(fault.record_id), "message": fault.message} for fault in item.faults],
    }


def _line(line: Line) -> dict[str, Any]:
    totals = {"app": line.app, "odoo": line.odoo, "billed": line.billed, "paid": line.paid}
    return {
        "currency": line.currency,
        "state": line.state,
        "filtered": line.filtered,
        "difference": line.difference,
        **{name: {"count": total.count, "sum": total.sum} for name, total in totals.items()},
    }
