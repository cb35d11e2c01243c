"""`c360 doctor`: what is wrong, and how to fix it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC
from functools import partial

import click

from sync_daemon.cli.contract import located
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.operations.daemons import diagnose
from sync_daemon.domain.operations.diagnosis import Diagnosis
from sync_daemon.domain.operations.erasure import lacking
from sync_daemon.errors import BridgeError, CopyError, FatalError
from sync_daemon.odoo import probe as odoo_probe
from sync_daemon.odoo.client import open_odoo
from sync_daemon.postgres.admin import probe as postgres_probe
from sync_daemon.postgres.admin.erasures import Erasures
from sync_daemon.postgres.daemons import Daemons
from sync_daemon.rabbitmq import probe as rabbitmq_probe
from sync_daemon.storage import probe as storage_probe

MISFIT = "`c360 contract check` names the rule; override it (docs/overrides.md), or grant a right with `c360 db attach`"
REPLAY = "run: c360 erase replay"
START = "start it, or check its settings with `c360 config show`"
# what the error says, and what mends it
APP_FIXES = {
    r"password authentication failed": "correct C360_SYNC_PASSWORD; to give the role another password: c360 db init",
    r'database "\S+" does not exist': "correct PLATFORM_POSTGRES_DB, or make the database: c360 db init",
    r"run: c360 db migrate": "c360 db migrate",
    r"run: c360 db init": "c360 db init",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Check every server, right and schema, and name fixes.

    Each finding comes with a fix. Exit code 3 if there are findings.

    Example: c360 doctor --json
    """
    settings = load_settings()
    findings = [*rabbitmq_probe.check(settings), *storage_probe.check(settings), *_sides(settings)]
    if as_json:
        print_json([vars(finding) for finding in findings])
    elif findings:
        columns = ("where", "problem", "fix")
        print_table(f"{len(findings)} findings", columns, [(f.place, f.problem, f.fix) for f in findings])
    else:
        say("no problems found: app database, tenants, daemons, RabbitMQ, documents, Odoo")
    sys.exit(3 if findings else 0)


def _sides(settings: Settings) -> Iterator[Diagnosis]:
    try:
        with open_bridge(settings, is_restored=True) as bridge:
            yield from _asked("app database", lambda: _app_side(bridge))
            yield from _odoo(bridge)
            yield from _asked("erasures", lambda: _erasures(bridge))
            yield from _contract(bridge)
            yield from _asked("daemons", lambda: list(diagnose(Daemons(bridge.database).running())))
    except CopyError as error:
        yield Diagnosis("app database", error.problem, error.remedy)
    except BridgeError as error:
        fixes = (fix for sign, fix in APP_FIXES.items() if re.search(sign, str(error)))
        yield Diagnosis("app database", str(error), next(fixes, START))


def _app_side(bridge: Bridge) -> list[Diagnosis]:
    return postgres_probe.check(bridge.database, bridge.registry, bridge.settings.heartbeat_interval)


def _odoo(bridge: Bridge) -> Iterator[Diagnosis]:
    now = bridge.registry.now().astimezone(UTC)
    for instance, odoo in bridge.instances.items():
        anyone = open_odoo(bridge.settings, bridge.installation)
        found = odoo_probe.check(odoo, now, bridge.registry.instance_uuid(instance), anyone.holdings)
        yield from found
        if not found:
            yield from _asked("Odoo", partial(_restored, bridge, instance))
            yield from _asked("Odoo", partial(_claimed, bridge, instance))


def _erasures(bridge: Bridge) -> list[Diagnosis]:
    instance = bridge.settings.odoo_instance
    listed = Erasures(bridge.database, instance).listed()
    lost, unknown = lacking(listed, bridge.instances[instance].erasures())
    back = {one.id: str(one.client) for one in [*(one for one in listed if not one.is_done), *lost]}
    found = [*back.values(), *(f"of erasure {erasure}" for erasure in unknown)]
    return [Diagnosis("erasures", f"customer {name} was erased and may be back", REPLAY) for name in found]


def _restored(bridge: Bridge, instance: str) -> list[Diagnosis]:
    positions = bridge.restorer(instance).positions()
    sides = {"app": positions.app_was_set_back, "odoo": positions.odoo_was_set_back}
    return [
        Diagnosis(f"{side} database", "was set back to an earlier time", f"c360 epoch bump --side {side}")
        for side, is_back in sides.items()
        if is_back
    ]


def _claimed(bridge: Bridge, instance: str) -> list[Diagnosis]:
    """Whether Odoo takes this database for the installation's own."""
    odoo = bridge.instances[instance]
    try:
        bridge.claimant(instance).hold(odoo, odoo.ping())
    except CopyError as error:
        return [Diagnosis("app database", error.problem, error.remedy)]
    except FatalError as error:
        return [Diagnosis("odoo database", str(error), "c360 epoch bump --side odoo")]
    return []


def _contract(bridge: Bridge) -> Iterator[Diagnosis]:
    asked = bridge.contract_check(bridge.settings.odoo_instance)
    for mismatches in (asked.app_mismatches, asked.odoo_mismatches):
        try:
            for row in located(bridge, bridge.settings, list(mismatches()), None):
                place = "the contract" if row["tenant"] == "all" else f"tenant {row['tenant']}"
                yield Diagnosis(place, row["message"], row["advice"] or MISFIT)
        except BridgeError as error:
            yield Diagnosis("the contract", str(error), "c360 contract check")


def _asked(place: str, ask: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    try:
        return ask()
    except BridgeError as error:
        return [Diagnosis(place, str(error), START)]
