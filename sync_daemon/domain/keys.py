"""Keys: entities, records, versions, lanes, directions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, total_ordering
from uuid import UUID

_SELFTEST_UUID_VERSION = 8
_HASH_BITS = 2**60 - 1
_WIRE_VERSION = re.compile(r"[0-9]{1,18}\.[0-9]{1,19}")


class Entity(StrEnum):
    """The entities the bridge carries, in order of application, parents first."""

    TENANT = "tenant"
    USER = "user"
    CLIENT = "client"
    REGISTRATION = "registration"
    COMMISSION = "commission"
    INVOICE = "invoice"
    DOCUMENT = "document"
    ISSUE = "issue"

    # of the text, which it is: an enum's own is computed in Python, and every batch looks up thousands
    __hash__ = str.__hash__


ENTITY_ORDER = {entity: position for position, entity in enumerate(Entity)}


class Lane(StrEnum):
    """Live edits go before bulk loads."""

    LIVE = "live"
    BULK = "bulk"


class Direction(StrEnum):
    """Which way a change travels."""

    APP_TO_ODOO = "app_to_odoo"
    ODOO_TO_APP = "odoo_to_app"


@lru_cache(maxsize=20_000)
def uuid_of(text: str) -> UUID:
    """The uuid of a text; a batch reads the same ones in each of its statements. Raises ValueError."""
    return UUID(text)


@total_ordering
@dataclass(frozen=True)
class RecordKey:
    """One record of one tenant."""

    tenant: UUID
    entity: Entity
    record_id: UUID

    def __hash__(self) -> int:
        # random enough by itself; hashing three parts would cost a batch more than looking its rows up
        return self.record_id.int & _HASH_BITS

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, RecordKey):
            return NotImplemented
        return (
            self.record_id.int == other.record_id.int
            and self.entity == other.entity
            and self.tenant.int == other.tenant.int
        )

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, RecordKey):
            return NotImplemented
        return self._place < other._place

    @property
    def _place(self) -> tuple[int, str, int]:
        return self.tenant.int, self.entity, self.record_id.int

    def __str__(self) -> str:
        return f"{self.entity} {self.record_id} of tenant {self.tenant}"


@dataclass(frozen=True, order=True)
class Version:
    """A position in one record's history: compared as a pair, never by clocks."""

    epoch: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read the wire form `epoch.n`. Raises ValueError for anything else."""
        if not _WIRE_VERSION.fullmatch(text):
            raise ValueError(f"no version of the form epoch.n: {text[:40]!r}")
        epoch, _, number = text.partition(".")
        return cls(int(epoch), int(number))

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"


def selftest_of(installation: UUID) -> UUID:
    """The uuid that an installation's selftest uses towards Odoo, which derives it too.

    Source: docs/wire.md, Records.
    """
    return UUID(int=installation.int & ~(0xF << 76) | _SELFTEST_UUID_VERSION << 76)
