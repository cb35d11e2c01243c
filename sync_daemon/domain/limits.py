"""How much a tenant's records may lose before the brake stops them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Limits:
    """How many records of one kind may lose something of a tenant's within `window`.

    Units: `percent` of the tenant's records of the kind; it counts from `at_least` records on.
    """

    records: int = 200
    percent: int = 40
    at_least: int = 25
    window: timedelta = timedelta(minutes=10)
