"""Three-way merge of one two-way field against the last value both sides agreed on."""

from __future__ import annotations

from enum import StrEnum

from sync_daemon.domain.document import Scalar

PROGRESS = {"pending": 0, "approved": 1, "paid": 2}
"""How far a commission has come; `cancelled` is not on this road."""


class Merge(StrEnum):
    """What to do with one field."""

    AGREED = "agreed"
    TAKE_ODOO = "take_odoo"
    KEEP_APP = "keep_app"
    CONFLICT = "conflict"


def merge(base: Scalar | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide one field; base None means the two sides never agreed, so only equal or one-sided values merge."""
    if app == odoo:
        return Merge.AGREED
    if base is None:
        return Merge.TAKE_ODOO if app == "" else Merge.KEEP_APP if odoo == "" else Merge.CONFLICT
    if odoo == base:
        return Merge.KEEP_APP
    if app == base:
        return Merge.TAKE_ODOO
    return Merge.CONFLICT


def merge_status(base: Scalar | None, app: Scalar, odoo: Scalar) -> Merge:
    """Decide a commission's status: the further of two steps on one road wins, a paid one is never undone."""
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
