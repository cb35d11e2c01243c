"""`c360 reconcile`: compare both sides, report what differs, repair it."""

from __future__ import annotations

import getpass
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from sync_daemon.cli.backfill import found, tenant_option
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.drift import DRIFT, Drift, Finding, Remedy
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.admin.brakes import Brakes
from sync_daemon.services.reconcile import ENTITIES, Comparison, Reconciler

SHOWN = 50
EXPLAINED = 1000
"""So many records of one comparison are read once more to name what differs."""
COUNTED = (Finding.MATCHED, *DRIFT, Finding.WAITING, Finding.PARKED, Finding.SET_ASIDE, Finding.FILTERED)


@click.command()
@tenant_option
@click.option(
    "--entity",
    "entities",
    type=click.Choice([entity.value for entity in ENTITIES]),
    multiple=True,
    help="Limit to this entity; repeatable.",
)
@click.option("--fix", is_flag=True, help="Write a plan of the repairs, then carry it out.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the plan; default: reconcile-<run>.json in this folder.",
)
@click.option("--dry-run", is_flag=True, help="With --fix: write the plan, repair nothing.")
@click.option("--yes", is_flag=True, help="With --fix: repair even if most of a table is missing in the app.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(
    tenant: str | None,
    entities: Sequence[str],
    fix: bool,
    plan_file: Path | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Compare every record on both sides; repair with --fix.

    Waiting records are in transit; a table says what they wait for. Parked ones are in `c360 dead list` or `c360
    conflict list`. Records set aside were opted out, deleted or merged by people in Odoo, or their dead letter was
    discarded. Exit code 3 on drift; after --fix, if a person still has to decide.

    Example: c360 reconcile --tenant agency1 --fix
    """
    wanted = [entity for entity in ENTITIES if not entities or entity.value in entities]
    with open_bridge(load_settings()) as bridge:
        reconciler = bridge.reconciler(bridge.settings.odoo_instance)
        tenants = found(reconciler.app.tenants(tenant), tenant)
        compared = [_compare(reconciler, item, entity) for item in tenants for entity in wanted]
        _show(compared, as_json)
        left = sum(len(item.drifts) for item in compared)
        if fix and left:
            left = _fix(bridge, compared, plan_file, dry_run, yes)
    sys.exit(3 if left else 0)


def _compare(reconciler: Reconciler, tenant: Tenant, entity: Entity) -> Comparison:
    """The comparison, the first of its drifts with the fields that differ."""
    found = reconciler.compare(tenant, entity)
    explained = reconciler.explain(tenant, entity, found.drifts[:EXPLAINED])
    return replace(found, drifts=(*explained, *found.drifts[EXPLAINED:]))


def _fix(bridge: Bridge, compared: Sequence[Comparison], plan_file: Path | None, dry_run: bool, yes: bool) -> int:
    """Plan and repair; the number of records left."""
    run = uuid4()
    planned = [drift for item in compared for drift in _planned(item, yes)]
    path = plan_file or Path(f"reconcile-{run.hex[:12]}.json")
    _write_plan(path, run, planned)
    say(f"wrote the plan for {len(planned)} records to {path}")
    everything = sum(len(item.drifts) for item in compared)
    if dry_run:
        return everything
    if yes and (ending := [drift.key for drift in planned if drift.finding is Finding.MISSING_IN_APP]):
        Brakes(bridge.database, bridge.settings.odoo_instance).permit(ending, "c360 reconcile --fix --yes", _who())
    mended = bridge.reconciler(bridge.settings.odoo_instance).mend(run, planned)
    say(f"{mended} repairs are in the bulk lane as run {run}; wait for them with: c360 drain")
    return everything - mended


def _who() -> str:
    return f"{getpass.getuser()} (c360)"


def _planned(item: Comparison, yes: bool) -> list[Drift]:
    if not item.is_disaster or yes:
        return [drift for drift in item.drifts if drift.remedy is not Remedy.PERSON]
    say(
        f"{item.tenant}: {item.counts[Finding.MISSING_IN_APP]} records of {item.entity}, most of them, are missing in "
        "the app; left unchanged. To repair them too, add --yes"
    )
    return [
        drift
        for drift in item.drifts
        if drift.remedy is not Remedy.PERSON and drift.finding is not Finding.MISSING_IN_APP
    ]


def _write_plan(path: Path, run: UUID, planned: Sequence[Drift]) -> None:
    content = {"run": str(run), "made_at": datetime.now(UTC).isoformat(), "records": list(map(_described, planned))}
    try:
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write the plan to {path}: {error.strerror}") from None


def _show(compared: Sequence[Comparison], as_json: bool) -> None:
    drifts = [drift for item in compared for drift in item.drifts]
    if as_json:
        print_json(
            {
                "compared": [
                    {"tenant": item.tenant, "entity": item.entity.value, **_counts(item.counts)} for item in compared
                ],
                "waiting": [
                    {"tenant": item.tenant, "entity": item.entity.value, "cause": cause, "records": count}
                    for item in compared
                    for cause, count in sorted(item.causes.items())
                ],
                "drift": list(map(_described, drifts)),
            }
        )
        return
    print_table(
        "Records on both sides",
        ("tenant", "entity", *(finding.value for finding in COUNTED)),
        [(item.tenant, item.entity.value, *(item.counts[finding] for finding in COUNTED)) for item in compared],
    )
    waiting = [(item.tenant, item.entity.value, *found) for item in compared for found in sorted(item.causes.items())]
    if waiting:
        print_table("Waiting", ("tenant", "entity", "cause", "records"), waiting)
    named = [(item.tenant, drift) for item in compared for drift in item.drifts]
    if drifts:
        columns = ("tenant", "entity", "id", "finding", "remedy", "in Odoo", "field", "in the app", "Odoo has")
        print_table("Drift", columns, [line for tenant, drift in named[:SHOWN] for line in _lines(tenant, drift)])
    if len(drifts) > SHOWN:
        say(f"and {len(drifts) - SHOWN} more; --json lists all")


def _counts(counts: Counter[Finding]) -> dict[str, int]:
    return {finding.name.lower(): counts[finding] for finding in COUNTED}


def _described(drift: Drift) -> dict[str, Any]:
    return {
        "tenant": str(drift.key.tenant),
        "entity": drift.key.entity.value,
        "record_id": str(drift.key.record_id),
        "finding": drift.finding.name.lower(),
        "remedy": drift.remedy.value,
        "odoo_ids": list(drift.odoo_ids),
        "fields": [{"field": item.field, "app": item.app, "odoo": item.odoo} for item in drift.differences],
    }


def _lines(tenant: str, drift: Drift) -> list[tuple[object, ...]]:
    """One line per field that differs; a single one where none is named."""
    what = (tenant, drift.key.entity.value, drift.key.record_id, drift.finding.value, drift.remedy.value)
    fields = [(item.field, item.app, item.odoo) for item in drift.differences] or [("", "", "")]
    return [(*what, _odoo_ids(drift), *field) for field in fields]


def _odoo_ids(drift: Drift) -> str:
    return ", ".join(map(str, drift.odoo_ids))
