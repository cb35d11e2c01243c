"""`c360 db`: databases, roles and schemas."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from uuid import UUID

import click

from db_init import backup as backing
from db_init import init as making
from db_init import known_database, manifest
from db_init import migrate as migrating
from db_init import restore as restoring
from db_init import tenants as tenancy
from db_init.attach import attach as attach_all
from db_init.attach import detach as detach_all
from db_init.attach import planned_attach
from db_init.connect import as_operator
from db_init.ledger import drop_month
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
    """Set up, migrate, back up and restore the databases."""


@db.command("init")
@click.option("--dry-run", is_flag=True, help="Print what would be created; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def init(dry_run: bool, as_json: bool) -> None:
    """Create databases, roles and schemas of a new installation.

    It creates only what is missing; repeat it as often as you like.

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
        say("nothing to do: everything exists")


@db.command("attach")
@click.option("--tenant", help="Limit to this tenant (subdomain, schema or UUID).")
@click.option("--dry-run", is_flag=True, help="Print what would be attached; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def attach(tenant: str | None, dry_run: bool, as_json: bool) -> None:
    """Attach the bridge to an existing app database.

    It adds roles, triggers and policies; it changes no column of the app's tables. Exit code 3 if a tenant could not be
    attached.

    Example: c360 db attach --dry-run
    """
    settings = load_settings()
    if dry_run:
        planned = planned_attach(settings)
        print_json(planned) if as_json else click.echo("\n".join(planned) or "nothing to do")
        return
    _show(attach_all(settings, _tenant_id(settings, tenant), say), as_json)


@db.command("detach")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt; all bindings are lost.")
def detach(yes: bool) -> None:
    """Remove the bridge from the app's database.

    It drops triggers, policies, rights, views and schema bridge. All bindings are lost: attaching again sends every
    record as new.

    Example: c360 db detach --yes
    """
    settings = load_settings()
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("detaching deletes all bindings; not a terminal: add --yes to confirm")
        question = f"Remove the bridge and all bindings from database {settings.platform_postgres_db}?"
        click.confirm(question, abort=True, err=True)
    detach_all(settings)
    say(f"the bridge is removed from database {settings.platform_postgres_db}")


@db.command("migrate")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(dry_run: bool, as_json: bool) -> None:
    """Migrate schema bridge and every tenant to the current level.

    A tenant that fails stops no other; the next run does only what is missing. Exit code 3 if a tenant failed.

    Example: c360 db migrate --dry-run
    """
    done = migrating.migrate(load_settings(), dry_run)
    verb = "would migrate" if dry_run else "migrated"
    say(f"schema bridge {verb} from level {done.before or 'none'} to {done.after}")
    _show(done.outcomes, as_json)


@db.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show schema levels and what each tenant is missing.

    Exit code 3 if something is missing; the last line names the command that fixes it.

    Example: c360 db status
    """
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
        print_table(title, ("tenant", "schema", "state", "level", "problem"), rows)
        for schema in found.unattached:
            say(f"schema {schema} is registered in the app but not attached; run: c360 db attach")
    if not found.is_current:
        say("to fix it, run: " + ("c360 db migrate" if found.level else "c360 db attach"))
        sys.exit(FINDINGS)


@db.command("backup")
@click.option("--to", "folder", type=_FOLDER, required=True, help="Parent folder of the backup's own folder.")
@click.option("--only", "parts", type=_PART, multiple=True, help="Limit to this part; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup(folder: Path, parts: Sequence[str], as_json: bool) -> None:
    """Back up both databases and Odoo's filestore.

    Both sides keep working meanwhile. It prints the folder of the backup. Exit code 3 if
    files of the filestore are missing or damaged.

    Example: c360 db backup --to /var/backups/comply360
    """
    made = backing.back_up(load_settings(), folder, parts or backing.PARTS, say)
    files = manifest.load(made).parts.get("filestore")
    lacking = len(files.missing) + len(files.damaged) if files else 0
    print_json({"backup": str(made), "lacking_files": lacking}) if as_json else click.echo(made)
    sys.exit(FINDINGS if lacking else 0)


@db.command("restore")
@click.option("--from", "folder", type=_FOLDER, required=True, help="Folder of the backup.")
@click.option("--only", "part", type=_PART, help="Part to restore; with --verify, default: all parts.")
@click.option("--into", default="", help="Restore into this database instead of the configured one.")
@click.option("--verify", is_flag=True, help="Test the backup: restore into temporary databases.")
@click.option("--dry-run", is_flag=True, help="Check the backup and print what would be done; change nothing.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def restore(folder: Path, part: str | None, into: str, verify: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Restore one part of a backup, or test the backup (--verify).

    Stop the daemon first, unless --into names another database, and disconnect everybody from the database to restore.
    A former database of that name is kept under another one, and the restored side starts a new epoch. Then continue
    with docs/runbook.md, "After a restore". --verify compares rows, constraints and the filestore with the manifest,
    prints how long restoring takes, and ends with exit code 3 if anything differs.

    Example: c360 db restore --from /var/backups/comply360/c360-20261125T010000Z --only app
    """
    settings = load_settings()
    if verify:
        _verify(settings, folder, [part] if part else list(manifest.load(folder).parts), as_json)
        return
    if part is None:
        raise click.UsageError("choose a part: --only app, --only odoo or --only filestore")
    if dry_run:
        steps = restoring.planned(settings, folder, part, into)
        print_json(steps) if as_json else click.echo("\n".join(steps))
        return
    own = settings.platform_postgres_db if part == "app" else settings.odoo_postgres_db
    _ask_for_name(part, into or own, yes)
    done = restoring.restore(settings, folder, part, into, say)
    if part == "app" and restoring.is_own(settings, part, into):
        _raise_app_epoch(settings)
    if as_json:
        print_json({"part": part, "database": done.name, "kept": done.kept, "seconds": done.took.total_seconds()})
    say(f"{part} restored in {done.took.total_seconds()} s; next: docs/runbook.md, After a restore")


@db.command("moved")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def moved(yes: bool, as_json: bool) -> None:
    """Note that the installation lives in this database now.

    After a planned move, an upgrade of PostgreSQL by dump, or a restore by other means than `c360 db restore`. The
    former database must not be used any more: two databases of one installation overwrite each other's work. After a
    restore, run `c360 epoch bump --side app` next.

    Example: c360 db moved --yes
    """
    settings = load_settings()
    _ask_for_database(settings, "The installation lives here from now on, and nowhere else.", yes)
    installation = known_database.moved(settings)
    if as_json:
        print_json({"installation": str(installation or ""), "database": settings.platform_postgres_db})
    if installation is None:
        say("nothing to do: the installation lives here; if the database was restored, run: c360 epoch bump --side app")
    else:
        say(f"installation {installation} lives in database {settings.platform_postgres_db} now")


@db.command("adopt-copy")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def adopt_copy(yes: bool, as_json: bool) -> None:
    """Make a copy of the database an installation of its own.

    It gets a new identity and forgets what it knew of Odoo: bindings, bases, conflicts, dead letters, links, invoices,
    events and what it owed. The app's rows stay. The Odoo of the original refuses its key until an administrator issues
    one for it (`c360 stack issue-key`), and nothing of it writes to records of the original.

    Example: c360 db adopt-copy --yes
    """
    settings = load_settings()
    _ask_for_database(settings, "This database forgets everything that it knows of Odoo.", yes)
    restoring.require_no_daemon(settings)
    former, new = known_database.adopt(settings)
    if as_json:
        print_json({"former": str(former), "installation": str(new), "database": settings.platform_postgres_db})
    say(
        f"database {settings.platform_postgres_db} is installation {new} now, no longer {former}; next: set ODOO_URL "
        "and RABBITMQ_URL to servers of its own, c360 stack issue-key, c360 reconcile --fix"
    )


@db.command("prune")
@click.option("--dry-run", is_flag=True, help="Count only; delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(dry_run: bool, as_json: bool) -> None:
    """Delete closed items and old ledger months.

    Closed items go after C360_KEEP_CLOSED_DAYS, ledger months after C360_KEEP_LEDGER_MONTHS. Bindings, bases and
    everything open stay. `c360 run` does the same every hour.

    Example: c360 db prune --dry-run
    """
    # imported here: creating databases needs neither Odoo nor RabbitMQ
    from sync_daemon.daemon import open_bridge

    settings = load_settings()
    with open_bridge(settings) as bridge:
        retention = bridge.retention(partial(_drop_month, settings))
        found = retention.count() if dry_run else retention.forget()
    if as_json:
        print_json(found)
    else:
        title = "Would be deleted" if dry_run else "Deleted"
        print_table(title, ("what", "count"), list(found.items()))


def _drop_month(settings: Settings, month: date) -> None:
    with as_operator(settings) as connection:
        drop_month(connection, month)


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
            [(item.part, str(item.took.total_seconds()), "\n".join(item.problems) or "ok") for item in checks],
        )
    total = sum(item.took.total_seconds() for item in checks)
    say(f"restoring takes {total:.0f} s in total (RTO, without the time to find the backup)")
    sys.exit(FINDINGS if any(item.problems for item in checks) else 0)


def _ask_for_name(part: str, name: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"this replaces {part} {name}; not a terminal: add --yes to confirm")
    if click.prompt(f"This resets {part} {name} to an earlier time. Type its name", err=True) != name:
        raise click.UsageError("the name does not match; nothing was changed")


def _ask_for_database(settings: Settings, what: str, yes: bool) -> None:
    if yes:
        return
    name = settings.platform_postgres_db
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what} Not a terminal: add --yes to confirm for database {name}")
    if click.prompt(f"{what} Type its name: {name}", err=True) != name:
        raise click.UsageError("the name does not match; nothing was changed")


def _raise_app_epoch(settings: Settings) -> None:
    from sync_daemon.daemon import open_bridge

    try:
        with open_bridge(settings, is_restored=True) as bridge:
            begun = bridge.restorer(settings.odoo_instance).bump_app()
    except BridgeError as error:
        raise UnavailableError(
            f"the app's database is restored, but raising its epoch failed: {error}; before you start the daemon, run: "
            "c360 epoch bump --side app"
        ) from None
    say(f"app: started version epoch {begun}")


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
        print_table("Tenants", ("tenant", "schema", "result", "reason"), rows)
    if any(item.action == "failed" for item in found):
        sys.exit(FINDINGS)


def _tenant_id(settings: Settings, name: str | None) -> UUID | None:
    if name is None:
        return None
    if (tenant := tenancy.registered(settings, name)) is None:
        raise click.UsageError(f"the app has no tenant {name}; see: c360 db status")
    return tenant
