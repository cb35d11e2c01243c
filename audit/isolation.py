"""The whole audit: plant, try, count, remove."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import permutations

from audit.canaries import canary
from audit.matrix import Cell, Finding, Outcome, judged
from audit.odoo_attempts import Attempt, attempts, attempts_at_home, reading_attempts
from audit.odoo_office import GROUPS, Office, Probe, Side
from sync_daemon.config import Settings
from sync_daemon.daemon import open_bridge
from sync_daemon.domain.keys import selftest_of
from sync_daemon.errors import BridgeError, ConfigError
from sync_daemon.odoo.client import open_odoo
from sync_daemon.odoo.visitor import Visitor

ACTORS = tuple(GROUPS)
TENANTS = 2
# as many workers as Odoo usually has at least
HANDS = 2
PLACE = "Odoo"
ADMINISTRATOR = "administrator"

Say = Callable[[str], None]


@contextmanager
def office(settings: Settings) -> Iterator[Office]:
    """Odoo's administrator and the bridge's methods, as the selftest's installation."""
    check_credentials(settings)
    with open_bridge(settings) as bridge:
        # any call makes sure that this is the installation's own Odoo
        bridge.instances[settings.odoo_instance].backlog()
        apart = open_odoo(settings.of_selftest, selftest_of(bridge.installation))
        yield Office(settings, apart)


@dataclass(frozen=True)
class Scene:
    """Tenants with their records, and users limited to them."""

    place: Office
    sides: Sequence[Side]
    probes: Sequence[Probe]
    visitors: dict[str, Visitor] = field(default_factory=dict, repr=False)

    def visitor(self, login: str, password: str) -> Visitor:
        """The user's session; to check a password costs Odoo more than most attempts."""
        return self.visitors.setdefault(login, Visitor(self.place.settings, login, password))

    def findings(self, say: Say, kinds: Collection[str] = (), reading: bool = False) -> list[Finding]:
        """What every user found, of all kinds of records or of these; with `reading`, in ways that change nothing."""

        def is_chosen(kind: str, attempt: Attempt) -> bool:
            return kind in (kinds or (kind,)) and attempt.reads >= reading

        def tried(probe: Probe) -> list[Finding]:
            say(f"trying as {probe.actor} of {probe.side or 'no tenant'}")
            return list(_tried(self, probe, is_chosen))

        found = list(_controlled(self, kinds))
        with ThreadPoolExecutor(HANDS) as pool:
            for findings in pool.map(tried, self.probes):
                found += findings
        return _without_vain(found)


@contextmanager
def scene(place: Office, say: Say) -> Iterator[Scene]:
    """Everything that an audit needs in Odoo; removed at the end, also after an error."""
    sweep(place, say)
    try:
        run = secrets.token_hex(3)
        say(f"making {TENANTS} tenants and their users in Odoo")
        sides = [place.plant(canary(run, number)) for number in range(1, TENANTS + 1)]
        probes = place.hire(sides)
        whole = [place.entangle(side, [probe for probe in probes if probe.side is not side]) for side in sides]
        place.limit(probes)
        now = dict(zip(map(str, sides), whole, strict=True))
        yield Scene(place, whole, [replace(probe, side=now.get(str(probe.side))) for probe in probes])
    finally:
        sweep(place, say)


def audit(place: Office, say: Say, kinds: Collection[str] = ()) -> list[Finding]:
    """Every finding."""
    with scene(place, say) as made:
        return made.findings(say, kinds)


def sweep(place: Office, say: Say) -> int:
    """Remove what this or an interrupted audit made; gives how many tenants and users."""
    removed = place.sweep()
    if removed:
        say(f"removed {removed} tenants and users of an audit from Odoo")
    return removed


def check_credentials(settings: Settings) -> None:
    """Raises: ConfigError naming every missing credential."""
    needed = {
        "C360_SYNC_PASSWORD": "reads the installation's id",
        "ODOO_API_KEY": "sends the audit's tenants",
        "ODOO_ADMIN_PASSWORD": "makes and removes users and records in Odoo",
    }
    missing = [name for name in needed if not getattr(settings, name.lower()).get_secret_value()]
    if missing:
        raise ConfigError("the audit needs " + ", ".join(f"{name}: it {needed[name]}" for name in missing))


def _controlled(made: Scene, kinds: Collection[str]) -> Iterator[Finding]:
    """What even the administrator cannot reach: to deny that proves nothing."""
    settings = made.place.settings
    visitor = made.visitor(settings.odoo_admin_login, settings.odoo_admin_password.get_secret_value())
    for side in made.sides:
        for attempt in reading_attempts(side):
            if not attempt.reads or (kinds and attempt.kind not in kinds):
                continue
            cell = Cell(PLACE, ADMINISTRATOR, attempt.kind, attempt.way, str(side), str(side))
            finding = _judged(visitor, cell, attempt, "")
            if finding.outcome is not Outcome.REACHED:
                why = finding.what or "nothing was found"
                yield Finding(cell, Outcome.UNTRIED, f"even the administrator gets nothing this way: {why}")


def _tried(made: Scene, probe: Probe, is_chosen: Callable[[str, Attempt], bool]) -> Iterator[Finding]:
    visitor = made.visitor(probe.login, probe.password)
    pairs = [(own, other) for own, other in permutations(made.sides, 2) if probe.side in (None, own)]
    tries = [(own, other, attempts(probe, own, other)) for own, other in pairs]
    if probe.side:
        tries.append((probe.side, probe.side, attempts_at_home(probe, probe.side)))
    for own, other, chosen in tries:
        for attempt in chosen:
            kind = f"own {attempt.kind}" if own is other else attempt.kind
            if is_chosen(kind, attempt):
                cell = Cell(PLACE, probe.actor, kind, attempt.way, str(own) if probe.side else "", str(other))
                yield _judged(visitor, cell, attempt, "" if own is other else str(other))


def _judged(visitor: Visitor, cell: Cell, attempt: Attempt, canary_text: str) -> Finding:
    try:
        answer = attempt.do(visitor)
    except BridgeError as error:
        return Finding(cell, Outcome.UNTRIED, str(error))
    # at home a refusal may name the record
    return judged(cell, answer.value, answer.error, answer.message, canary_text or "\0", attempt.is_reached)


def _without_vain(findings: Sequence[Finding]) -> list[Finding]:
    """Each way that the administrator could not go counts as untried for everybody."""
    vain = {(item.cell.kind, item.cell.way): item.what for item in findings if item.cell.actor == ADMINISTRATOR}
    return [
        replace(item, outcome=Outcome.UNTRIED, what=what)
        if item.outcome is Outcome.DENIED and (what := vain.get((item.cell.kind, item.cell.way)))
        else item
        for item in findings
        if item.cell.actor != ADMINISTRATOR
    ]
