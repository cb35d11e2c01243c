"""What a change that was applied comes to: each fact told once, in order, and nothing of what the app did itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Change, Op, Scalar
from sync_daemon.domain.event import Event, EventType, OutgoingEvent
from sync_daemon.domain.events import EVENT_TYPES, row_events
from sync_daemon.domain.events.conflict import conflict_raised, conflict_resolved
from sync_daemon.domain.events.invoice import invoice_events
from sync_daemon.domain.events.lead import lead_events
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.overrides import Overrides, contracts
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import merge_record
from sync_daemon.domain.reported import reported
from sync_daemon.pages.asyncapi import schemas
from tests.unit.records import TENANT, commission_change, key_of, row
from tests.unit.test_fuzz import SCALAR, TWO_WAY, rows_of
from tests.unit.test_reported import INVOICE

BRIDGE = "comply360_bridge"


def names(events: list[Event]) -> list[str]:
    for event in events:
        check(event)
    return [event.type.name for event in events]


def check(event: Event) -> None:
    """An event is what its own schema says, and shows nothing that the schema does not name."""
    schema = schemas()[event.type.type]
    jsonschema.validate(event.data, schema, format_checker=jsonschema.FormatChecker())
    assert event.data.keys() <= schema["properties"].keys()


def commission(writes: Mapping[str, str | None], **columns: object) -> list[Event]:
    return row_events(CONTRACTS[Entity.COMMISSION], commission_change({}), row(Entity.COMMISSION, **columns), writes)


def test_a_payment_is_told_with_reference_date_amount_and_currency() -> None:
    writes = {"status": "paid", "paid_at": "2026-02-03 09:30:00", "payment_reference": "EFT 4711"}
    [event] = commission(writes, status="approved", approved_at="2026-02-01T08:00:00", commission_amount="187.50")
    check(event)
    assert (event.type.name, event.key) == ("commission.paid", key_of(Entity.COMMISSION))
    assert event.at == "2026-01-31 10:00:00"
    assert event.data == {
        "commission_id": str(key_of(Entity.COMMISSION).record_id),
        "registration_id": str(key_of(Entity.REGISTRATION).record_id),
        "agent_id": str(key_of(Entity.USER).record_id),
        "status": "paid",
        "amount": "187.50",
        "currency": "ZAR",
        "approved_at": "2026-02-01T08:00:00Z",
        "paid_at": "2026-02-03T09:30:00Z",
        "payment_reference": "EFT 4711",
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("pending", "approved", ["commission.approved"]),
        ("approved", "paid", ["commission.paid"]),
        ("pending", "paid", ["commission.approved", "commission.paid"]),
        ("pending", "cancelled", ["commission.cancelled"]),
        ("approved", "cancelled", ["commission.cancelled"]),
        ("approved", "pending", ["commission.reopened"]),
        ("cancelled", "pending", ["commission.reopened"]),
        ("cancelled", "approved", ["commission.approved"]),
    ],
)
def test_every_step_of_a_commission_is_told_once_and_in_order(before: str, after: str, told: list[str]) -> None:
    assert names(commission({"status": after}, status=before)) == told


def test_a_reference_that_is_corrected_is_told_as_a_change() -> None:
    paid = {"status": "paid", "paid_at": "2026-02-03T09:30:00", "payment_reference": "EFT 4711"}
    assert names(commission({"payment_reference": "EFT 4712"}, **paid)) == ["commission.changed"]


def test_an_approver_who_is_known_in_both_is_told_by_the_apps_id() -> None:
    approver = str(key_of(Entity.USER, "approver").record_id)
    approval = {"status": "approved", "approved_at": "2026-02-01 08:00:00", "approved_by": approver}
    [event] = commission(approval)
    assert (names([event]), event.data["approved_by"]) == (["commission.approved"], approver)
    later = {"status": "approved", "approved_at": "2026-02-01T08:00:00"}
    [event] = commission({"approved_by": approver}, **later)
    assert (names([event]), event.data["approved_by"]) == (["commission.changed"], approver)


def test_what_was_not_written_is_not_told() -> None:
    assert commission({}) == []
    assert commission({"status": "pending", "payment_reference": None}) == [], "the same value in other words"


def test_a_status_of_the_tenants_own_is_the_step_that_its_contract_makes_of_it() -> None:
    given = {"all": {"commission": {"fields": {"status": {"values": {"vetted": "approved"}}}}}}
    contract = contracts(Overrides.model_validate(given)).of(TENANT)[Entity.COMMISSION]
    vetted = row(Entity.COMMISSION, status="vetted", approved_at="2026-02-01T08:00:00")
    paid = {"status": "paid", "paid_at": "2026-02-03 09:30:00", "payment_reference": "EFT 4711"}
    found = row_events(contract, commission_change({}), vetted, paid)
    assert names(found) == ["commission.paid"], "it was approved long ago, by the app itself"


@pytest.mark.parametrize("missing", ["commission_amount", "currency", "agent_id"])
def test_a_column_that_the_app_dropped_is_left_out_and_the_rest_is_told(missing: str) -> None:
    left = {column: value for column, value in row(Entity.COMMISSION).items() if column != missing}
    [event] = row_events(CONTRACTS[Entity.COMMISSION], commission_change({}), left, {"status": "approved"})
    check(event)
    assert event.data["status"] == "approved"
    assert {"commission_amount": "amount"}.get(missing, missing) not in event.data


def invoice(before: Mapping[str, str], **fields: Scalar) -> list[Event]:
    return invoice_events(told(Op.UPSERT), before, {**INVOICE, **fields})


def told(op: Op) -> Change:
    key = key_of(Entity.INVOICE)
    return Change(key, Version(1, 5), op, "account.move", 41, "2026-02-01 10:00:00", "accountant", {})


RENAMED = {"registration": "registration_id", "client": "client_id", "credits": "credits_id"}


def known(**columns: str) -> dict[str, str]:
    """The read model after an invoice was told."""
    shown = {
        RENAMED.get(name, name): str(value)
        for name, value in INVOICE.items()
        if not name.startswith("payment_discrepancy")
    }
    return {**shown, **columns}


DRAFT = {"state": "draft", "payment_state": "not_paid", "residual": "1500.10"}
OPEN = {"state": "posted", "payment_state": "not_paid", "residual": "1500.10"}
PAID = {"state": "posted", "payment_state": "paid", "residual": "0.00", "paid_on": "2026-02-20"}
PART = {"state": "posted", "payment_state": "partial", "residual": "500.10"}
GIVEN_BACK = {"state": "posted", "payment_state": "reversed", "residual": "0.00"}
CANCELLED = {"state": "cancelled", "payment_state": "not_paid", "residual": "0.00"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, DRAFT, ["created"]),
        (None, OPEN, ["created", "posted"]),
        (None, PAID, ["created", "posted", "paid"]),
        (None, PART, ["created", "posted", "partly_paid"]),
        (None, CANCELLED, ["created", "cancelled"]),
        (DRAFT, OPEN, ["posted"]),
        (DRAFT, PAID, ["posted", "paid"]),
        (DRAFT, {**DRAFT, "total": "1600.00"}, ["changed"]),
        (OPEN, PAID, ["paid"]),
        (OPEN, {**PAID, "payment_state": "in_payment"}, ["paid"]),
        ({**PAID, "payment_state": "in_payment"}, PAID, ["changed"]),
        (OPEN, PART, ["partly_paid"]),
        (PART, {**PART, "residual": "100.00"}, ["partly_paid"]),
        (PART, {**PART, "due_date": "2026-03-31"}, ["changed"]),
        (PART, PAID, ["paid"]),
        (OPEN, GIVEN_BACK, ["credited"]),
        (PAID, OPEN, ["unpaid"]),
        (GIVEN_BACK, OPEN, ["unpaid"]),
        (OPEN, {**OPEN, "payment_state": "blocked"}, ["changed"]),
        (OPEN, CANCELLED, ["cancelled"]),
        (OPEN, DRAFT, ["reopened"]),
        (PAID, DRAFT, ["reopened"]),
        (CANCELLED, DRAFT, ["reopened"]),
    ],
)
def test_every_step_of_an_invoice_is_told_once_and_in_order(
    before: dict[str, str] | None, after: dict[str, str], expected: list[str]
) -> None:
    found = names(invoice({} if before is None else known(**before), **after))
    assert found == [f"invoice.{name}" for name in expected]


def test_an_invoice_that_is_told_again_is_not_told_on() -> None:
    assert invoice(known()) == []
    discrepancy = {"payment_discrepancy": "registration_cancelled", "payment_discrepancy_about": "INV/2026/00001"}
    assert invoice(known(), **discrepancy) == [], "that is an issue, and no event"


def test_a_deleted_draft_is_told_once_and_one_that_was_never_known_not_at_all() -> None:
    [event] = invoice_events(told(Op.UNLINK), known(**DRAFT), {})
    check(event)
    assert (event.type.name, event.data["state"]) == ("invoice.deleted", "deleted")
    assert invoice_events(told(Op.UNLINK), known(state="deleted"), {}) == []
    assert invoice_events(told(Op.UNLINK), {}, {}) == []


def client(writes: Mapping[str, str | None], **columns: object) -> list[Event]:
    key, at = key_of(Entity.CLIENT), "2026-02-01 10:00:00"
    change = Change(key, Version(1, 5), Op.UPSERT, "res.partner", 9, at, "sales", {})
    return row_events(CONTRACTS[Entity.CLIENT], change, row(Entity.CLIENT, **columns), writes)


def test_a_customers_change_names_the_columns_and_none_of_the_values() -> None:
    [event] = client({"phone": "+27 82 555 0101", "city": "Harare", "email": "tendai@moyo.example"})
    check(event)
    assert event.type.name == "client.changed"
    assert event.data == {"client_id": str(key_of(Entity.CLIENT).record_id), "columns": ["city", "phone"]}


def test_a_customers_column_that_is_written_as_it_was_is_no_change() -> None:
    assert client({"city": "Harare"}, city="Harare") == []


def lead(before: str, outcome: str, reason: str = "", by: str = "sales") -> list[str]:
    key = key_of(Entity.REGISTRATION)
    change = Change(key, Version(1, 5), Op.UPSERT, "crm.lead", 7, "2026-02-01 10:00:00", by, {})
    return names(lead_events(change, before, outcome, reason, BRIDGE))


@pytest.mark.parametrize(
    ("before", "outcome", "reason", "expected"),
    [
        ("", "won", "", ["lead.won"]),
        ("", "lost", "Too expensive", ["lead.lost"]),
        ("", "open", "", []),
        ("won", "open", "", ["lead.reopened"]),
        ("lost", "won", "", ["lead.won"]),
        ("lost", "lost", "No answer", ["lead.changed"]),
    ],
)
def test_what_a_salesperson_decides_about_a_lead_is_told(
    before: str, outcome: str, reason: str, expected: list[str]
) -> None:
    assert lead(before, outcome, reason) == expected


def test_a_lead_that_the_apps_own_decision_moved_is_no_news_to_the_app() -> None:
    assert lead("", "won", by=BRIDGE) == []
    assert lead("won", "lost", "Rejected", by=BRIDGE) == []


def test_a_conflict_names_the_field_and_none_of_the_values() -> None:
    change = commission_change({"status": "approved"})
    record = {"entity": "commission", "record_id": str(key_of(Entity.COMMISSION).record_id), "field": "status"}
    raised, resolved = conflict_raised(change, "status"), conflict_resolved(change, "status", "keep_odoo")
    assert names([raised, resolved]) == ["conflict.raised", "conflict.resolved"]
    assert raised.data == record
    assert resolved.data == {**record, "resolution": "keep_odoo"}


def outgoing(kind: EventType, position: int = 7) -> OutgoingEvent:
    identity = UUID("2f1c1a52-7a5e-4c3a-9d7b-0e5b0a1c2d3e")
    at = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)
    return OutgoingEvent(position, identity, "main", TENANT, kind.type, "commission/1", at, kind.sample)


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.name)
def test_the_routing_key_of_a_written_event_is_its_kinds_name(kind: EventType) -> None:
    assert outgoing(kind).routing_key == kind.name


def test_the_attributes_are_texts_whose_names_cloudevents_allows() -> None:
    attributes = outgoing(EVENT_TYPES[0]).attributes
    assert all(name.isascii() and name.isalnum() and name.islower() for name in attributes)
    assert (attributes["time"], attributes["tenantid"]) == ("2026-02-03T09:30:00Z", str(TENANT))


def test_sequences_are_texts_in_the_order_of_positions() -> None:
    numbers = (9, 10, 99, 10**18)
    found = [outgoing(EVENT_TYPES[0], number).attributes["sequence"] for number in numbers]
    assert found == sorted(found)


@pytest.mark.parametrize("entity", TWO_WAY)
@given(st.data())
def test_whatever_the_app_and_odoo_hold_an_event_is_what_its_schema_says(entity: Entity, data: st.DataObject) -> None:
    contract = CONTRACTS[entity]
    fields = data.draw(st.dictionaries(st.sampled_from([field.name for field in contract.two_way]), SCALAR))
    change = Change(key_of(entity), Version(1, 5), Op.UPSERT, contract.odoo_model, 41, "", "", fields)
    present = data.draw(rows_of(entity))
    writes = merge_record(decode_change(contract, change), present, {}).writes
    for event in row_events(contract, change, present, writes):
        check(event)


@given(st.data())
def test_whatever_odoo_tells_of_an_invoice_its_events_are_what_their_schemas_say(data: st.DataObject) -> None:
    states = st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from(["draft", "posted", "cancelled"]),
            "payment_state": st.sampled_from(["not_paid", "in_payment", "paid", "partial", "reversed", "blocked"]),
        },
    )
    anything = st.dictionaries(st.sampled_from(sorted(INVOICE)), SCALAR)
    before: dict[str, str] = {}
    for number in range(3):
        drawn = {**INVOICE, **data.draw(states), **data.draw(anything)}
        found = reported(
            CONTRACTS[Entity.INVOICE],
            Change(key_of(Entity.INVOICE), Version(1, number), Op.UPSERT, "account.move", 41, "", "", drawn),
        )
        if found.problems:
            continue
        for event in invoice_events(told(Op.UPSERT), before, found.values):
            check(event)
        before = known(
            **{
                RENAMED.get(name, name): str(value)
                for name, value in found.values.items()
                if not name.startswith("payment_discrepancy")
            }
        )
