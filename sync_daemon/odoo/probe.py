"""What `c360 doctor` asks Odoo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sync_daemon.domain.operations.diagnosis import Diagnosis
from sync_daemon.errors import BridgeError
from sync_daemon.odoo.wire import PROTOCOL
from sync_daemon.ports import Holdings, Odoo, OdooInfo

KEY_WARNING = timedelta(days=14)
SERIES = "19.0"
PLACE = "Odoo"
ADOPT = (
    "after a new installation of the addon, adopt them: c360 rebuild --adopt (changes nothing without --yes); if this "
    "is a copy of the expected database, check ODOO_URL and ODOO_DATABASE"
)
UPGRADE = "odoo module upgrade comply360_bridge, then restart Odoo"
ANOTHER = "check ODOO_URL and ODOO_DATABASE; if the expected one is gone for good: c360 rebuild --dry-run"


def check(
    odoo: Odoo, now: datetime, known_instance: str, holdings: Callable[[], Holdings] | None = None
) -> list[Diagnosis]:
    """Findings about version, protocol, key and identity.

    Shapes: `holdings` asks whichever Odoo answers, which `odoo` refuses to do.
    """
    try:
        info = odoo.ping()
    except BridgeError as error:
        return [Diagnosis(PLACE, str(error), _fix_for(str(error)))]
    return list(_findings(holdings or odoo.holdings, info, now, known_instance))


def _findings(
    holdings: Callable[[], Holdings], info: OdooInfo, now: datetime, known_instance: str
) -> Iterator[Diagnosis]:
    if not info.odoo.startswith(SERIES):
        yield Diagnosis(PLACE, f"Odoo {info.odoo} is not {SERIES}", f"use Odoo {SERIES}")
    if info.protocol != PROTOCOL:
        problem = f"the addon {info.addon} speaks protocol {info.protocol}, this bridge {PROTOCOL}"
        yield Diagnosis(PLACE, problem, "upgrade the addon comply360_bridge and the daemon to the same release")
    if info.addon != info.addon_on_disk:
        problem = f"database {info.database} has the addon {info.addon}, on disk is {info.addon_on_disk}"
        yield Diagnosis(PLACE, problem, UPGRADE)
    if known_instance and known_instance != info.instance_uuid:
        problem = f"another database answers: {info.instance_uuid}, expected {known_instance}"
        yield Diagnosis(PLACE, *_another(holdings, problem))
    if info.key_expires is not None:
        left = info.key_expires.replace(tzinfo=UTC) - now
        if left < KEY_WARNING:
            problem = f"the bridge's API key expires in {left.days} days"
            yield Diagnosis(PLACE, problem, "issue a new one: comply360.bridge issue_key, then set ODOO_API_KEY")


def _another(holdings: Callable[[], Holdings], problem: str) -> tuple[str, str]:
    """What to do about another database depends on whether it has the app's records already."""
    try:
        held = holdings().records
    except BridgeError as error:
        return problem, f"{ANOTHER} (Odoo does not say what it has: {error})"
    if not held:
        return f"{problem}; it has no record of this installation", ANOTHER
    return f"{problem}; it already has {held} records of this installation", ADOPT


def _fix_for(problem: str) -> str:
    if "404" in problem:
        return "server_wide_modules must contain rpc (default: base,rpc,web)"
    if "comply360.bridge" in problem:
        return "install the addon: odoo module install comply360_bridge"
    return (
        "check ODOO_URL, ODOO_DATABASE, ODOO_LOGIN and ODOO_API_KEY (a new installation of the addon needs a new key: "
        "c360 stack issue-key), and that Odoo runs"
    )
