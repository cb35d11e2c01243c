"""`c360 tenant`: create and show tenants."""

from __future__ import annotations

import sys
from uuid import UUID

import click

from db_init import tenants as tenancy
from db_init.registry import Tenant
from sync_daemon.cli.db import describe
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.errors import ConfigError

_EXISTING = click.Choice(["complete", "skip", "fail"])


@click.group("tenant")
def tenant() -> None:
    """Create, list and show tenants."""


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
    try:
        tenancy.check_slug(subdomain)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    is_known = tenancy.registered(settings, subdomain) is not None
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
    """List the tenants the bridge knows.

    Example: c360 tenant list
    """
    found = tenancy.list_tenants(load_settings())
    if as_json:
        print_json([describe(item) for item in found])
    else:
        _print(found)


@tenant.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show one tenant, by subdomain, schema or UUID.

    Exit code 1 if the bridge does not know it.

    Example: c360 tenant show agency1
    """
    found = tenancy.find(load_settings(), name)
    if found is None:
        say(f"the bridge does not know tenant {name}; see: c360 tenant list, c360 db status")
        sys.exit(1)
    if as_json:
        print_json(describe(found))
    else:
        _print([found])


def _register_in_odoo(settings: Settings, tenant_id: UUID) -> None:
    # imported here: listing tenants needs neither Odoo nor RabbitMQ
    from sync_daemon.daemon import register_tenant

    register_tenant(settings, tenant_id)


def _say_steps(steps: list[str], as_json: bool) -> None:
    print_json(steps) if as_json else click.echo("\n".join(steps) or "nothing to do")


def _print(tenants: list[Tenant]) -> None:
    print_table(
        "Tenants",
        ("tenant", "name", "state", "schema", "UUID", "level", "problem"),
        [
            (
                item.subdomain,
                item.name,
                item.state,
                item.schema_name,
                str(item.tenant_id),
                item.attach_level,
                item.problem,
            )
            for item in tenants
        ],
    )
