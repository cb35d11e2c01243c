"""Which user of Odoo a user of the app may be: proposed by equal e-mail addresses, decided by an admin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class LinkState(StrEnum):
    """What an admin decided about a pair."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"


@dataclass(frozen=True)
class OdooUser:
    """A person who works in Odoo."""

    id: int
    login: str
    name: str
    email: str


@dataclass(frozen=True)
class Link:
    """A decision about a pair; the login is the one of that day."""

    odoo_id: int
    login: str
    state: LinkState
    by: str
    at: datetime


@dataclass(frozen=True)
class AppUser:
    """A user of one tenant of the app, and what was decided about him last."""

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
    """How a user of the app stands; `lost`: linked with somebody who does not work in Odoo any more."""

    LINKED = "linked"
    LOST = "lost"
    PROPOSED = "proposed"
    AMBIGUOUS = "ambiguous"
    DECLINED = "declined"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Person:
    """A user of the app beside Odoo's users who may be the same person.

    Shapes: `matches` have the same e-mail address; only a single one is proposed, and only to a single user.
    """

    user: AppUser
    standing: Standing
    matches: tuple[OdooUser, ...] = ()

    @property
    def proposed(self) -> OdooUser | None:
        """Whom an admin may confirm."""
        return self.matches[0] if self.standing is Standing.PROPOSED else None


def people(users: Sequence[AppUser], odoo_users: Iterable[OdooUser]) -> list[Person]:
    """How each user of one tenant stands."""
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
