"""What `c360 conflict resolve` says will stand is what the tenant's own contract makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import click
import pytest

from sync_daemon.cli.conflict import outcome_of
from sync_daemon.domain.decision import Keep
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.overrides import Contracts, Overrides, contracts
from sync_daemon.postgres.admin.conflicts import OpenConflict
from tests.unit.records import OTHER_TENANT, TENANT, key_of


def test_a_status_that_only_one_tenant_knows_stands_for_that_tenant_alone() -> None:
    values = {"commission": {"fields": {"status": {"values": {"vetted": "approved"}}}}}
    in_force = contracts(Overrides.model_validate({"tenants": {str(TENANT): values}}))
    assert edited(in_force, TENANT) == "approved"
    with pytest.raises(click.UsageError, match="vetted"):
        edited(in_force, OTHER_TENANT)


def edited(in_force: Contracts, tenant: UUID) -> str:
    key = key_of(Entity.COMMISSION, tenant=tenant)
    raised = OpenConflict(
        UUID(int=1), key, "agency1", "status", "pending", "cancelled", "approved", "", "", "", datetime.now(UTC)
    )
    return outcome_of(in_force, raised, Keep.EDIT, "vetted")
