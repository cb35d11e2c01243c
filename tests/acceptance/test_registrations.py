"""Walk (a): what the app commits arrives in Odoo, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import local, rabbitmq
from stack.layout import Layout
from sync_daemon.domain.keys import Lane
from sync_daemon.rabbitmq.topology import hints_queue
from tests.acceptance.command import c360, daemon, eventually
from tests.acceptance.parties import App, Broker, Odoo

LIVE_QUEUE = hints_queue("main", Lane.LIVE)


def test_an_insert_by_the_app_becomes_a_lead_with_its_id_in_the_row(
    transport: str, app: App, odoo: Odoo, daemon_log: Path
) -> None:
    with daemon(daemon_log):
        (registration,) = app.register(name="Café Zürich & Søn 🍲 שלום")
        eventually(lambda: app.leads() == 1, "the row carries the id of its lead")

    lead_id = app.one("SELECT odoo_lead_id FROM {t}.registrations WHERE id = %s", [registration])
    (lead,) = odoo.leads(app)
    assert lead["id"] == lead_id
    assert lead["x_comply360_external_id"] == str(registration)
    assert lead["type"] == "opportunity"
    assert lead["partner_name"] == "Café Zürich & Søn 🍲 שלום 1"
    assert lead["email_from"] == "tendai1@mail.example"


def test_a_change_in_the_app_changes_the_same_lead(app: App, odoo: Odoo) -> None:
    (registration,) = app.register()
    c360("drain")
    change = "UPDATE {t}.registrations SET company_name = 'Renamed CC', status = 'in_review' WHERE id = %s"
    app.run(change, [registration])
    c360("drain")
    (lead,) = odoo.leads(app)
    assert (lead["partner_name"], lead["x_comply360_status"]) == ("Renamed CC", "in_review")


def test_a_draft_is_filtered_until_it_is_submitted(app: App, odoo: Odoo) -> None:
    (draft,) = app.register(status="draft")
    c360("drain")
    assert odoo.leads(app) == []

    app.run("UPDATE {t}.registrations SET status = 'submitted', submitted_at = now() WHERE id = %s", [draft])
    c360("drain")
    assert [lead["x_comply360_external_id"] for lead in odoo.leads(app)] == [str(draft)]


@pytest.mark.reliability("F35")
def test_what_is_committed_while_the_broker_is_down_arrives_after_it_and_what_is_rolled_back_never_does(
    app: App, odoo: Odoo, broker: Broker, stack_layout: Layout, daemon_log: Path
) -> None:
    with daemon(daemon_log):
        (first,) = app.register()
        eventually(lambda: app.leads() == 1, "the queues exist and the daemon works")
        local.down(stack_layout, ["rabbitmq"])
        try:
            committed = [identity for _ in range(10) for identity in app.register(10)]
            _roll_back(app, 20)
            eventually(lambda: '"service": "relay"' in daemon_log.read_text(), "the relay said that it cannot publish")
            assert _waiting(app) == 100
            assert len(odoo.leads(app)) == 1
        finally:
            rabbitmq.start(stack_layout)
            rabbitmq.await_ready(stack_layout)
        eventually(lambda: app.leads() == 101, "all committed registrations have their leads")
    c360("drain")

    known = {lead["x_comply360_external_id"] for lead in odoo.leads(app)}
    assert known == {str(identity) for identity in (first, *committed)}
    assert len(odoo.leads(app)) == 101
    # the counter began at zero when the broker came up again
    eventually(lambda: broker.published(LIVE_QUEUE) >= 1, "the hints went through the queue")
    assert app.one("SELECT count(*) FROM {t}.registrations") == 101


def _roll_back(app: App, count: int) -> None:
    connection = app.connect()
    try:
        app.register_on(connection, count, name="Never committed")
        connection.rollback()
    finally:
        connection.close()


def _waiting(app: App) -> int:
    count = "SELECT count(*) FROM {t}.comply360_sync_state WHERE entity = 'registration' AND state = 'waiting'"
    return int(app.one(count))


def test_every_status_but_draft_arrives(app: App, odoo: Odoo) -> None:
    statuses = ["submitted", "in_review", "approved", "rejected", "cancelled"]
    wanted = {str(app.register(status=status)[0]): status for status in statuses}
    c360("drain")
    assert {lead["x_comply360_external_id"]: lead["x_comply360_status"] for lead in odoo.leads(app)} == wanted
