"""`c360 erase`: what the bridge and Odoo hold of a customer who asked to be forgotten."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from db_init import erasures as sweeping
from db_init.connect import as_operator
from sync_daemon.cli.actor import actor
from sync_daemon.cli.backfill import found
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.erasure import Erasure, lacking
from sync_daemon.domain.tenant import Tenant
from sync_daemon.parts.erasing import Eraser
from sync_daemon.postgres.admin.erasures import Erasures
from sync_daemon.postgres.backfill import Backfills

FINDINGS = 3
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group("erase")
def erase() -> None:
    """Erase customers on both sides, and after a restore again."""


@erase.command("client")
@click.argument("client", type=click.UUID)
@click.option("--tenant", required=True, help="Tenant of the customer (subdomain or UUID).")
@click.option("--dry-run", is_flag=True, help="Count what would be erased; change nothing.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
def client(client: UUID, tenant: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Erase CLIENT, an id of the app, in the bridge and in Odoo.

    Its registrations and documents go with it: values, ledger entries, letters, conflicts, issues, chatter, attachments
    and their files. Odoo deletes the contact; where accounting records refer to it, it is emptied and archived, and
    they stay by law. The app's own rows are the app's: the receipt says how many it still has, and none of them is sent
    again. Repeat the command if it was interrupted. The receipt holds ids and counts.

    Example: c360 erase client 0c7c1f0e-8a44-4f7e-9f6e-6b1f6f1f0a01 --tenant agency1
    """
    settings = load_settings()
    with open_bridge(settings) as bridge:
        [owner] = found(Backfills(bridge.database, settings.odoo_instance).tenants(tenant), tenant)
        key, listed = RecordKey(owner.id, Entity.CLIENT, client), _listed(bridge)
        earlier = listed.find(owner.id, client)
        if earlier is None and not listed.is_known(owner, client):
            raise click.UsageError(f"neither the app nor the bridge knows client {client} of tenant {owner.subdomain}")
        records = listed.scope(owner, client) | (listed.records(earlier.id) if earlier else set())
        if dry_run:
            _show(_planned(bridge, key, records), as_json)
            return
        _ask_for_id(client, yes)
        erasure = earlier.id if earlier else uuid4()
        done = _eraser(bridge).erase(erasure, owner, key, actor(), records)
    _show(_described(done), as_json)


@erase.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, which `c360 erase replay --from` reads.")
def list_(as_json: bool) -> None:
    """List erased customers. Exit code 3 if a side still has to erase one.

    Example: c360 erase list --json > /safe/place/erasures.json
    """
    with open_bridge(load_settings()) as bridge:
        listed = _listed(bridge)
        erasures = listed.listed()
        records = {erasure.id: listed.records(erasure.id) for erasure in erasures}
    if as_json:
        print_json([_described(item) | {"erased": _records(records[item.id])} for item in erasures])
    else:
        columns = ("erasure", "tenant", "client", "by", "on", "records", "state")
        rows = [
            (
                str(item.id)[:8],
                str(item.tenant),
                str(item.client),
                item.requested_by,
                f"{item.requested_at:%Y-%m-%d}",
                len(records[item.id]),
                "done" if item.is_done else "to be carried out: c360 erase replay",
            )
            for item in erasures
        ]
        print_table(f"{len(rows)} erased customers", columns, rows)
    sys.exit(0 if all(item.is_done for item in erasures) else FINDINGS)


@erase.command("replay")
@click.option("--from", "file", type=_FILE, help="A list kept elsewhere.")
@click.option("--dry-run", is_flag=True, help="Print which customers would be erased; change nothing.")
def replay(file: Path | None, dry_run: bool) -> None:
    """Erase again what a restore brought back.

    It also completes what was interrupted. It takes the list from both sides, and from a file that `c360 erase list
    --json` printed.

    Example: c360 erase replay
    """
    settings = load_settings()
    with open_bridge(settings, is_restored=True) as bridge:
        listed = _listed(bridge)
        tenants = {tenant.id: tenant for tenant in Backfills(bridge.database, settings.odoo_instance).tenants()}
        wanted = _wanted(bridge, listed, file)
        for erasure, (key, by, records) in wanted.items():
            say(f"{'would erase' if dry_run else 'erasing'} client {key.record_id} of tenant {key.tenant}")
            if not dry_run:
                tenant = tenants.get(key.tenant, Tenant(key.tenant, str(key.tenant), ""))
                _eraser(bridge).erase(erasure, tenant, key, by, records)
    say(f"{len(wanted)} erasures" if wanted else "nothing to do: both sides have erased everything that is listed")


