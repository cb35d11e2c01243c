"""`c360 db`: databases, roles and schemas."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

import click

from db_init import backup as backing
from db_init import init as making
from db_init import manifest
from db_init import migrate as migrating
from db_init import restore as restoring
from db_init import tenants as tenancy
from db_init.attach import attach as attach_all
from db_init.attach import detach as detach_all
from db_init.attach import planned_attach
from db_init.registry import Tenant
from db_init.tenant_objects import Outcome
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.errors import BridgeError, UnavailableError

FINDINGS = 3
_FOLDER = click.Path(path_type=Path, file_okay=False)
_PART = click.Choice(backing.PARTS)


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
        (
            tenant.subdomain,
            tenant.schema_name,
            tenant.state,
            tenant.attach_level,
            "; ".join(filter(None, (tenant.problem, *found.missing.get(tenant.schema_name, ())))),
        )
        for tenant in found.tenants
    ]
    if as_json:
        columns = ("subdomain", "schema", "state", "level", "problem")
        print_json(
            {
                "level": found.level,
                "head": found.head,
                "attach_level": found.attach_level,
                "unattached": list(found.unattached),
                "tenants": [dict(zip(columns, row, strict=True)) for row in rows],
            }
        )
    else:
        title = f"schema bridge: level {found.level or 'none'} of {found.head}; tenants: level {found.attach_level}"
        print_table(title, ("tenant", "schema", "state", "level", "missing or wrong"), rows)
        for schema in found.unattached:
            say(f"the app registered {schema}, which is not attached: c360 db attach")
    if not found.is_current:
        say("to mend it: " + ("c360 db migrate" if found.level else "c360 db attach"))
        sys.exit(FINDINGS)


@db.command("backup")
@click.option("--to", "folder", type=_FOLDER, required=True, help="Where the backup's own folder is made.")
@click.option("--only", "parts", type=_PART, multiple=True, help="Only this part; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup(folder: Path, parts: Sequence[str], as_json: bool) -> None:
    """Back up the app's database, Odoo's database and Odoo's filestore, while both sides go on working.

    Prints the folder that was made. It holds no passwords. Exit code 3 if files of the filestore are missing or
    damaged.

    Example: c360 db backup --to /var/backups/comply360
    """
    made = backing.back_up(load_settings(), folder, parts or backing.PARTS, say)
    files = manifest.load(made).parts.get("filestore")
    lacking = len(files.missing) + len(files.damaged) if files else 0
    print_json({"backup": str(made), "lacking_files": lacking}) if as_json else click.echo(made)
    sys.exit(FINDINGS if lacking else 0)


@db.command("restore")
@click.option("--from", "folder", type=_FOLDER, required=True, help="A backup's own folder.")
@click.option("--only", "part", type=_PART, help="The part to restore; with --verify all of them if not given.")
@click.option("--into", default="", help="Another database than the configured one.")
@click.option("--verify", is_flag=True, help="Only on trial: into databases that are dropped again.")
@click.option("--dry-run", is_flag=True, help="Only check, and say what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def restore(folder: Path, part: str | None, into: str, verify: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Bring one part of a backup back, or try whether the backup can be relied on (--verify).

    The daemon must be stopped, and nobody connected to the database; the former one is kept under another name. The
    restored side's epoch is raised. How to go on: docs/runbook.md, After a restore. --verify compares rows, constraints
    and the filestore with the manifest, says how long it took, and ends with 3 if anything differs.

    Example: c360 db restore --from /var/backups/comply360/c360-20261125T010000Z --only app
    """
    settings = load_settings()
    if verify:
        _verify(settings, folder, [part] if part else list(manifest.load(folder).parts), as_json)
        return
    if part is None:
        raise click.UsageError("say which part: --only app, odoo or filestore")
    if dry_run:
        steps = restoring.planned(settings, folder, part, into)
        print_json(steps) if as_json else click.echo("\n".join(steps))
        return
    own = settings.platform_postgres_db if part == "app" else settings.odoo_postgres_db
    _ask_for_name(part, into or own, yes)
    done = restoring.restore(settings, folder, part, into, say)
    if part == "app" and done.name == own:
        _raise_app_epoch(settings)
    if as_json:
        print_json({"part": part, "database": done.name, "kept": done.kept, "seconds": done.took.total_seconds()})
    say(f"{part} is restored after {done.took.total_seconds()} s; next: docs/runbook.md, After a restore")


@db.command("prune")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(dry_run: bool, as_json: bool) -> None:
    """Forget what was closed more than C360_KEEP_CLOSED_DAYS ago, and ledger months beyond C360_KEEP_LEDGER_MONTHS.

    Bindings of records, agreed values and everything open are kept.

    Example: c360 db prune --dry-run
    """
    # imported here: making databases needs neither Odoo nor RabbitMQ
    from sync_daemon.daemon import open_bridge

    with open_bridge(load_settings()) as bridge:
        found = bridge.retention().count() if dry_run else bridge.retention().forget()
    if as_json:
        print_json(found)
    else:
        title = "Would be forgotten" if dry_run else "Forgotten"
        print_table(title, ("what", "how much"), list(found.items()))


def _verify(settings: Settings, folder: Path, parts: Sequence[str], as_json: bool) -> None:
    checks = [restoring.trial(settings, folder, part, say) for part in parts]
    if as_json:
        print_json(
            [
                {"part": item.part, "seconds": item.took.total_seconds(), "problems": list(item.problems)}
                for item in checks
            ]
        )
    else:
        print_table(
            "Trial restore",
            ("part", "seconds", "result"),
            [(item.part, str(item.took.total_seconds()), "\n".join(item.problems) or "whole") for item in checks],
        )
    total = sum(item.took.total_seconds() for item in checks)
    say(f"restoring takes {total:.0f} s in all (RTO, without the time to find the backup)")
    sys.exit(FINDINGS if any(item.problems for item in checks) else 0)


def _ask_for_name(part: str, name: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"this replaces {part} {name}; without a terminal say --yes")
    if click.prompt(f"This sets {part} {name} back to an earlier time. Type its name", err=True) != name:
        raise click.UsageError("that is another name; nothing was done")


def _raise_app_epoch(settings: Settings) -> None:
    from sync_daemon.daemon import open_bridge

    try:
        with open_bridge(settings, is_restored=True) as bridge:
            begun = bridge.restorer(settings.odoo_instance).bump_app()
    except BridgeError as error:
        raise UnavailableError(
            f"the app's database is restored, but its epoch could not be raised: {error}; before the daemon starts "
            "again: c360 epoch bump --side app"
        ) from None
    say(f"app: epoch {begun} of its versions has begun")


def describe(tenant: Tenant) -> dict[str, object]:
    """A tenant for JSON."""
    return {
        "id": str(tenant.tenant_id),
        "subdomain": tenant.subdomain,
        "name": tenant.name,
        "schema": tenant.schema_name,
        "state": tenant.state,
        "app_status": tenant.tenant_status,
        "schema_status": tenant.schema_status,
        "instance": tenant.instance_id,
        "attach_level": tenant.attach_level,
        "problem": tenant.problem,
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
