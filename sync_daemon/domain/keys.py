"""Keys: entities, records, versions, lanes, directions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

_SELFTEST_UUID_VERSION = 8
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


ENTITY_ORDER = {entity: position for position, entity in enumerate(Entity)}


class Lane(StrEnum):
    """Live edits go before bulk loads."""

    LIVE = "live"
    BULK = "bulk"


class Direction(StrEnum):
    """Which way a change travels."""

    APP_TO_ODOO = "app_to_odoo"
    ODOO_TO_APP = "odoo_to_app"


@dataclass(frozen=True, order=True)
class RecordKey:
    """One record of one tenant."""

    tenant: UUID
    entity: Entity
    record_id: UUID

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
