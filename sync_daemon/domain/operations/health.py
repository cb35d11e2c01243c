"""Whether a daemon is alive and ready, decided from its observations. Units: seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.heartbeat import Break

SILENT_SECONDS = 12.0
"""A neighbour is asked every few seconds; after this silence it counts as down."""

FAILING_SECONDS = 12.0
LATELY_SECONDS = 60.0
"""What failed may not be tried again for so long; until then a service without work has not recovered."""

SHOWN = 5

WAYS = {Direction.APP_TO_ODOO: "from app to Odoo", Direction.ODOO_TO_APP: "from Odoo to app"}


@dataclass(frozen=True)
class Service:
    """One loop: how long it has been silent and may be, how long it has been failing, and with which error.

    Shapes: `failed` is the age of the last failure after which nothing was done, 0 if there is none.
    """

    name: str
    silent: float
    patience: float
    failing: float
    kind: str
    error: str = ""
    failed: float = 0.0


@dataclass(frozen=True)
class Neighbour:
    """One neighbour: how long it has been silent, and the error of the last check; empty if it succeeded."""

    name: str
    silent: float
    error: str


@dataclass(frozen=True)
class FlowDebt:
    """What flowing tenants owe in one direction; `oldest` is 0 if nothing is owed."""

    direction: Direction
    owed: int
    oldest: float
    dead: int


@dataclass(frozen=True)
class Lack:
    """What a tenant's schema lacks: an object of ours, or the sight of a table; no `remedy` means to attach it."""

    tenant: UUID
    what: str
    remedy: str = ""

    @property
    def fix(self) -> str:
        """What to do."""
        return self.remedy or f"c360 db attach --tenant {self.tenant}"


def blocked(services: Iterable[Service]) -> list[str]:
    """Why the process is not alive: silent loops. Neighbours do not matter, because every call ends."""
    return [
        f"{service.name} has been blocked for {service.silent:.0f} s"
        for service in services
        if service.silent > service.patience
    ]


def explained(services: Iterable[Service]) -> list[str]:
    """Services that fail or failed lately, each with its error: for operators, not for pages that anyone can read."""
    failing = (service for service in services if service.failing or 0 < service.failed < LATELY_SECONDS)
    return [
        f"{service.name} has been failing for {service.failing:.0f} s: {service.error}"
        if service.failing
        else f"{service.name} failed {service.failed:.0f} s ago: {service.error}"
        for service in failing
    ]


def unready(
    neighbours: Iterable[Neighbour],
    services: Iterable[Service],
    debts: Iterable[FlowDebt],
    breaks: Iterable[Break],
    lacks: Iterable[Lack],
    longest_owed: float,
    oldest_event: float = 0.0,
) -> list[str]:
    """Why the process is not ready, one sentence per cause; none if it is ready."""
    return [
        *(cause for neighbour in neighbours for cause in _away(neighbour)),
        *(
            f"{service.name} has been failing for {service.failing:.0f} s ({service.kind}); its log says why"
            for service in services
            if service.failing > FAILING_SECONDS
        ),
        *(
            f"the oldest record owed {WAYS[debt.direction]} is {debt.oldest:.0f} s old, more than {longest_owed:.0f}"
            for debt in debts
            if debt.oldest > longest_owed
        ),
        *(
            [f"the oldest event that waits to be published is {oldest_event:.0f} s old, more than {longest_owed:.0f}"]
            if oldest_event > longest_owed
            else []
        ),
        *map(str, breaks),
        *_lacking(list(lacks)),
    ]


def unattachable(not_attached: Mapping[UUID, bool]) -> list[str]:
    """What keeps tenants from flowing that were tried to be attached; one that is only new is tried at once."""
    failed = [tenant for tenant, was_tried in not_attached.items() if was_tried]
    shown = [f"tenant {tenant} cannot be attached; see: c360 doctor" for tenant in failed[:SHOWN]]
    left = len(failed) - len(shown)
    return [*shown, *([f"{left} more tenants cannot be attached"] if left else [])]


def _away(neighbour: Neighbour) -> Iterator[str]:
    if neighbour.error:
        yield f"{neighbour.name}: {neighbour.error}"
    elif neighbour.silent > SILENT_SECONDS:
        yield f"{neighbour.name} has not answered for {neighbour.silent:.0f} s"


def _lacking(lacks: list[Lack]) -> Iterator[str]:
    for lack in lacks[:SHOWN]:
        yield f"tenant {lack.tenant} lacks {lack.what}"
    if len(lacks) > SHOWN:
        yield f"{len(lacks) - SHOWN} more are missing; see: c360 doctor"
