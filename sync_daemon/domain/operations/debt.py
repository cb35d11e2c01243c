"""What both sides owe, as `c360 drain` counts it: it waits until nothing that can flow is owed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sync_daemon.domain.keys import Direction


class Flow(Protocol):
    """One tenant's flow in one direction, as the app's side knows it."""

    @property
    def tenant(self) -> UUID: ...
    @property
    def state(self) -> str: ...
    @property
    def direction(self) -> Direction: ...
    @property
    def paused(self) -> bool: ...
    @property
    def owed(self) -> int: ...


class Backlog(Protocol):
    """One tenant's flow, as Odoo knows it."""

    @property
    def owed(self) -> int: ...


@dataclass(frozen=True)
class Debt:
    """What is owed; `paused` by suspended and paused tenants, `open` by everyone else."""

    open: int
    paused: int


def debt(flows: Iterable[Flow], backlogs: Sequence[Mapping[UUID, Backlog]]) -> Debt:
    """Count what both sides owe, in records."""
    owed = {True: 0, False: 0}
    for flow in flows:
        flowing = flow.state == "active" and not flow.paused
        owed[flowing] += flow.owed
        if flow.direction is Direction.ODOO_TO_APP:
            owed[flowing] += sum(side[flow.tenant].owed for side in backlogs if flow.tenant in side)
    return Debt(open=owed[True], paused=owed[False])
