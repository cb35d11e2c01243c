"""A document's content: its place, what is known about it, and what happens if it cannot be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.codec import printable
from sync_daemon.errors import RejectedError

LONGEST_PART = 255
_ENCODED = re.compile("%(2e|2f|5c|00|25)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """The place of a document's content below the storage's root, as the app names it; not checked yet."""

    tenant: UUID
    schema: str
    path: str


@dataclass(frozen=True)
class Stat:
    """The storage's facts about a content, without reading it; another `stamp` means another content. Units: bytes."""

    size: int
    stamp: str


@dataclass(frozen=True)
class Known:
    """A content that was read earlier."""

    path: str
    stamp: str
    sha256: str


@dataclass(frozen=True)
class Content:
    """What to send to Odoo for a content: its identity, or a link and the reason it is not copied."""

    sha256: str = ""
    link: str = ""
    note: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A content that could not be read; after `tries` attempts it is parked, 0 for never."""

    code: str
    message: str
    tries: int


def parts_of(place: Place, root_names_tenant: bool) -> tuple[str, ...]:
    """The folders and the name of a content, below the root.

    Shapes: where the root is every tenant's, the first folder must be the tenant's own: its uuid, or its schema's name.

    Raises: RejectedError for a path that leads, or may lead, out of there.
    """
    parts = tuple(place.path.split("/"))
    reason = _objection(place.path, parts)
    own = {str(place.tenant), place.tenant.hex, place.schema}
    if not reason and not root_names_tenant and (parts[0] not in own or len(parts) < 2):
        reason = "does not begin with the tenant's own folder"
    if reason:
        shown = printable(place.path)
        raise RejectedError("bad_path", f"the document's path {reason}: {shown}", "storage_path", shown)
    return parts


def _objection(path: str, parts: tuple[str, ...]) -> str:
    if not path:
        return "is empty"
    if path.startswith("/"):
        return "is absolute"
    if "://" in path or path.partition("/")[0].endswith(":"):
        return "names a host or a scheme"
    if "\\" in path or any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        return "contains an invalid character"
    if _ENCODED.search(path):
        return "is encoded"
    if any(part in {"", ".", ".."} for part in parts):
        return "contains an empty folder or one that leads elsewhere"
    if any(len(part.encode("utf-8", "surrogatepass")) > LONGEST_PART for part in parts):
        return "has a name that is too long"
    return ""
