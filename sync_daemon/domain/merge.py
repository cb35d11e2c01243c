"""Three-way merge of one two-way field against its base, the last value that both sides had."""

from __future__ import annotations

from enum import StrEnum

from sync_daemon.domain.contract import Owner
from sync_daemon.domain.document import Scalar
from sync_daemon.domain.snapshot import Base

PROGRESS = {"pending": 0, "approved": 1, "paid": 2}
"""How far a commission has come; `cancelled` is not on this road."""


class Merge(StrEnum):
    """What to do with one field."""

    AGREED = "agreed"
    TAKE_ODOO = "take_odoo"
    KEEP_APP = "keep_app"
    CONFLICT = "conflict"


def merge(base: Base | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide one field; without a base, only equal or one-sided values merge."""
    if app == odoo:
        return Merge.AGREED
    if base is None:
        return Merge.TAKE_ODOO if app == "" else Merge.KEEP_APP if odoo == "" else Merge.CONFLICT
    if odoo == base.odoo:
        return Merge.KEEP_APP
    return Merge.TAKE_ODOO if app == base.app else Merge.CONFLICT


def merge_owned(owner: Owner, base: Base | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide one field by its owner. Equal values, and values that are the base in each side's form, need nothing."""
    if owner is Owner.TWO_WAY:
        return merge(base, app, odoo)
    if app == odoo or (base is not None and (base.app, base.odoo) == (app, odoo)):
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


def merge_status(base: Base | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide a commission's status: the further of two steps towards paid wins, and a payment is never undone."""
    if app == odoo:
        return Merge.AGREED
    if app == "paid":
        return Merge.KEEP_APP if odoo in PROGRESS else Merge.CONFLICT
    if odoo == "paid":
        return Merge.TAKE_ODOO if app in PROGRESS else Merge.CONFLICT
    plain = merge(base, app, odoo)
    if plain is Merge.CONFLICT and app in PROGRESS and odoo in PROGRESS:
        return Merge.TAKE_ODOO if PROGRESS[str(odoo)] > PROGRESS[str(app)] else Merge.KEEP_APP
    return plain
