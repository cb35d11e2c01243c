"""Three-way merge of one two-way field against its base, the last value that both sides had."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sync_daemon.domain.contract import Owner
from sync_daemon.domain.document import Scalar
from sync_daemon.domain.former import Repeat
from sync_daemon.domain.snapshot import Base

PROGRESS = {"pending": 0, "approved": 1, "paid": 2}
"""How far a commission has come; `cancelled` is not on this road."""

PAYMENT = frozenset({"paid_at", "payment_reference"})
"""What belongs to a payment, and is as final as the status `paid`."""


class Merge(StrEnum):
    """What to do with one field."""

    AGREED = "agreed"
    TAKE_ODOO = "take_odoo"
    KEEP_APP = "keep_app"
    CONFLICT = "conflict"


def merge(base: Base | None, app: Scalar, odoo: Scalar, repeat: Repeat = Repeat.NO) -> Merge:
    """Decide one field; without a base, only equal or one-sided values merge.

    What the app repeats from before Odoo's value is no change; if it insists, a person decides.
    """
    if app == odoo:
        return Merge.AGREED
    if repeat is not Repeat.NO:
        return Merge.TAKE_ODOO if repeat is Repeat.ONCE else Merge.CONFLICT
    if base is None:
        return Merge.TAKE_ODOO if app == "" else Merge.KEEP_APP if odoo == "" else Merge.CONFLICT
    if odoo == base.odoo:
        return Merge.KEEP_APP
    return Merge.TAKE_ODOO if app == base.app else Merge.CONFLICT


def merge_owned(owner: Owner, base: Base | None, app: Scalar, odoo: Scalar, repeat: Repeat = Repeat.NO) -> Merge:
    """Decide one field by its owner. Equal values, and values that are the base in each side's form, need nothing."""
    if owner is Owner.TWO_WAY:
        return merge(base, app, odoo, repeat)
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


def merge_status(base: Base | None, app: Scalar, odoo: Scalar, repeat: Repeat = Repeat.NO) -> Merge:
    """Decide a commission's status: the further of two steps towards paid wins, and a payment is never undone."""
    if app == odoo:
        return Merge.AGREED
    if app == "paid":
        return Merge.KEEP_APP if odoo in PROGRESS else Merge.CONFLICT
    if odoo == "paid":
        return Merge.TAKE_ODOO if app in PROGRESS else Merge.CONFLICT
    plain = merge(base, app, odoo, repeat)
    if repeat is Repeat.NO and plain is Merge.CONFLICT and app in PROGRESS and odoo in PROGRESS:
        return Merge.TAKE_ODOO if PROGRESS[str(odoo)] > PROGRESS[str(app)] else Merge.KEEP_APP
    return plain


def merge_payment(base: Base | None, app: Scalar, odoo: Scalar, repeat: Repeat = Repeat.NO) -> Merge:
    """Decide the reference or the date of a payment that was made: neither is emptied, and the app replaces neither."""
    if app == odoo:
        return Merge.AGREED
    if app == "" or odoo == "":
        return Merge.TAKE_ODOO if app == "" else Merge.KEEP_APP
    if repeat is not Repeat.NO or (base is not None and app == base.app):
        return Merge.TAKE_ODOO
    return Merge.CONFLICT


def is_final(field: str, bases: Mapping[str, Base]) -> bool:
    """Whether a commission's field holds what belongs to a payment that both sides know of."""
    status, known = bases.get("status"), bases.get(field)
    is_paid = status is not None and "paid" in (status.app, status.odoo)
    return is_paid and (field == "status" or (field in PAYMENT and known is not None and known.odoo != ""))
