"""Whether the app's database is the one that the installation lives in, or a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class DatabaseIdentity:
    """What tells one database from another.

    Shapes: `name` is empty where nothing is noted yet. `server` is PostgreSQL's system identifier, empty where it may
    not be read. `schema_oid` is of schema bridge's own table.
    """

    name: str
    server: str
    oid: int
    schema_oid: int


class Standing(StrEnum):
    """What the present database is to the installation."""

    SAME = "same"
    COPY = "copy"
    SCHEMA_RESTORED = "schema_restored"


def standing(noted: DatabaseIdentity, present: DatabaseIdentity) -> Standing:
    """Compare what was noted with what is there."""
    if not noted.name:
        return Standing.SAME
    if any(differences(noted, present)):
        return Standing.COPY
    return Standing.SAME if noted.schema_oid == present.schema_oid else Standing.SCHEMA_RESTORED


def differences(noted: DatabaseIdentity, present: DatabaseIdentity) -> Iterator[str]:
    """In what a copy differs, in words."""
    if noted.name != present.name:
        yield f"the installation lives in {noted.name}"
    if noted.server and present.server and noted.server != present.server:
        yield f"on the server with system identifier {noted.server}, and this one has {present.server}"
    elif noted.oid != present.oid:
        yield f"in the database with oid {noted.oid}, and this one has {present.oid}"
