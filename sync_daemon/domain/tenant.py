"""A tenant: an agency of the app, whose records flow."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Tenant:
    """A tenant and the schema that holds its records; `subdomain` is what people call it."""

    id: UUID
    subdomain: str
    schema: str


@dataclass(frozen=True)
class RegisteredTenant:
    """A tenant as the app registered it; `state` and the Odoo `instance` are empty until it is attached."""

    id: UUID
    subdomain: str
    app_status: str
    schema: str
    schema_status: str
    state: str
    attach_level: int
    known_digest: str
    digest: str
    problem: str
    instance: str


SUSPENDED = "the tenant is suspended"
PAUSED = "the flow to Odoo is paused"


def why_stopped(state: str, is_paused: bool) -> str:
    """Why nothing of a tenant goes to Odoo, by its state and its flow's; empty if it flows."""
    if is_paused:
        return PAUSED
    return SUSPENDED if state == "suspended" else ""


def of_replaced_tables(subdomain: str) -> str:
    """Why a tenant's records wait whose tables are not the ones that its bases are about."""
    return (
        f"tables of tenant {subdomain} were restored or recreated: records wait until you run `c360 epoch bump --side "
        f"app --tenant {subdomain}`"
    )
