"""What people decide in Odoo is heard by the app's other services, through RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pika
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.amqp import AMQPMessage, from_amqp_event

from stack import local, rabbitmq
from stack.layout import Layout
from sync_daemon.config import Settings
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

EXCHANGE = "comply360.odoo"


class Service:
    """Another service of the app, with a queue of its own that is bound to everything."""

    def __init__(self, settings: Settings, queue: str) -> None:
        self._settings = settings
        self._queue = queue
        self.heard: list[BaseCloudEvent] = []

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel, as any client library opens one."""
        settings = self._settings
        credentials = pika.PlainCredentials(settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value())
        parameters = pika.ConnectionParameters(
            settings.rabbitmq_host, settings.rabbitmq_port, settings.rabbitmq_vhost, credentials
        )
        with pika.BlockingConnection(parameters) as connection:
            yield connection.channel()

    def bind(self) -> None:
        """Declare the queue; the exchange is there."""
        with self.channel() as channel:
            channel.queue_declare(self._queue, durable=True)
            channel.queue_bind(self._queue, EXCHANGE, "#")

    def leave(self) -> None:
        """Delete the queue."""
        with self.channel() as channel:
            channel.queue_delete(self._queue)

    def listen(self) -> None:
        """Hear what is in the queue; each event is what its published schema says."""
        with self.channel() as channel:
            while (delivery := channel.basic_get(self._queue))[0]:
                method, properties, body = delivery
                message = AMQPMessage({"content-type": properties.content_type}, dict(properties.headers), body)
                event = from_amqp_event(message)
                assert event.get_type() == f"{EXCHANGE}.{method.routing_key}.v1"
                jsonschema.validate(event.get_data(), SCHEMAS[event.get_type()], format_checker=FORMATS)
                self.heard.append(event)
                channel.basic_ack(method.delivery_tag)

    def of(self, app: App) -> list[tuple[str, Any]]:
        """What was heard about one tenant, in order: short name and data."""
        self.listen()
        return [
            (event.get_type().removeprefix(f"{EXCHANGE}.").removesuffix(".v1"), event.get_data())
            for event in self.heard
            if event.get_extension("tenantid") == str(app.tenant)
        ]


SCHEMAS: dict[str, Any] = json.loads(c360("contract", "events", "--schemas").stdout)
FORMATS = jsonschema.FormatChecker()


@pytest.fixture
def service(stack_settings: Settings, request: pytest.FixtureRequest) -> Iterator[Service]:
    """Gives a service that listens from now on."""
    c360("drain")
    service = Service(stack_settings, f"test.{request.node.name}")
    service.bind()
    yield service
    service.leave()


def _lead(odoo: Odoo, registration: UUID) -> dict[str, Any]:
    domain = [["x_comply360_external_id", "=", str(registration)]]
    (lead,) = odoo.call("crm.lead", "search_read", domain, ["partner_id", "company_id"])
    return dict(lead)


def _commission(app: App, odoo: Odoo) -> tuple[UUID, UUID, int]:
    """A registration with a pending commission, both in Odoo."""
    (registration,) = app.register(status="approved", name="Sunbird Solar")
    commission = app.commission(registration, "125.05", "USD")
    c360("drain")
    (found,) = [row for row in odoo.commissions(app) if row["x_comply360_external_id"] == str(commission)]
    return registration, commission, int(found["id"])


@pytest.mark.acceptance("O4")
def test_a_commission_is_heard_when_it_is_approved_and_when_it_is_paid_with_reference_amount_and_currency(
    app: App, odoo: Odoo, accountant: Odoo, service: Service
) -> None:
    registration, commission, record = _commission(app, odoo)
    assert service.of(app) == [], "what the app did is not told back"
    accountant.call("x_commission", "action_approve", [record])
    c360("drain")
    accountant.call("x_commission", "mark_paid", [record], "EFT 7 “août”", "2026-11-02 09:15:30")
    c360("drain")
    [(approved, first), (paid, second)] = service.of(app)
    assert (approved, paid) == ("commission.approved", "commission.paid")
    assert (first["status"], "paid_at" in first) == ("approved", False)
    assert second == {
        "commission_id": str(commission),
        "registration_id": str(registration),
        "agent_id": str(app.agent()),
        "status": "paid",
        "amount": "125.05",
        "currency": "USD",
        "approved_at": first["approved_at"],
        "paid_at": "2026-11-02T09:15:30Z",
        "payment_reference": "EFT 7 “août”",
    }
    c360("drain")
    assert len(service.of(app)) == 2


