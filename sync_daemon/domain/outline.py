"""The outline of a record: which of its fields hold a value in Odoo, and its status; not the values."""

from __future__ import annotations

from collections.abc import Mapping

from sync_daemon.domain.document import Document


def outline_of(document: Document, former: str) -> str:
    """The outline once the document is applied; of fields that it leaves out, the former one stands."""
    values = {**document.fields, **{name: pair.value for name, pair in document.two_way.items()}}
    held = {name: word for name, word in outlined(former).items() if name not in values}
    for name, value in values.items():
        if name == "status":
            held[name] = str(value)
        elif value not in ("", False):
            held[name] = ""
    return " ".join(f"{name}={word}" if word else name for name, word in sorted(held.items()))


def outlined(outline: str) -> Mapping[str, str]:
    """The fields of an outline that hold a value; only a status has it beside its name."""
    return dict(part.partition("=")[::2] for part in outline.split())
