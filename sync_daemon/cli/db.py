"""`c360 db`: databases, roles and schemas."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from uuid import UUID

import click

from db_init import init as making
from db_init import migrate as migrating
from db_init import tenants as tenancy
from db_init.attach import attach as attach_all
from db_init.attach import detach as detach_all
from db_init.attach import planned_attach
from db_init.registry import Tenant
from db_init.tenant_objects import Outcome
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import Settings, load_settings

FINDINGS = 3


@click.group("db")
def db() -> None:
    """Databases, roles and schemas: each command can be run again."""


@db.command("init")
@click.option("--dry-run", is_flag=True, help="Only say what would be made.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def init(dry_run: bool, as_json: bool) -> None:
    """Make both databases, the roles, the app's schema for a new installation, and schema bridge.

    Example: PLATFORM_POSTGRES_ADMIN_PASSWORD_FILE=/run/secrets/pg c360 db init
    """
    settings = load_settings()
    steps = making.plan(settings)
    if not dry_run:
        making.initialise(settings, say)
    if as_json:
        print_json({"dry_run": dry_run, "steps": steps})
    elif dry_run:
        click.echo("\n".join(steps) or "nothing to do")
    elif not steps:
        say("everything was there already")


@db.command("attach")
@click.option("--tenant", help="Only this tenant: its subdomain, schema or uuid.")
@click.option("--dry-run", is_flag=True, help="Only say what would be attached.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def attach(tenant: str | None, dry_run: bool, as_json: bool) -> None:
    """Bring the bridge to a database that the app has made itself. Exit code 3 if a tenant could not be attached."""
    settings = load_settings()
    if dry_run:
        planned = planned_attach(settings)
        print_json(planned) if as_json else click.echo("\n".join(planned) or "nothing to do")
        return
    _show(attach_all(settings, _tenant_id(settings, tenant), say), as_json)


@db.command("detach")
@click.option("--yes", is_flag=True, help="Do not ask: what the bridge remembers of this database is lost.")
def detach(yes: bool) -> None:
    """Take the bridge out of the app's database again: triggers, policies, rights, views, schema bridge."""
    settings = load_settings()
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("detaching forgets all bindings; without a terminal say --yes")
        question = f"Remove the bridge and all bindings from database {settings.platform_postgres_db}?"
        click.confirm(question, abort=True, err=True)
    detach_all(settings)
    say(f"database {settings.platform_postgres_db} is without the bridge")


@db.command("migrate")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(dry_run: bool, as_json: bool) -> None:
    """Bring schema bridge and every tenant to the current level. Exit code 3 if a tenant could not follow.

    A broken tenant stops no other; the next run does only what is missing.
    """
    done = migrating.migrate(load_settings(), dry_run)
    verb = "would go" if dry_run else "went"
    say(f"schema bridge {verb} from level {done.before or 'none'} to {done.after}")
    _show(done.outcomes, as_json)


@db.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show levels and what is missing. Exit code 3 if there is something to do, with the command."""
    found = migrating.status(load_settings())
    rows = [
        (tenant.subdomain, tenant.schema_name, tenant.state, tenant.attach_level,
         "; ".join(filter(None, (tenant.problem, *found.missing.get(tenant.schema_name, ())))))
        for tenant in found.tenants
    ]
    if as_json:
        columns = ("subdomain", "schema", "state", "level", "problem")
        print_json({
            "level": found.level, "head": found.head, "attach_level": found.attach_level,
            "unattached": list(found.unattached), "tenants": [dict(zip(columns, row, strict=True)) for row in rows],
        })
    else:
        title = f"schema bridge: level {found.level or 'none'} of {found.head}; tenants: level {found.attach_level}"
        print_table(title, ("tenant", "schema", "state", "level", "missing or wrong"), rows)
        for schema in found.unattached:
            say(f"the app registered {schema}, which is not attached: c360 db attach")
    if not found.is_current:
        say("to mend it: " + ("c360 db migrate" if found.level else "c360 db attach"))
        sys.exit(FINDINGS)


def describe(tenant: Tenant) -> dict[str, object]:
    """A tenant for JSON."""
    return {
        "id": str(tenant.tenant_id), "subdomain": tenant.subdomain, "name": tenant.name, "schema": tenant.schema_name,
        "state": tenant.state, "app_status": tenant.tenant_status, "schema_status": tenant.schema_status,
        "instance": tenant.instance_id, "attach_level": tenant.attach_level, "problem": tenant.problem,
    }


def _show(outcomes: Iterable[Outcome], as_json: bool) -> None:
    found = list(outcomes)
    if as_json:
        print_json([describe(item.tenant) | {"action": item.action, "problem": item.problem} for item in found])
    else:
        rows = [(item.tenant.subdomain, item.tenant.schema_name, item.action, item.problem) for item in found]
        print_table("tenants", ("tenant", "schema", "result", "reason"), rows)
    if any(item.action == "failed" for item in found):
        sys.exit(FINDINGS)


def _tenant_id(settings: Settings, name: str | None) -> UUID | None:
    if name is None:
        return None
    if (tenant := tenancy.registered(settings, name)) is None:
        raise click.UsageError(f"the app's registry has no tenant {name}")
    return tenant
