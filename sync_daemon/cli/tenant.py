"""`c360 tenant`: create, show, suspend, rename and forget tenants."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from db_init import forget as forgetting
from db_init import tenant_life
from db_init import tenants as tenancy
from db_init.registry import Tenant
from db_init.tenant_objects import ATTACH_LEVEL
from sync_daemon.cli.db import describe
from sync_daemon.cli.flows import flow_rows, odoo_backlog, print_flows, print_pauses
from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.domain.keys import Direction
from sync_daemon.errors import ConfigError
from sync_daemon.postgres.admin.flows import Flows
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.registry import Registry

_EXISTING = click.Choice(["complete", "skip", "fail"])


@click.group("tenant")
def tenant() -> None:
    """Create, show, suspend, rename and forget tenants."""


@tenant.command("create")
@click.argument("subdomain")
@click.option("--name", help="Name of the agency; default: the subdomain.")
@click.option("--country", type=click.Choice(["ZA", "ZW"]), help="Country of the agency.")
@click.option("--email", help="Contact address of the agency.")
@click.option(
    "--if-exists",
    type=_EXISTING,
    default="complete",
    show_default=True,
    help="What to do if the app already knows the subdomain.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    subdomain: str,
    name: str | None,
    country: str | None,
    email: str | None,
    if_exists: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create a tenant on both sides.

    If it is interrupted, run it again to complete the tenant.

    Example: c360 tenant create agency1 --name "Agency One"
    """
    settings = load_settings()
    is_known = _is_registered(settings, subdomain)
    if is_known and if_exists == "fail":
        raise click.UsageError(f"tenant {subdomain} already exists")
    new = tenancy.NewTenant(subdomain, name or subdomain, country, email)
    if dry_run:
        _say_steps(tenancy.plan(settings, new) if not (is_known and if_exists == "skip") else [], as_json)
        return
    if is_known and if_exists == "skip":
        say(f"tenant {subdomain} already exists")
        found = tenancy.find(settings, subdomain)
    else:
        found = tenancy.create(settings, new, _register_in_odoo)
        say(f"tenant {subdomain} is {found.state}")
    if as_json and found is not None:
        print_json(describe(found))


@tenant.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List tenants, with what each owes to Odoo.

    What waits in Odoo is asked by c360 tenant show and c360 status.

    Example: c360 tenant list
    """
    settings = load_settings()
    found = tenancy.list_tenants(settings)
    known = _flows(settings) if found else []
    if as_json:
        print_json(
            [
                describe(item) | {"flows": [flow for flow in known if flow["tenant"] == str(item.tenant_id)]}
                for item in found
            ]
        )
    else:
        _print(found, known)


@tenant.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show one tenant, and its flow both ways.

    NAME is a subdomain, schema or UUID. Exit code 1 if the bridge does not know it, 69 if Odoo does not answer.

    Example: c360 tenant show agency1
    """
    settings = load_settings()
    found = tenancy.find(settings, name)
    if found is None:
        say(f"the bridge does not know tenant {name}; see: c360 tenant list, c360 db status")
        sys.exit(1)
    # imported here: all else that is said of tenants needs neither Odoo nor RabbitMQ
    from sync_daemon.daemon import open_bridge

    with open_bridge(settings) as bridge:
        backlog, problem = odoo_backlog(bridge.instances.values() if not bridge.database.freezes() else ())
        paused = [flow for flow in Flows(bridge.database).paused() if flow.tenant == found.tenant_id]
        flows = [flow for flow in bridge.registry.flows() if flow.tenant == found.tenant_id]
        rows, now = flow_rows(flows, backlog, paused), bridge.registry.now()
    if as_json:
        print_json(describe(found) | {"flows": rows, "odoo_problem": problem})
    else:
        print_table(f"Tenant {found.subdomain}", ("what", "value"), _sheet(found))
        print_flows(rows, now)
        print_pauses(paused, now)
    if problem:
        say(f"Odoo does not answer: {problem}")
        sys.exit(69)


@tenant.command("suspend")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def suspend(name: str, dry_run: bool, as_json: bool) -> None:
    """Suspend a tenant in the app; its changes wait on both sides.

    NAME is a subdomain, schema or UUID. To stop only the sync, use c360 pause.

    Example: c360 tenant suspend agency1
    """
    _set_status(name, "suspended", dry_run, as_json)


@tenant.command("resume")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def resume(name: str, dry_run: bool, as_json: bool) -> None:
    """Activate a suspended tenant; what waited goes on.

    NAME is a subdomain, schema or UUID.

    Example: c360 tenant resume agency1
    """
    _set_status(name, "active", dry_run, as_json)


