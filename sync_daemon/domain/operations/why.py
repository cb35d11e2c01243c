"""Why a field has its value: the ledger's last entry about it, compared with the app's present value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_daemon.domain.document import Scalar
from sync_daemon.domain.keys import Direction


@dataclass(frozen=True)
class Entry:
    """A line of the ledger about one record.

    Shapes: `fields` maps a field's name to its `value`, the value that was `lost`, `by` whom, and the `side` it is of.
    """

    at: datetime
    run: str
    direction: Direction
    action: str
    version: str
    fields: Mapping[str, Mapping[str, Scalar]]


@dataclass(frozen=True)
class Reason:
    """Why a field has its value.

    Shapes: `side` is where the value was set, `by` who set it if anybody knows; `at`, `run` and `version` are of the
    sync that carried it, None and empty while none has; `lost` is the value that it replaced.
    """

    field: str
    value: Scalar
    side: str
    by: str
    at: datetime | None
    run: str
    version: str
    lost: Scalar
    how: str


def reasons(present: Mapping[str, Scalar], entries: Sequence[Entry], settled: Collection[str] = ()) -> Iterator[Reason]:
    """One reason per field.

    Shapes: `present` is what the app has now; `entries` are in the order of their writing; `settled` are fields that
    both sides agree on, each perhaps in a form of its own.
    """
    for field, value in present.items():
        written = [entry for entry in entries if field in entry.fields]
        if not written:
            yield Reason(field, value, "app", "", None, "", "", "", _never_told(value))
            continue
        last = _last_word(field, written)
        known = last.fields[field].get("value", "")
        if known != value and field not in settled:
            yield Reason(field, value, "app", "", None, "", "", known, "changed in the app, not sent yet")
        else:
            yield _carried(field, value, last)


def _last_word(field: str, written: Sequence[Entry]) -> Entry:
    """The newest entry, unless it only sent the decision about a change from Odoo; then that decision."""
    *_, before, last = (*written[:1], *written)
    is_echo = before.direction is Direction.ODOO_TO_APP and last.direction is Direction.APP_TO_ODOO
    return before if is_echo and before.fields[field].get("value") == last.fields[field].get("value") else last


def _never_told(value: Scalar) -> str:
    return "no sync has carried it" if value != "" else "no value was ever sent"


def _carried(field: str, value: Scalar, entry: Entry) -> Reason:
    about = entry.fields[field]
    side = str(about.get("side") or ("app" if entry.direction is Direction.APP_TO_ODOO else "Odoo"))
    return Reason(
        field,
        value,
        side,
        str(about.get("by", "")),
        entry.at,
        entry.run,
        entry.version,
        about.get("lost", ""),
        {
            "created": "sent when the record was created",
            "updated": "sent to Odoo",
            "written": "taken from Odoo",
            "kept": "kept against Odoo's",
        }.get(entry.action, entry.action),
    )
