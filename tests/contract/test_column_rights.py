"""The sync role is given the columns that the contract needs, and none that nobody should see."""

from __future__ import annotations

import pytest

from db_init.tenant_objects import CAPTURED, Captured
from sync_daemon.domain.contract import written_columns
from sync_daemon.domain.contracts import CONTRACTS, columns_of
from sync_daemon.domain.keys import Entity

SECRET = {
    "password_hash",
    "mfa_secret",
    "mfa_method",
    "mfa_enabled",
    "last_login_ip",
    "failed_login_attempts",
    "id_number",
    "passport_number",
    "metadata",
}
NAMES = [captured.entity for captured in CAPTURED]


def test_every_table_of_the_app_that_flows_is_captured() -> None:
    in_a_tenants_schema = {entity for entity in Entity if entity not in {Entity.TENANT, Entity.INVOICE, Entity.ISSUE}}
    assert {(item.entity, item.table) for item in CAPTURED} == {
        (entity.value, CONTRACTS[entity].table) for entity in in_a_tenants_schema
    }


@pytest.mark.parametrize("captured", CAPTURED, ids=NAMES)
def test_what_the_contract_reads_may_be_read(captured: Captured) -> None:
    assert columns_of(Entity(captured.entity)) <= set(captured.readable)


@pytest.mark.parametrize("captured", CAPTURED, ids=NAMES)
def test_what_the_contract_writes_may_be_written(captured: Captured) -> None:
    contract = CONTRACTS[Entity(captured.entity)]
    written = {field.column for field in contract.two_way} | ({contract.write_back} - {""})
    assert written <= set(captured.writable)


@pytest.mark.parametrize("captured", CAPTURED, ids=NAMES)
def test_only_columns_that_come_from_odoo_may_be_written(captured: Captured) -> None:
    from_odoo = {
        "odoo_lead_id",
        "odoo_invoice_id",
        "odoo_commission_id",
        "status",
        "approved_at",
        "approved_by",
        "paid_at",
        "payment_reference",
    }
    from_odoo |= written_columns(CONTRACTS[Entity(captured.entity)])
    assert set(captured.writable) <= from_odoo
    assert "status" not in captured.writable or captured.table == "commissions"


@pytest.mark.parametrize("captured", CAPTURED, ids=NAMES)
def test_no_secret_may_be_read(captured: Captured) -> None:
    assert not SECRET & set(captured.readable)
