"""Records that one has to look at apart: why they are no counterparts of each other, or not equal yet."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from tests.torture.history import Action, History, Side
from tests.torture.reader import Findings, Row
from tests.torture.shares import owner
from tests.torture.writer import BAD_CHARACTER

GONE = ("unlinked", "tombstone")


def ids(rows: Iterable[Row]) -> set[UUID]:
    """The app's ids of rows that have one."""
    return {row["id"] for row in rows if row["id"]}


def poisoned(found: Findings) -> set[UUID]:
    """Registrations that XML cannot carry."""
    return {row["id"] for row in found.registrations if BAD_CHARACTER in row["company_name"]}


def drafts(found: Findings) -> set[UUID]:
    """Registrations that stay in the app."""
    return {row["id"] for row in found.registrations if row["status"] == "draft"}


def merged(history: History) -> set[UUID]:
    """Registrations whose leads a person in Odoo wanted to be one."""
    return history.touched("registration", Action.MERGE, Side.ODOO)


def without_lead(history: History, found: Findings) -> set[UUID]:
    """Registrations whose lead a person in Odoo deleted, itself or the one that it was merged into."""
    asked = history.touched("registration", Action.DELETE, Side.ODOO) | merged(history)
    return {row["id"] for row in found.odoo_bindings if row["id"] in asked and row["state"] in GONE}


def leads_of(history: History, found: Findings) -> dict[UUID, int]:
    """The lead of each registration, be it the one that its own was merged into."""
    here = {row["odoo_id"] for row in found.leads}
    aliases = {
        row["id"]: row["res_id"]
        for row in found.odoo_bindings
        if row["state"] == "alias" and row["id"] in merged(history) and row["res_id"] in here
    }
    return {**aliases, **{row["id"]: row["odoo_id"] for row in found.leads if row["id"]}}


def apart(history: History, found: Findings) -> set[UUID]:
    """Records that a person has to look at before both sides can be equal again."""
    gone = history.touched("commission", Action.DELETE, Side.ODOO) | history.touched(
        "commission", Action.DELETE, Side.APP
    )
    return gone | poisoned(found) | merged(history) | without_lead(history, found)


def disputed(history: History) -> set[UUID]:
    """Records that both sides really changed, and that they were to change."""
    return {
        identity
        for entity in ("commission", "client")
        for identity in history.touched(entity, Action.UPDATE, Side.APP)
        & history.touched(entity, Action.UPDATE, Side.ODOO)
        if owner(identity) == "both"
    }
