"""Who decides about which record: fixed by its id, so that the writers, the people and the invariants agree."""

from __future__ import annotations

from uuid import UUID


def owner(identity: UUID) -> str:
    """Who decides about a commission, or edits a phone number: one side, the other, or both at odds."""
    share = identity.int % 100
    return "both" if share < 5 else "app" if share < 20 else "odoo"


def is_billed(identity: UUID) -> bool:
    """Whether a commission that Odoo decides about is paid through a vendor bill."""
    return owner(identity) == "odoo" and identity.int // 100 % 3 == 0
