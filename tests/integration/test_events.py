"""Outgoing events on a real database and a real broker: written with what they tell, published at least once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import jsonschema
import pytest

from stack import layout as layouts
from stack import rabbitmq
from stack.layout import Layout
from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.event import EXCHANGE
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base
from sync_daemon.errors import FatalError, TransientError
from sync_daemon.pages.asyncapi import schemas
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.events import OutgoingEvents
from sync_daemon.rabbitmq.publisher import RabbitEventPublisher
from sync_daemon.services.publish import EventRelay, EventRetention
from tests import databases
from tests.integration.conftest import Installation
from tests.ports.broker import Broker

PENDING = {"status": "pending", "approved_at": "", "paid_at": "", "payment_reference": ""}
APPROVED = {**PENDING, "status": "approved", "approved_at": "2026-02-01 08:00:00"}
PAID = {**APPROVED, "status": "paid", "paid_at": "2026-02-03 09:30:00", "payment_reference": "EFT 4711"}
INVOICE = {
    "kind": "invoice",
    "number": "INV/2026/00001",
    "state": "posted",
    "payment_state": "not_paid",
    "total": "1500.10",
    "residual": "1500.10",
    "currency": "ZAR",
    "invoice_date": "2026-02-01",
    "due_date": "2026-03-03",
    "paid_on": "",
    "payment_reference": "",
    "registration": "",
    "client": "",
    "credits": "",
    "payment_discrepancy": "",
    "payment_discrepancy_about": "",
}
SETTLED = {"payment_state": "paid", "residual": "0.00", "paid_on": "2026-02-20", "payment_reference": "EFT 9"}
LEASE = timedelta(minutes=1)
QUEUE = "notifications.all"


@pytest.fixture
def commission(installation: Installation) -> RecordKey:
    """A commission that both sides have agreed on: pending."""
    installation.fill(1)
    [[record_id]] = installation.app("SELECT id::text FROM {schema}.commissions")
    key = installation.key(Entity.COMMISSION, UUID(str(record_id)))
    bind(installation, key, "x_commission", PENDING)
    return key


def bind(installation: Installation, key: RecordKey, model: str, agreed: dict[str, str]) -> None:
    installation.outbox.owe([key])
    owed = installation.rows.snapshot([key]).owed[key]
    bases = {name: Base(value, value) for name, value in agreed.items()}
    installation.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, model, 5, "d", bases, {}, ())])


def change(key: RecordKey, number: int, fields: dict[str, str], op: Op = Op.UPSERT, by: str = "accountant") -> Change:
    return Change(key, Version(1, number), op, "x_model", 5, "2026-02-03 09:30:00", by, fields)


def apply(installation: Installation, *changes: Change) -> list[Ruling]:
    tenant = installation.tenant
    verdicts = installation.take(tenant.id, tenant.schema, changes)
    return [verdict.ruling for verdict in verdicts]


def told(installation: Installation) -> list[str]:
    """The names of the written events, in order; each of them is what its schema says."""
    found = installation.bridge("SELECT type, data FROM bridge.event ORDER BY position")
    for kind, data in found:
        jsonschema.validate(data, schemas()[str(kind)], format_checker=jsonschema.FormatChecker())
    return [str(kind).removeprefix(f"{EXCHANGE}.").removesuffix(".v1") for kind, _ in found]


def test_a_payment_is_written_as_an_event_with_tenant_time_and_amount(
    installation: Installation, commission: RecordKey
) -> None:
    assert apply(installation, change(commission, 1, PAID)) == [Ruling.APPLIED]
    assert told(installation) == ["commission.approved", "commission.paid"]
    [(instance, tenant, subject, at, data)] = installation.bridge(
        "SELECT instance_id, tenant_id, subject, occurred_at::text, data FROM bridge.event WHERE type LIKE '%%paid%%'"
    )
    assert (instance, tenant, at) == ("main", installation.tenant.id, "2026-02-03 09:30:00+00")
    assert subject == f"commission/{commission.record_id}"
    assert isinstance(data, dict)
    [(registration, agent)] = installation.app("SELECT registration_id::text, agent_id::text FROM {schema}.commissions")
    assert data == {
        "commission_id": str(commission.record_id),
        "registration_id": registration,
        "agent_id": agent,
        "status": "paid",
        "amount": "125.00",
        "currency": "ZAR",
        "approved_at": "2026-02-01T08:00:00Z",
        "paid_at": "2026-02-03T09:30:00Z",
        "payment_reference": "EFT 4711",
    }


def test_a_change_that_comes_again_or_late_is_told_once(installation: Installation, commission: RecordKey) -> None:
    apply(installation, change(commission, 7, PAID))
    for number in (7, 6, 8):
        apply(installation, change(commission, number, PAID))
    assert told(installation) == ["commission.approved", "commission.paid"]


def test_what_the_app_has_already_is_no_event(installation: Installation, commission: RecordKey) -> None:
    installation.app("UPDATE {schema}.commissions SET status = 'approved', approved_at = '2026-02-01 08:00:00'")
    apply(installation, change(commission, 1, APPROVED))
    installation.app("UPDATE {schema}.commissions SET status = 'paid'")
    apply(installation, change(commission, 2, APPROVED))
    assert told(installation) == []


def test_an_event_is_rolled_back_with_what_it_tells(installation: Installation, commission: RecordKey) -> None:
    with locked(installation, "LOCK TABLE bridge.flow IN ACCESS EXCLUSIVE MODE"), pytest.raises(TransientError):
        apply(installation, change(commission, 1, PAID))
    assert installation.app("SELECT status FROM {schema}.commissions") == [("pending",)]
    assert told(installation) == []
    apply(installation, change(commission, 1, PAID))
    assert told(installation) == ["commission.approved", "commission.paid"]


def test_a_change_whose_event_cannot_be_written_is_not_applied(
    installation: Installation, commission: RecordKey
) -> None:
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "ALTER TABLE bridge.event ADD CONSTRAINT no_more CHECK (false) NOT VALID")
    with pytest.raises(FatalError, match="no_more"):
        apply(installation, change(commission, 1, PAID))
    assert installation.app("SELECT status FROM {schema}.commissions") == [("pending",)]
    databases.rows(admin, "ALTER TABLE bridge.event DROP CONSTRAINT no_more")
    admin.close()
    assert apply(installation, change(commission, 1, PAID)) == [Ruling.APPLIED]
    assert told(installation) == ["commission.approved", "commission.paid"]


@contextmanager
def locked(installation: Installation, statement: str) -> Iterator[None]:
    """What an administrator locks while the block lasts, for longer than the daemon waits."""
    admin = databases.as_admin(installation.settings)
    admin.autocommit = False
    databases.rows(admin, statement)
    try:
        yield
    finally:
        admin.rollback()
        admin.close()


def test_a_value_that_the_app_refuses_is_no_event(installation: Installation, commission: RecordKey) -> None:
    installation.app("ALTER TABLE {schema}.commissions ADD CHECK (payment_reference <> 'EFT 4711')")
    assert apply(installation, change(commission, 1, PAID)) == [Ruling.PARKED]
    assert told(installation) == []


def test_a_parked_field_does_not_tell_the_others_twice(installation: Installation, commission: RecordKey) -> None:
    bad = {**APPROVED, "payment_reference": "x" * 300}
    assert apply(installation, change(commission, 1, bad)) == [Ruling.PARKED]
    assert apply(installation, change(commission, 1, bad)) == [Ruling.PARKED]
    assert told(installation) == ["commission.approved"]


def test_a_conflict_is_told_when_it_begins_and_when_it_ends(installation: Installation, commission: RecordKey) -> None:
    installation.app("UPDATE {schema}.commissions SET status = 'cancelled'")
    apply(installation, change(commission, 1, APPROVED))
    apply(installation, change(commission, 2, APPROVED))
    # approved_at has no other side, so it is written
    assert told(installation) == ["commission.changed", "conflict.raised"]
    installation.app("UPDATE {schema}.commissions SET status = 'pending'")
    apply(installation, change(commission, 3, APPROVED))
    assert told(installation)[2:] == ["commission.approved", "conflict.resolved"]
    [(data,)] = installation.bridge("SELECT data FROM bridge.event WHERE type LIKE '%%conflict.resolved%%'")
    assert data == {
        "entity": "commission",
        "record_id": str(commission.record_id),
        "field": "status",
        "resolution": "agreed",
    }


def test_an_invoice_is_told_from_its_draft_to_its_end(installation: Installation) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    steps = [{"state": "draft", "number": ""}, {"state": "draft", "number": ""}, {}, SETTLED, {"state": "cancelled"}]
    for number, fields in enumerate(steps, 1):
        assert apply(installation, change(key, number, {**INVOICE, **fields})) == [Ruling.APPLIED]
    assert apply(installation, change(key, 6, {}, Op.UNLINK)) == [Ruling.APPLIED]
    assert told(installation) == [
        "invoice.created",
        "invoice.posted",
        "invoice.paid",
        "invoice.cancelled",
        "invoice.deleted",
    ]


def test_an_invoice_that_has_to_come_again_is_told_when_it_is_applied(installation: Installation) -> None:
    [registration] = installation.fill(1)
    key = installation.key(Entity.INVOICE, uuid4())
    fields = {**INVOICE, "registration": str(registration.record_id)}
    app = databases.as_app(installation.settings)
    app.autocommit = False
    databases.rows(app, "UPDATE {schema}.registrations SET metadata = '{{}}'", schema=installation.tenant.schema)
    assert apply(installation, change(key, 1, fields)) == [Ruling.LATER]
    app.commit()
    app.close()
    assert told(installation) == []
    assert apply(installation, change(key, 1, fields)) == [Ruling.APPLIED]
    assert told(installation) == ["invoice.created", "invoice.posted"]


def test_a_lead_is_told_as_salespeople_decide_and_not_as_the_app_did(installation: Installation) -> None:
    [registration] = installation.fill(1)
    bind(installation, registration, "crm.lead", {})
    login = installation.settings.odoo_login
    for number, (outcome, reason, by) in enumerate(
        [
            ("open", "", "sales"),
            ("won", "", login),
            ("lost", "Too expensive", "sales"),
            ("lost", "No answer", "sales"),
            ("lost", "No answer", "sales"),
            ("open", "", "sales"),
            ("won", "", "sales"),
        ],
        1,
    ):
        apply(installation, change(registration, number, {"outcome": outcome, "lost_reason": reason}, by=by))
    assert told(installation) == ["lead.lost", "lead.changed", "lead.reopened", "lead.won"]


def test_a_customers_event_has_no_value_of_the_customer(installation: Installation) -> None:
    installation.fill(1)
    [[record_id]] = installation.app("SELECT id::text FROM {schema}.clients")
    key = installation.key(Entity.CLIENT, UUID(str(record_id)))
    plain = {
        "name": "Client 1",
        "email": "client1@example.org",
        **dict.fromkeys(("phone", "tax_number", "street", "city", "state_province", "postal_code", "country"), ""),
    }
    bind(installation, key, "res.partner", plain)
    apply(installation, change(key, 1, {**plain, "name": "Tendai Moyo", "phone": "+27 82 555 0101", "country": "ZW"}))
    assert told(installation) == ["client.changed"]
    [(data,)] = installation.bridge("SELECT data::text FROM bridge.event")
    assert "full_name" in str(data) and "phone" in str(data)
    assert not any(value in str(data) for value in ("Tendai", "Moyo", "555 0101", "ZW"))


def test_every_event_is_its_own_tenants(installation: Installation, commission: RecordKey) -> None:
    theirs = RecordKey(uuid4(), Entity.INVOICE, uuid4())
    apply(installation, change(commission, 1, PAID))
    installation.take(theirs.tenant, installation.tenant.schema, [change(theirs, 1, INVOICE)])
    found = installation.bridge("SELECT tenant_id, array_agg(DISTINCT subject) FROM bridge.event GROUP BY tenant_id")
    assert dict(found) == {  # type: ignore[arg-type]
        installation.tenant.id: [f"commission/{commission.record_id}"],
        theirs.tenant: [f"invoice/{theirs.record_id}"],
    }


@pytest.fixture
def broker(stack_layout: Layout, installation: Installation) -> Iterator[Broker]:
    """A virtual host of its own."""
    password = layouts.secrets(stack_layout)["RABBITMQ_ADMIN_PASSWORD"]
    broker = Broker(rabbitmq.management_url(stack_layout), rabbitmq.ADMIN, password, installation.settings)
    yield broker
    broker.remove()


@pytest.fixture
def relay(installation: Installation, broker: Broker) -> Iterator[EventRelay]:
    """A relay, and a queue that is bound to everything it publishes."""
    relay = EventRelay(OutgoingEvents(installation.database), RabbitEventPublisher(broker.settings), LEASE)
    assert relay.run_once().sent == 0
    with broker.channel() as channel:
        channel.queue_declare(QUEUE, durable=True)
        channel.queue_bind(QUEUE, EXCHANGE, "#")
    yield relay
    relay.close()


def received(broker: Broker) -> list[tuple[str, str]]:
    """Everything in the queue: routing key and message id, in order."""
    found = []
    with broker.channel() as channel:
        while (delivery := channel.basic_get(QUEUE, auto_ack=True))[0]:
            method, properties, _ = delivery
            found.append((method.routing_key, properties.message_id))
    return found


def ids(installation: Installation) -> list[tuple[object, ...]]:
    return installation.bridge("SELECT id::text FROM bridge.event ORDER BY position")


def test_events_are_published_in_order_once(
    installation: Installation, commission: RecordKey, broker: Broker, relay: EventRelay
) -> None:
    apply(installation, change(commission, 1, APPROVED))
    apply(installation, change(commission, 2, PAID))
    assert relay.run_once().sent == 2
    assert relay.run_once().sent == 0
    found = received(broker)
    assert [key for key, _ in found] == ["commission.approved", "commission.paid"]
    assert [(identity,) for _, identity in found] == ids(installation)
    assert OutgoingEvents(installation.database).backlog().waiting == 0


def test_a_relay_that_ends_before_it_notes_what_it_published_repeats_it_under_the_same_id(
    installation: Installation, commission: RecordKey, broker: Broker, relay: EventRelay
) -> None:
    apply(installation, change(commission, 1, APPROVED))
    with locked(installation, "SELECT id FROM bridge.event FOR UPDATE"), pytest.raises(TransientError):
        relay.run_once()
    first = received(broker)
    assert OutgoingEvents(installation.database).backlog().waiting == 1
    relay.run_once()
    assert received(broker) == first
    assert [(identity,) for _, identity in first] == ids(installation)


def test_what_the_broker_has_is_noted_even_if_the_next_one_fails(
    installation: Installation, commission: RecordKey, broker: Broker, relay: EventRelay
) -> None:
    apply(installation, change(commission, 1, PAID))
    with broker.channel() as channel:
        channel.queue_declare("narrow", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        channel.queue_bind("narrow", EXCHANGE, "commission.paid")
        channel.basic_publish("", "narrow", b"")
        with pytest.raises(TransientError, match="is full"):
            for _ in range(3):
                relay.run_once()
        left = OutgoingEvents(installation.database)
        assert [event.routing_key for event in left.take(relay.holder, LEASE, 10)] == ["commission.paid"]
        channel.queue_purge("narrow")
    assert relay.run_once().sent == 1


def test_of_two_relays_one_publishes_and_the_other_takes_over(
    installation: Installation, commission: RecordKey, broker: Broker, relay: EventRelay
) -> None:
    other = EventRelay(relay.events, RabbitEventPublisher(broker.settings), LEASE)
    apply(installation, change(commission, 1, APPROVED))
    assert relay.run_once().sent == 1
    apply(installation, change(commission, 2, PAID))
    assert other.run_once().sent == 0
    relay.close()
    assert other.run_once().sent == 1
    other.close()
    assert [key for key, _ in received(broker)] == ["commission.approved", "commission.paid"]


def test_only_what_was_published_long_ago_is_removed_and_a_few_at_a_time(
    installation: Installation, commission: RecordKey, broker: Broker, relay: EventRelay
) -> None:
    for number, fields in enumerate((APPROVED, PENDING, APPROVED, PENDING), 1):
        apply(installation, change(commission, number, fields))
    relay.run_once()
    apply(installation, change(commission, 5, APPROVED))
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "UPDATE bridge.event SET created_at = now() - interval '9 days'")
    databases.rows(
        admin,
        "UPDATE bridge.event SET published_at = now() - interval '8 days'"
        " WHERE position IN (SELECT position FROM bridge.event ORDER BY position LIMIT 3)",
    )
    admin.close()
    events = OutgoingEvents(installation.database)
    assert events.forget(timedelta(days=7), 2) == 2
    assert EventRetention(events, timedelta(days=7)).run_once().done == 1
    assert EventRetention(events, timedelta(days=7)).run_once().done == 0
    assert len(ids(installation)) == 2, "one that is young, and one that nobody has yet"


def test_events_that_wait_long_are_a_finding(installation: Installation, commission: RecordKey) -> None:
    def findings() -> list[str]:
        found = probe.check(installation.database, installation.registry, timedelta(seconds=30))
        return [finding.problem for finding in found if "events" in finding.problem]

    apply(installation, change(commission, 1, PAID))
    assert findings() == []
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "UPDATE bridge.event SET created_at = now() - interval '7 minutes 10 seconds'")
    admin.close()
    assert findings() == ["2 events wait to be published, the oldest for 7 minutes"]
