"""Three-way merge of one two-way field against the last value both sides agreed on."""

from __future__ import annotations

from enum import StrEnum

from sync_daemon.domain.contract import Owner
from sync_daemon.domain.document import Scalar
from sync_daemon.domain.snapshot import Agreed

PROGRESS = {"pending": 0, "approved": 1, "paid": 2}
"""How far a commission has come; `cancelled` is not on this road."""


class Merge(StrEnum):
    """What to do with one field."""

    AGREED = "agreed"
    TAKE_ODOO = "take_odoo"
    KEEP_APP = "keep_app"
    CONFLICT = "conflict"


def merge(agreed: Agreed | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide one field; without an agreed value only equal or one-sided values merge."""
    if app == odoo:
        return Merge.AGREED
    if agreed is None:
        return Merge.TAKE_ODOO if app == "" else Merge.KEEP_APP if odoo == "" else Merge.CONFLICT
    if odoo == agreed.odoo:
        return Merge.KEEP_APP
    return Merge.TAKE_ODOO if app == agreed.app else Merge.CONFLICT


def merge_owned(owner: Owner, agreed: Agreed | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide one field by its owner. Equal values, and values that were agreed on each in its form, need nothing."""
    if owner is Owner.TWO_WAY:
        return merge(agreed, app, odoo)
    if app == odoo or (agreed is not None and (agreed.app, agreed.odoo) == (app, odoo)):
        return Merge.AGREED
    match owner:
        case Owner.ODOO:
            return Merge.TAKE_ODOO
        case Owner.PREFER_ODOO:
            return Merge.KEEP_APP if odoo == "" else Merge.TAKE_ODOO
        case Owner.PREFER_APP:
            return Merge.TAKE_ODOO if app == "" else Merge.KEEP_APP
        case Owner.APP | Owner.CREATE_ONLY | Owner.OFF:
            return Merge.AGREED


def merge_status(agreed: Agreed | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide a commission's status: the further of two steps on one road wins, a paid one is never undone."""
    if app == odoo:
        return Merge.AGREED
    if app == "paid":
        return Merge.KEEP_APP if odoo in PROGRESS else Merge.CONFLICT
    if odoo == "paid":
        return Merge.TAKE_ODOO if app in PROGRESS else Merge.CONFLICT
    plain = merge(agreed, app, odoo)
    if plain is Merge.CONFLICT and app in PROGRESS and odoo in PROGRESS:
        return Merge.TAKE_ODOO if PROGRESS[str(odoo)] > PROGRESS[str(app)] else Merge.KEEP_APP
    return plain