@pytest.mark.acceptance("O4")
def test_an_invoice_a_customer_and_a_lead_are_heard_and_no_value_of_the_customer(
    app: App, odoo: Odoo, accountant: Odoo, service: Service
) -> None:
    won, lost = app.register(2, name="Marula Mining")
    (registration,) = app.register(status="approved", name="Acacia Mining")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    c360("drain")
    lead = _lead(odoo, registration)

    move = _booked(accountant, lead)
    c360("drain")
    _pay(accountant, move, "EFT 9")
    c360("drain")
    odoo.call("res.partner", "write", [lead["partner_id"][0]], {"phone": "+27 82 555 0101", "city": "Harare"})
    odoo.call("crm.lead", "action_set_won", [_lead(odoo, won)["id"]])
    c360("drain")
    odoo.call("crm.lead", "action_set_lost", [_lead(odoo, lost)["id"]])
    c360("drain")

    heard = service.of(app)
    assert sorted(name for name, _ in heard) == [
        "client.changed",
        "invoice.created",
        "invoice.paid",
        "invoice.posted",
        "lead.lost",
        "lead.won",
    ]
    data = dict(heard)
    (identity, number) = app.run("SELECT id::text, number FROM {t}.comply360_invoices")[0]
    paid = data["invoice.paid"]
    assert (paid["invoice_id"], paid["number"]) == (identity, number)
    assert (paid["total"], paid["residual"], paid["currency"]) == ("1500.10", "0.00", "USD")
    assert (paid["paid_on"], paid["payment_reference"]) == ("2026-11-02", "EFT 9")
    assert (paid["registration_id"], paid["client_id"]) == (str(registration), str(client))
    assert data["client.changed"] == {"client_id": str(client), "columns": ["city", "phone"]}
    assert data["lead.won"] == {"registration_id": str(won), "outcome": "won"}
    assert data["lead.lost"]["registration_id"] == str(lost)
    said = json.dumps([event for _, event in heard])
    assert not any(value in said for value in ("555 0101", "Harare", "Tendai", "mail.example"))


def _booked(accountant: Odoo, lead: dict[str, Any]) -> int:
    """An invoice from the button on the lead, booked before the bridge looks."""
    action = accountant.call("crm.lead", "action_comply360_new_invoice", [lead["id"]])
    (currency,) = accountant.call("res.currency", "search", [["name", "=", "USD"]])
    line = {"name": "Registration fee", "quantity": 1, "price_unit": 1500.10, "tax_ids": [[6, 0, []]]}
    values = {"invoice_date": "2026-11-02", "currency_id": currency, "invoice_line_ids": [[0, 0, line]]}
    (move,) = accountant.call("account.move", "create", [values], context=action["context"])
    accountant.call("account.move", "action_post", [move])
    return int(move)


def _pay(accountant: Odoo, move: int, reference: str) -> None:
    named = {"context": {"active_model": "account.move", "active_ids": [move]}}
    values = {"payment_date": "2026-11-02", "communication": reference}
    wizard = accountant.call("account.payment.register", "create", [values], **named)
    accountant.call("account.payment.register", "action_create_payments", wizard, **named)


@pytest.mark.acceptance("O4")
def test_nothing_is_heard_under_another_tenants_id(
    make_app: Callable[[], App], odoo: Odoo, accountant: Odoo, service: Service
) -> None:
    apps = [make_app(), make_app()]
    own = {}
    for app in apps:
        registration, commission, record = _commission(app, odoo)
        own[app.tenant] = {str(registration), str(commission), str(app.agent())}
        accountant.call("x_commission", "action_approve", [record])
    c360("drain")
    for app in apps:
        [(name, data)] = service.of(app)
        assert name == "commission.approved"
        assert {data[field] for field in ("registration_id", "commission_id", "agent_id")} == own[app.tenant]
    assert {event.get_extension("tenantid") for event in service.heard} == {str(app.tenant) for app in apps}


@pytest.mark.acceptance("O4")
def test_what_is_decided_while_rabbitmq_is_stopped_is_heard_afterwards_and_nothing_is_lost(
    app: App, odoo: Odoo, accountant: Odoo, service: Service, stack_layout: Layout, daemon_log: Path
) -> None:
    _, commission, record = _commission(app, odoo)
    status = "SELECT status FROM {t}.commissions WHERE id = %s"
    with daemon(daemon_log):
        accountant.call("x_commission", "action_approve", [record])
        eventually(lambda: len(service.of(app)) == 1, "the approval is heard")
        local.down(stack_layout, ["rabbitmq"])
        try:
            accountant.call("x_commission", "mark_paid", [record], "EFT 7", "2026-11-02 09:15:30")
            eventually(lambda: app.one(status, [commission]) == "paid", "the payment is in the app all the same")
            eventually(lambda: '"service": "publish"' in daemon_log.read_text(), "the relay said that it cannot")
            told = printed("status")
            assert told["events"]["waiting"] == 1 and told["events"]["oldest"]
            assert "1 events wait to be published" in c360("status", expect=None).stderr
        finally:
            rabbitmq.start(stack_layout)
            rabbitmq.await_ready(stack_layout)
        eventually(lambda: len(service.of(app)) == 2, "the payment is heard")
    assert [name for name, _ in service.of(app)] == ["commission.approved", "commission.paid"]
    assert service.of(app)[1][1]["payment_reference"] == "EFT 7"
    assert len({event.get_id() for event in service.heard}) == len(service.heard)
    assert printed("status")["events"] == {"waiting": 0, "oldest": None}
