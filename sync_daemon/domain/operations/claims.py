"""Whether this database is the one that works as its installation: Odoo has the token that it left there last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True)
class Claim:
    """What this database left in Odoo.

    Shapes: `following` is the token that is about to be left, None if none is; it may be there already if an answer
    was lost. `number` counts tokens.
    `is_announced`: an operator said that the database was restored or moved. `odoo` names the Odoo, and its epoch,
    that got the token; empty before the first.
    """

    token: UUID
    following: UUID | None = None
    number: int = 0
    is_announced: bool = False
    odoo: str = ""


class Refusal(StrEnum):
    """Why Odoo has another token than this database left."""

    ANOTHER = "another"
    """Another database has worked as this installation since, or this one was set back."""
    ODOO_IS_ANOTHER = "odoo_is_another"
    """It is another Odoo, or one whose set-back was announced: it gets the token anew."""
    ODOO_SET_BACK = "odoo_set_back"


def refusal(claim: Claim, number: int, odoo: str) -> Refusal:
    """Decide why the `odoo` of these words has another token, the one with this number."""
    if number >= claim.number:
        return Refusal.ANOTHER
    return Refusal.ODOO_SET_BACK if claim.odoo == odoo else Refusal.ODOO_IS_ANOTHER
