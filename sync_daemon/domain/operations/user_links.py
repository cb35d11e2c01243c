"""Links between app users and Odoo users: proposed by equal email addresses, decided by an admin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class LinkState(StrEnum):
    """An admin's decision about a pair."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"


@dataclass(frozen=True)
class OdooUser:
    """An internal user of Odoo."""

    id: int
    login: str
    name: str
    email: str


@dataclass(frozen=True)
class Link:
    """A decision about a pair, with the login at that time."""

    odoo_id: int
    login: str
    state: LinkState
    by: str
    at: datetime


@dataclass(frozen=True)
class AppUser:
    """A user of one tenant of the app, with the latest decision about them."""

    id: UUID
    email: str
    name: str
    active: bool
    link: Link | None = None

    @property
    def linked(self) -> Link | None:
        """The link that is in force."""
        return self.link if self.link and self.link.state is LinkState.CONFIRMED else None


class Standing(StrEnum):
    """The state of an app user's link; `lost`: linked to someone who is no longer an internal user of Odoo."""

    LINKED = "linked"
    LOST = "lost"
    PROPOSED = "proposed"
    AMBIGUOUS = "ambiguous"
    DECLINED = "declined"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Person:
    """An app user with the Odoo users who may be the same person.

    Shapes: `matches` have the same email address; a match is proposed only if it is unique on both sides.
    """

    user: AppUser
    standing: Standing
    matches: tuple[OdooUser, ...] = ()

    @property
    def proposed(self) -> OdooUser | None:
        """The Odoo user an admin may confirm."""
        return self.matches[0] if self.standing is Standing.PROPOSED else None


def people(users: Sequence[AppUser], odoo_users: Iterable[OdooUser]) -> list[Person]:
    """The link state of each user of one tenant."""
    by_email: defaultdict[str, list[OdooUser]] = defaultdict(list)
    working = {}
    for odoo_user in odoo_users:
        working[odoo_user.id] = odoo_user
        by_email[_canonical(odoo_user.email)].append(odoo_user)
    taken = {user.linked.odoo_id for user in users if user.linked}
    alike: defaultdict[str, list[AppUser]] = defaultdict(list)
    for user in users:
        if user.active and not user.linked:
            alike[_canonical(user.email)].append(user)
    found = []
    for user in users:
        if user.linked:
            found.append(Person(user, Standing.LINKED if user.linked.odoo_id in working else Standing.LOST))
            continue
        email = _canonical(user.email)
        matches = [item for item in by_email.get(email, ()) if email and user.active and item.id not in taken]
        found.append(_open(user, matches, len(alike[email])))
    return found


def _open(user: AppUser, matches: Sequence[OdooUser], namesakes: int) -> Person:
    left = tuple(item for item in matches if user.link is None or item.id != user.link.odoo_id)
    if not left:
        return Person(user, Standing.DECLINED if matches or user.link else Standing.UNKNOWN)
    single = len(left) == 1 and namesakes == 1
    return Person(user, Standing.PROPOSED if single else Standing.AMBIGUOUS, left)


def _canonical(email: str) -> str:
    return email.strip().casefold()
