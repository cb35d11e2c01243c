"""Overrides in the bridge's own schema: versions that are added, read by everyone, and never by half."""

from __future__ import annotations

from uuid import UUID

import pytest

from sync_daemon.domain.contract import Owner
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.contract_check import check_app
from sync_daemon.domain.overrides import Contracts, Overrides, changes, contracts
from sync_daemon.errors import FatalError, RejectedError
from sync_daemon.postgres.admin.app_schema import AppSchema
from sync_daemon.postgres.overrides import OverrideBooks
from tests import databases
from tests.integration.conftest import INSTANCE, Installation


def lifted(tenant: UUID) -> Overrides:
    """The draft filter lifted for one tenant."""
    return Overrides.model_validate({"tenants": {str(tenant): {"registration": {"filtered": {"status": []}}}}})


def put(installation: Installation, overrides: Overrides, after: int) -> dict[Entity, int]:
    books = OverrideBooks(installation.database, INSTANCE)
    found = changes(books.contracts(), contracts(overrides), [installation.tenant.id])
    return books.apply(overrides, found, after, "operator")


def test_what_was_applied_is_in_the_next_snapshot_and_the_records_concerned_are_marked(
    installation: Installation,
) -> None:
    keys = installation.fill(4)
    installation.app(
        "UPDATE {schema}.registrations SET status = 'draft' WHERE id = ANY(%(ids)s)",
        ids=[key.record_id for key in keys[:3]],
    )
    databases.clear_marks(installation.settings)
    rows = installation.rows
    assert rows.snapshot(keys).contracts == Contracts()
    assert put(installation, lifted(installation.tenant.id), 0) == {Entity.REGISTRATION: 3}
    marked = installation.bridge("SELECT lane, unnest(record_ids)::text FROM bridge.outbox")
    assert sorted(marked) == sorted(("bulk", str(key.record_id)) for key in keys[:3])
    contract = rows.snapshot(keys).contract(keys[0])
    assert contract.filtered == {"status": frozenset()}, "the same reader follows at once"
    applied = OverrideBooks(installation.database, INSTANCE).applied()
    assert (applied.version, applied.by) == (1, "operator") and applied.at is not None


def test_two_who_apply_at_once_do_not_overwrite_one_another(installation: Installation) -> None:
    put(installation, lifted(installation.tenant.id), 0)
    with pytest.raises(RejectedError, match="meanwhile"):
        put(installation, Overrides(), 0)
    put(installation, Overrides(), 1)
    assert OverrideBooks(installation.database, INSTANCE).contracts().of(installation.tenant.id) == Contracts().common


def test_a_version_is_added_and_never_changed_by_the_sync_role(installation: Installation) -> None:
    put(installation, lifted(installation.tenant.id), 0)
    for statement in ("UPDATE bridge.contract_override SET version = 7", "DELETE FROM bridge.contract_override"):
        with pytest.raises(Exception, match="permission denied"):
            installation.bridge(statement)


def test_overrides_of_another_contract_stop_everything_in_plain_words(installation: Installation) -> None:
    administrator = databases.as_admin(installation.settings)
    with administrator, administrator.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bridge.contract_override (version, rules, applied_by) VALUES (1, %s::jsonb, 'somebody')",
            ['{"all": {"client": {"fields": {"fax": {"owner": "app"}}}}}'],
        )
    administrator.close()
    with pytest.raises(FatalError, match=r"version 1 .*: a client has no field fax; correct the file"):
        installation.rows.snapshot([])


def test_a_new_installation_fits_the_contract_in_every_column_type_and_value(installation: Installation) -> None:
    app_schema = AppSchema(installation.database, INSTANCE)
    [tenant] = app_schema.tenants()
    tables = app_schema.tables(tenant)
    assert list(check_app(tenant.id, app_schema.contracts().of(tenant.id), tables)) == []
    status = tables["registrations"]["status"]
    assert (status.type, status.limit) == ("varchar", 50)
    assert status.values == {"draft", "submitted", "in_review", "approved", "rejected", "cancelled"}
    amount = tables["commissions"]["commission_amount"]
    assert (amount.type, amount.digits, amount.scale) == ("numeric", 10, 2)
    assert "password_hash" not in tables["users"], "what the sync role may not read is not there for it"


def test_owners_are_read_as_they_were_applied(installation: Installation) -> None:
    given = Overrides.model_validate({"all": {"client": {"fields": {"phone": {"owner": "create_only"}}}}})
    put(installation, given, 0)
    client = OverrideBooks(installation.database, INSTANCE).contracts().common[Entity.CLIENT]
    assert {item.name: item.owner for item in client.fields}["phone"] is Owner.CREATE_ONLY
