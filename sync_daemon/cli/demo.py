"""`c360 demo`: sync two agencies both ways and compare both sides."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from decimal import Decimal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db_init import tenants
from db_init.tenants import NewTenant
from demo import accountant
from demo.agencies import AGENCIES, to_approve, to_pay
from demo.books import Count, DemoBooks, Sum
from demo.load import Loaded, load
from demo.reading import read
from stack import layout as layouts
from stack.progress import step
from sync_daemon.cli.drain import drain
from sync_daemon.cli.output import print_json, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.daemon import register_tenant
from sync_daemon.errors import FatalError

WIDTH = 118
PASSWORD = "ODOO_DEMO_PASSWORD"  # noqa: S105 - the name of a secret
COLUMNS = ("app", "filtered", "Odoo", "dead", "sum in the app", "sum in Odoo", "difference")


@click.group("demo")
def demo() -> None:
    """Sync two demo agencies and compare both sides."""


@demo.command("load")
@click.option("--dry-run", is_flag=True, help="Print what would be added; change nothing.")
def load_(dry_run: bool) -> None:
    """Create the two tenants and insert their rows.

    The rows are inserted as the app's role. A second run adds only what is missing.

    Example: c360 demo load --dry-run
    """
    _load(load_settings(), dry_run)


@demo.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(as_json: bool) -> None:
    """Compare both databases with plain SQL.

    Exit code 3 if anything differs.

    Example: c360 demo check --json
    """
    sys.exit(_check(load_settings(), as_json))


@demo.command()
@click.option("--timeout", default=240, show_default=True, type=click.IntRange(min=1), help="Seconds for each drain.")
@click.pass_context
def run(context: click.Context, timeout: int) -> None:
    """Load both agencies, sync them both ways, compare.

    In between, an accountant approves and pays commissions in Odoo.

    Exit code 3 if anything differs.

    Example: c360 demo run
    """
    settings = load_settings()
    loaded = _load(settings, dry_run=False)
    drained = _drain(context, timeout, "syncing to Odoo")
    with step("approving and paying commissions in Odoo"):
        _decide(settings, loaded)
    drained = max(drained, _drain(context, timeout, "syncing back to the app"))
    checked = _check(settings, as_json=False)
    _tell_where(settings)
    sys.exit(max(drained, checked))


def _load(settings: Settings, dry_run: bool) -> list[Loaded]:
    loaded = []
    for agency in AGENCIES:
        tenant = tenants.find(settings, agency.subdomain)
        if tenant is None or tenant.state != "active":
            if dry_run:
                say(f"would create tenant {agency.subdomain} ({agency.name}) and insert all its rows")
                continue
            with step(f"creating tenant {agency.subdomain}"):
                new = NewTenant(agency.subdomain, agency.name, agency.country)
                tenant = tenants.create(settings, new, register_tenant)
        with step(f"loading {agency.name}"):
            done = load(settings, agency, tenant.tenant_id, tenant.schema_name, dry_run)
        added = ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in done.added.items() if count)
        say(f"{agency.subdomain}: {'would add' if dry_run else 'added'} {added or 'nothing: all rows exist'}")
        loaded.append(done)
    return loaded


def _drain(context: click.Context, timeout: int, what: str) -> int:
    try:
        with step(what):
            context.invoke(drain, timeout=timeout, as_json=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _decide(settings: Settings, loaded: Sequence[Loaded]) -> None:
    layout = layouts.from_environment()
    layouts.prepare(layout)
    known = layouts.secrets(layout)
    password = known.get(PASSWORD) or secrets.token_urlsafe(12)
    accountant.ensure(settings, password, renew=PASSWORD not in known)
    accountant.ensure_rates(settings)
    layouts.remember(layout, PASSWORD, password)
    done = accountant.decide(
        settings,
        password,
        {item.tenant: to_approve(item.agency) for item in loaded},
        {item.tenant: to_pay(item.agency) for item in loaded},
    )
    earlier = f"; an earlier run had decided {done.before}" if done.before else ""
    say(f"in Odoo the accountant approved {done.approved} commissions and paid {done.paid} of them{earlier}")


def _check(settings: Settings, as_json: bool) -> int:
    books = read(settings, [agency.subdomain for agency in AGENCIES])
    agree = all(item.agree for item in books)
    if as_json:
        print_json({"agree": agree, "tenants": [_json(item) for item in books]})
    else:
        _print(books)
    return 0 if agree else 3


def _json(books: DemoBooks) -> dict[str, object]:
    return {
        "tenant": books.tenant,
        "agree": books.agree,
        "records": [asdict(line) | {"difference": line.difference} for line in books.counts],
        "commissions": [asdict(line) | {"difference": line.difference} for line in books.sums],
        "faults": list(books.faults),
    }


def _print(books: Sequence[DemoBooks]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(_table(books))
    for item in books:
        for fault in item.faults:
            console.print(Text(f"{item.tenant}: {fault}", style="red"), soft_wrap=True)
    if all(item.agree for item in books):
        console.print(Text("Both sides agree, to the cent and to the second.", style="bold green"))
    else:
        console.print(Text("The two sides differ.", style="bold red"))


def _table(books: Sequence[DemoBooks]) -> Table:
    table = Table(title="The app and Odoo, each read by plain SQL", title_style="bold", title_justify="left")
    table.add_column("tenant / what", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for item in books:
        names = {agency.subdomain: agency.name for agency in AGENCIES}
        table.add_row(Text(names[item.tenant], style="bold"))
        for count in item.counts:
            table.add_row(*_count_cells(count))
        table.add_section()
        for line in item.sums:
            table.add_row(*_sum_cells(line))
        table.add_section()
    return table


def _count_cells(line: Count) -> Iterable[Text]:
    yield Text(f"  {line.what}")
    yield Text(f"{line.app:,}")
    yield Text(f"{line.filtered:,}" if line.filtered else "-", style="dim" if not line.filtered else "")
    yield Text(f"{line.odoo:,}")
    yield Text(f"{line.dead:,}", style="bold red" if line.dead else "")
    yield Text("")
    yield Text("")
    yield _difference(f"{line.difference:,}", line.difference == 0)


def _sum_cells(line: Sum) -> Iterable[Text]:
    yield Text(f"  {line.currency} {line.state}")
    yield Text(f"{line.app:,}")
    yield Text("")
    yield Text(f"{line.odoo:,}")
    yield Text("")
    yield Text(_money(line.app_sum))
    yield Text(_money(line.odoo_sum))
    yield _difference(_money(line.difference), line.difference == 0 and line.app == line.odoo)


def _difference(text: str, is_none: bool) -> Text:
    return Text(text, style="green" if is_none else "bold red")


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _tell_where(settings: Settings) -> None:
    layout = layouts.from_environment()
    if not layouts.secrets(layout).get(PASSWORD):
        raise FatalError("the demo's accountant has no password yet; run: c360 demo run")
    say("")
    say(f"Odoo runs at {settings.odoo_url}/odoo/action-{accountant.HOME}")
    say(f"  accountant:     login {accountant.LOGIN}, password {PASSWORD} in {layout.state / 'secrets'}")
    say(f"  administrator:  login {settings.odoo_admin_login}, password ODOO_ADMIN_PASSWORD in the same file")
