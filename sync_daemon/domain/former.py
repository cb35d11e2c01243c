"""What the app merely repeats: a value of before Odoo's, saved with a row that was read before Odoo's arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from sync_daemon.domain.document import Scalar
from sync_daemon.domain.snapshot import Base, Former

AS_READ = timedelta(hours=12)
"""So long a form may stay open; a former value that comes later is the app's decision."""


class Repeat(StrEnum):
    """Whether the app's value is one of before Odoo's; `again`: Odoo's value has been given back once already."""

    NO = "no"
    ONCE = "once"
    AGAIN = "again"


def repeats(shown: Mapping[str, Scalar], bases: Mapping[str, Base], formers: Mapping[str, Former]) -> dict[str, Repeat]:
    """The fields of one record whose value in the app is a repetition.

    A save of a whole row repeats all values of before one write; who keeps one of Odoo's and takes back another has
    seen both, and decided. Shapes: `shown` has the app's present values by field.
    """
    held = {name: former for name, former in formers.items() if name in shown and _holds(bases.get(name), former)}
    seen = {former.age for name, former in held.items() if shown[name] == former.taken}
    return {
        name: Repeat.AGAIN if former.repeats else Repeat.ONCE
        for name, former in held.items()
        if shown[name] in former.values and former.age <= AS_READ and former.age not in seen
    }


def replaced(former: Former | None, base: Base | None, app: Scalar, taken: Scalar, is_repeat: bool) -> Former:
    """What the app had before `taken` is written over `app`."""
    known = former if former is not None and _holds(base, former) else None
    values = (known.values if known else frozenset()) | {app}
    return Former(values - {taken}, taken, timedelta(0), known.repeats + 1 if known and is_repeat else 0)


def _holds(base: Base | None, former: Former) -> bool:
    """Whether Odoo's value still is what both sides last had; the app has decided otherwise since, if not."""
    return base is not None and base.app == former.taken