def _wanted(bridge: Bridge, listed: Erasures, file: Path | None) -> dict[UUID, tuple[RecordKey, str, set[RecordKey]]]:
    """The erasures to carry out, each with its customer, who asked for it, and its records."""
    known = {erasure.id: erasure for erasure in listed.listed()}
    in_odoo = _odoo(bridge).erasures()
    lost, _ = lacking(list(known.values()), in_odoo)
    open_ones = {erasure.id for erasure in known.values() if not erasure.is_done} | {erasure.id for erasure in lost}
    wanted = {
        erasure: (known[erasure].key, known[erasure].requested_by, listed.records(erasure))
        for erasure in sorted(open_ones)
    }
    elsewhere = {**in_odoo, **(_from_file(file) if file else {})}
    for erasure, records in elsewhere.items():
        clients = sorted(key for key in records if key.entity is Entity.CLIENT)
        if erasure not in known and clients:
            wanted[erasure] = (clients[0], "a list of earlier erasures", set(records))
    return wanted


def _from_file(file: Path) -> dict[UUID, frozenset[RecordKey]]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return {
            UUID(row["erasure"]): frozenset(
                RecordKey(UUID(one["tenant"]), Entity(one["entity"]), UUID(one["record_id"])) for one in row["erased"]
            )
            for row in rows
        }
    except (ValueError, KeyError, TypeError):
        raise click.UsageError(f"{file} is no list of `c360 erase list --json`") from None


def _listed(bridge: Bridge) -> Erasures:
    return Erasures(bridge.database, bridge.settings.odoo_instance)


def _odoo(bridge: Bridge) -> Any:
    return bridge.instances[bridge.settings.odoo_instance]


def _eraser(bridge: Bridge) -> Eraser:
    return Eraser(_listed(bridge), _odoo(bridge), partial(_sweep, bridge), say)


def _sweep(bridge: Bridge, erasure: UUID) -> Mapping[str, int]:
    with as_operator(bridge.settings) as connection:
        return sweeping.sweep(connection, erasure)


def _planned(bridge: Bridge, key: RecordKey, records: set[RecordKey]) -> dict[str, object]:
    in_odoo = _odoo(bridge).erase_client(uuid4(), key, sorted(records), True)
    records = records | in_odoo.records
    with as_operator(bridge.settings) as connection:
        rows = [(one.entity.value, str(one.record_id)) for one in sorted(records)]
        counts = sweeping.planned(connection, key.tenant, key.record_id, rows)
    return {
        "dry_run": True,
        "tenant": str(key.tenant),
        "client": str(key.record_id),
        "records": len(records),
        "app": {kind: number for kind, number in sorted(counts.items()) if number},
        "odoo": dict(in_odoo.counts),
        "customer": in_odoo.customer,
        "kept_by_law": [vars(item) for item in in_odoo.kept],
    }


def _described(done: Erasure) -> dict[str, object]:
    return {
        "erasure": str(done.id),
        "tenant": str(done.tenant),
        "client": str(done.client),
        "requested_by": done.requested_by,
        "requested_at": done.requested_at,
        "app_done_at": done.app_done_at,
        "odoo_done_at": done.odoo_done_at,
        **done.receipt,
    }


def _records(records: Iterable[RecordKey]) -> list[dict[str, str]]:
    return [
        {"tenant": str(key.tenant), "entity": key.entity.value, "record_id": str(key.record_id)}
        for key in sorted(records)
    ]


def _show(receipt: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(receipt)
        return
    rows = [(name, _words(value)) for name, value in receipt.items()]
    print_table("Would be erased" if receipt.get("dry_run") else "Receipt", ("", ""), rows)


def _words(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{number} {kind}" for kind, number in value.items()) or "nothing"
    if isinstance(value, list):
        return ", ".join(f"{item['records']} {item['model']}" for item in value) or "nothing"
    return value


def _ask_for_id(client_id: UUID, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("erasing cannot be undone; not a terminal: add --yes to confirm")
    if click.prompt("This cannot be undone. Type the client's id", err=True).strip() != str(client_id):
        raise click.UsageError("the id does not match; nothing was changed")
