"""Customers and leads on a real database: what Odoo says of them, who shows them, and what an operator decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from sync_daemon.domain.document import Change, Op, Ruling, Scalar, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base, BindingState
from sync_daemon.postgres.admin.bindings import Bindings
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

PLAIN: dict[str, Any] = {
    "name": "Client 1",
    "email": "client1@example.org",
    "phone": "",
    "tax_number": "",
    "street": "",
    "city": "",
    "state_province": "",
    "postal_code": "",
    "country": "",
}


def bind(installation: Installation, key: RecordKey, model: str, res_id: int, agreed: dict[str, str]) -> None:
    """The record is in Odoo, and both sides agree on these values."""
    installation.outbox.owe([key])
    owed = installation.rows.snapshot([key]).owed[key]
    bases = {name: Base(value, value) for name, value in agreed.items()}
    installation.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, model, res_id, "d", bases, {}, ())])
    databases.clear_marks(installation.settings)


@pytest.fixture
def registration(installation: Installation) -> RecordKey:
    """A registration whose client is a customer in Odoo."""
    (key,) = installation.fill(1)
    bind(installation, key, "crm.lead", 5, {})
    return key


@pytest.fixture
def client(installation: Installation, registration: RecordKey) -> RecordKey:
    [[record_id]] = installation.app("SELECT client_id::text FROM {schema}.registrations")
    key = installation.key(Entity.CLIENT, UUID(str(record_id)))
    bind(installation, key, "res.partner", 9, PLAIN)
    return key


def change(key: RecordKey, number: int, op: Op = Op.UPSERT, res_id: int = 9, **fields: Scalar) -> Change:
    return Change(key, Version(1, number), op, "res.partner", res_id, "2026-02-03 09:30:00", "sales", fields)


def apply(installation: Installation, *changes: Change) -> list[Ruling]:
    tenant = installation.tenant
    verdicts = installation.take(tenant.id, tenant.schema, changes)
    return [verdict.ruling for verdict in verdicts]


def marked(installation: Installation) -> set[tuple[object, object]]:
    return {(row[2], row[3]) for row in databases.marks(installation.settings)}


def test_a_customers_new_values_are_written_and_its_leads_look_at_them(
    installation: Installation, registration: RecordKey, client: RecordKey
) -> None:
    new = {**PLAIN, "name": "New Name", "city": "Harare", "country": "ZW"}
    assert apply(installation, change(client, 1, **new)) == [Ruling.APPLIED]
    assert installation.app("SELECT full_name, company_name, city, country FROM {schema}.clients") == [
        ("New Name", None, "Harare", "ZW")
    ]
    assert marked(installation) == {("registration", str(registration.record_id))}, "the client itself is not sent back"
    databases.clear_marks(installation.settings)
    assert apply(installation, change(client, 2, **new)) == [Ruling.APPLIED]
    assert marked(installation) == set(), "the same once more is nothing"


def test_what_only_differs_in_form_is_sent_as_odoo_has_it(installation: Installation, client: RecordKey) -> None:
    installation.app("UPDATE {schema}.clients SET phone = '082 555'")
    installation.outbox.collect(10)
    owed = installation.rows.snapshot([client]).owed[client]
    stored = {"phone": Base("082 555", "+27 82 555")}
    settled = Applied(owed, Status.UPDATED, "res.partner", 9, "d2", stored, {}, (), sent_over={"phone": PLAIN["phone"]})
    installation.ledger.settle(uuid4(), [settled])
    assert ("phone", "082 555", "+27 82 555") in Bindings(installation.database, INSTANCE).bases(client)
    assert apply(installation, change(client, 1, **{**PLAIN, "phone": "+27 82 555"})) == [Ruling.APPLIED]
    assert installation.app("SELECT phone FROM {schema}.clients") == [("082 555",)], "the app keeps its own form"


def test_an_answer_that_comes_late_takes_nothing_back(installation: Installation, client: RecordKey) -> None:
    installation.outbox.mark([client])
    installation.outbox.collect(10)
    owed = installation.rows.snapshot([client]).owed[client]
    assert apply(installation, change(client, 1, **{**PLAIN, "city": "Harare"})) == [Ruling.APPLIED]
    sent = {name: Base(value, value) for name, value in PLAIN.items()}
    late = Applied(owed, Status.UNCHANGED, "res.partner", 9, "d2", sent, {}, (), sent_over=PLAIN)
    installation.ledger.settle(uuid4(), [late])
    assert ("city", "Harare", "Harare") in Bindings(installation.database, INSTANCE).bases(client)
    assert apply(installation, change(client, 2, **{**PLAIN, "city": "Gweru"})) == [Ruling.APPLIED]
    assert installation.app("SELECT city FROM {schema}.clients") == [("Gweru",)], "and nobody is asked about it"


def test_won_and_lost_are_remembered_and_the_status_stays(installation: Installation, registration: RecordKey) -> None:
    lost = change(registration, 1, res_id=5, outcome="lost", lost_reason="Too expensive")
    assert apply(installation, lost) == [Ruling.APPLIED]
    assert installation.app("SELECT outcome, lost_reason, changed_by FROM {schema}.comply360_lead_outcome") == [
        ("lost", "Too expensive", "sales")
    ]
    assert apply(installation, change(registration, 2, res_id=5, outcome="won", lost_reason="")) == [Ruling.APPLIED]
    assert installation.app("SELECT outcome, lost_reason FROM {schema}.comply360_lead_outcome") == [("won", "")]
    assert installation.app("SELECT status FROM {schema}.registrations") == [("submitted",)]
    assert marked(installation) == set()


def test_what_odoo_asks_for_is_owed_whether_it_is_bound_or_not(
    installation: Installation, registration: RecordKey
) -> None:
    stranger = installation.key(Entity.CLIENT, uuid4())
    asked = [change(stranger, 1, Op.ASK, 0), change(registration, 1, Op.ASK, 5, outcome="open", lost_reason="")]
    assert apply(installation, *asked) == [Ruling.APPLIED, Ruling.APPLIED]
    assert marked(installation) == {("client", str(stranger.record_id)), ("registration", str(registration.record_id))}


def test_a_merged_record_points_to_the_survivor(installation: Installation, client: RecordKey) -> None:
    assert apply(installation, change(client, 1, Op.ALIAS, 77)) == [Ruling.APPLIED]
    binding = installation.rows.snapshot([client]).bindings.get(client)
    found = Bindings(installation.database, INSTANCE).find(client.record_id)
    assert binding is None, "it is not owed"
    assert [(view.state, view.res_id, view.model) for view in found] == [(BindingState.ALIAS, 77, "res.partner")]


def test_a_client_that_is_not_bound_brings_its_registration_numbers(installation: Installation) -> None:
    installation.fill(1)
    installation.app("UPDATE {schema}.registrations SET registration_number = '2026/1/07', status = 'approved'")
    [[record_id]] = installation.app("SELECT client_id::text FROM {schema}.registrations")
    key = installation.key(Entity.CLIENT, UUID(str(record_id)))
    installation.outbox.owe([key])
    snapshot = installation.rows.snapshot([key])
    assert (snapshot.numbers, snapshot.customers) == ({key: ("2026/1/07",)}, {key})


def test_an_operator_ends_or_moves_a_binding_and_the_record_is_owed(
    installation: Installation, client: RecordKey
) -> None:
    bindings = Bindings(installation.database, INSTANCE)
    assert [field for field, _, _ in bindings.bases(client)] == sorted(PLAIN)
    bindings.relink(client, "res.partner", 31, "ann (c360)")
    (view,) = bindings.find(client.record_id, installation.tenant.subdomain)
    assert (view.state, view.res_id, view.digest, bindings.bases(client)) == (BindingState.ACTIVE, 31, "", [])
    assert marked(installation) == {("client", str(client.record_id))}
    bindings.forget(client, "ann (c360)")
    assert bindings.find(client.record_id) == []
    actions = installation.bridge("SELECT action FROM bridge.ledger WHERE detail ->> 'by' = 'ann (c360)' ORDER BY id")
    assert actions == [("relinked",), ("recreated",)]