@tenant.command("rename")
@click.argument("name")
@click.option("--name", "new_name", help="The agency's new name.")
@click.option("--subdomain", help="The tenant's new subdomain.")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rename(name: str, new_name: str | None, subdomain: str | None, dry_run: bool, as_json: bool) -> None:
    """Give a tenant another name or subdomain; Odoo follows.

    NAME is a subdomain, schema or UUID. The schema keeps its name, and every record its binding.

    Example: c360 tenant rename agency1 --name "Agency One (Pty) Ltd"
    """
    if not (new_name or subdomain):
        raise click.UsageError("say what changes: --name or --subdomain")
    settings = load_settings()
    found = _find(settings, name)
    if not dry_run:
        tenant_life.rename(settings, found, new_name, subdomain)
    words = f"{new_name or found.name} ({subdomain or found.subdomain})"
    say(f"tenant {found.subdomain} {'would be' if dry_run else 'is'} {words}")
    if as_json:
        print_json(describe(_find(settings, str(found.tenant_id))))


@tenant.command("forget")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt; all bindings of the tenant are lost.")
@click.option("--dry-run", is_flag=True, help="Count what would be deleted; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def forget(name: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Delete what is stored about a dropped tenant.

    NAME is a subdomain, schema or UUID. It removes the tenant's bindings, bases, letters and events, and the bridge's
    objects in a schema that is still there. The app's rows, Odoo's records and the ledger stay. A tenant that the app
    still uses is refused.

    Example: c360 tenant forget agency1
    """
    settings = load_settings()
    found = _find(settings, name)
    if not (yes or dry_run):
        if not sys.stdin.isatty():
            raise click.UsageError(f"forgetting {name} deletes its bindings; not a terminal: add --yes to confirm")
        click.confirm(f"Forget tenant {name} with all its bindings?", abort=True, err=True)
    deleted = forgetting.forget(settings, found.tenant_id, dry_run)
    if as_json:
        print_json({"tenant": str(found.tenant_id), "dry_run": dry_run, "deleted": deleted})
    else:
        print_table("Would be deleted" if dry_run else "Deleted", ("what", "count"), list(deleted.items()))


def _set_status(name: str, status: str, dry_run: bool, as_json: bool) -> None:
    settings = load_settings()
    found = _find(settings, name)
    is_due = tenant_life.is_due(found, status) if dry_run else tenant_life.set_status(settings, found, status)
    say(f"tenant {found.subdomain} {'would be' if dry_run and is_due else 'is' if is_due else 'was already'} {status}")
    if as_json:
        print_json(describe(_find(settings, str(found.tenant_id))))


def _find(settings: Settings, name: str) -> Tenant:
    """Raises: UsageError for a tenant that the bridge does not know."""
    found = tenancy.find(settings, name)
    if found is None:
        raise click.UsageError(f"the bridge does not know tenant {name}; see: c360 tenant list")
    return found


def _is_registered(settings: Settings, subdomain: str) -> bool:
    """Whether the app knows the subdomain; a new one must be safe everywhere, before any server is asked."""
    try:
        tenancy.check_slug(subdomain)
    except ConfigError as error:
        if not tenancy.SUBDOMAIN.fullmatch(subdomain) or tenancy.registered(settings, subdomain) is None:
            raise click.UsageError(str(error)) from None
        return True
    return tenancy.registered(settings, subdomain) is not None


def _register_in_odoo(settings: Settings, tenant_id: UUID) -> None:
    # imported here: listing tenants needs neither Odoo nor RabbitMQ
    from sync_daemon.daemon import register_tenant

    register_tenant(settings, tenant_id)


def _say_steps(steps: list[str], as_json: bool) -> None:
    print_json(steps) if as_json else click.echo("\n".join(steps) or "nothing to do")


def _flows(settings: Settings) -> list[dict[str, Any]]:
    """Every flow to Odoo, as the app's database knows it: what waits in Odoo, only Odoo can say."""
    with closing(Database(settings)) as database:
        flows = [flow for flow in Registry(database).flows() if flow.direction is Direction.APP_TO_ODOO]
        return flow_rows(flows, {}, Flows(database).paused())


def _print(tenants: Sequence[Tenant], flows: Sequence[Mapping[str, Any]]) -> None:
    now, of_tenant = datetime.now(UTC), {flow["tenant"]: flow for flow in flows}
    rows = []
    for item in tenants:
        flow = of_tenant.get(str(item.tenant_id), {"state": item.state})
        owed, last = flow.get("owed"), ago(flow.get("last_success"), now)
        rows.append(
            (item.subdomain, item.name, flow["state"], item.instance_id, owed, flow.get("dead"), last, item.problem)
        )
    print_table("Tenants", ("tenant", "name", "state", "Odoo", "owed to Odoo", "dead", "last success", "problem"), rows)


def _sheet(item: Tenant) -> list[tuple[str, object]]:
    return [
        ("name", item.name),
        ("UUID", str(item.tenant_id)),
        ("schema", item.schema_name),
        ("Odoo", item.instance_id),
        ("state", item.state),
        ("status in the app", item.tenant_status),
        ("schema's status in the app", item.schema_status),
        ("level of the bridge's objects", f"{item.attach_level} of {ATTACH_LEVEL}"),
        ("problem", item.problem),
    ]
