"""A daemon that dies at the worst moment leaves nothing lost and nothing doubled."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sync_daemon.daemon import open_bridge
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.settlement import Dropped
from sync_daemon.domain.snapshot import Snapshot
from sync_daemon.ports import Ledger, Rows
from tests.acceptance.command import c360, daemon, eventually, kill, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.proxy import Hold, tap

COUNT = 500
# one call at a time, twenty calls in all: three of them can be in flight at known moments
SLOWLY = {"C360_PUSH_WORKERS": "1", "C360_BATCH_SIZE": "25"}


@contextmanager
def _nobody_hears(app: App, log: Path) -> Iterator[None]:
    """What is changed in here goes to Odoo, and the daemon dies before the answer comes."""
    with tap(app.settings.odoo_url) as line:
        line.hold(Hold.AFTER, after_calls=0)
        with daemon(log, ODOO_URL=line.url, **SLOWLY) as process:
            yield
            eventually(line.held.is_set, "Odoo has committed, and nobody has heard of it")
            kill(process)
        line.release()


@pytest.mark.reliability("F03", "F40")
def test_killed_three_times_with_a_call_in_flight_there_are_500_leads_and_none_twice(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    app.register(COUNT)
    before = 0
    with tap(app.settings.odoo_url) as line:
        for where in (Hold.AFTER, Hold.BEFORE, Hold.AFTER):
            line.hold(where, after_calls=5)
            with daemon(daemon_log, ODOO_URL=line.url, **SLOWLY) as process:
                eventually(line.held.is_set, "a call is in flight")
                kill(process)
            line.release()
            there = len(odoo.leads(app))
            assert 50 < there < 450
            assert there > before
            before = there

    c360("drain")
    leads = odoo.leads(app)
    assert len(leads) == COUNT
    assert max(Counter(lead["x_comply360_external_id"] for lead in leads).values()) == 1
    assert app.leads() == COUNT


def test_what_was_filtered_goes_although_the_answer_that_made_its_lead_was_lost(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    [registration] = app.register(status="draft")
    app.commission(registration)
    c360("drain")
    assert odoo.commissions(app) == []
    with _nobody_hears(app, daemon_log):
        app.run("UPDATE {t}.registrations SET status = 'submitted', submitted_at = now()")
    c360("drain")
    assert (len(odoo.leads(app)), len(odoo.commissions(app))) == (1, 1)


def test_what_the_app_deletes_after_a_lost_answer_is_archived_in_odoo(app: App, odoo: Odoo, daemon_log: Path) -> None:
    with _nobody_hears(app, daemon_log):
        app.register()
    app.run("DELETE FROM {t}.registrations")
    c360("drain")
    [lead] = odoo.leads(app)
    assert not lead["active"]


def test_a_change_after_a_lost_answer_is_no_conflict(app: App, odoo: Odoo, daemon_log: Path) -> None:
    app.register(status="approved")
    c360("drain")
    with _nobody_hears(app, daemon_log):
        app.run("UPDATE {t}.clients SET city = 'Gweru'")
    assert _cities(app, odoo) == ["Gweru"]
    app.run("UPDATE {t}.clients SET city = 'Mutare'")
    c360("drain")
    assert _cities(app, odoo) == ["Mutare"]
    assert printed("conflict", "list", "--tenant", app.subdomain, expect=0) == []


def _cities(app: App, odoo: Odoo) -> list[str]:
    clients = [str(row[0]) for row in app.run("SELECT id FROM {t}.clients")]
    found = odoo.call("res.partner", "search_read", [["x_comply360_external_id", "in", clients]], ["city"])
    return [partner["city"] for partner in found]


def test_a_commission_whose_answer_was_lost_and_that_a_person_deleted_is_told_and_keeps_nobody_waiting(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    (registration,) = app.register(status="approved")
    c360("drain")
    commission = app.commission(registration)
    with tap(app.settings.odoo_url) as line:
        line.hold(Hold.AFTER, after_calls=0)
        with daemon(daemon_log, ODOO_URL=line.url, **SLOWLY) as process:
            eventually(lambda: odoo.commissions(app), "the commission is in Odoo")
            kill(process)
        line.release()
    odoo.call("x_commission", "unlink", [row["id"] for row in odoo.commissions(app)])

    c360("drain", expect=3)
    letters = printed("dead", "list", "--tenant", app.subdomain)
    assert [(letter["record_id"], letter["code"]) for letter in letters] == [(str(commission), "unlinked")]
    owed = [row["owed"] for row in printed("status")["tenants"] if row["subdomain"] == app.subdomain]
    assert owed == [0, 0]
    [shown] = printed("binding", "show", str(commission))
    assert shown["state"] == "unlinked"


class _SettledMeanwhile:
    """Reads rows; right after a customer was seen as owed, another pusher settles it by what it had read before."""

    def __init__(self, rows: Rows, ledger: Ledger, customer: RecordKey) -> None:
        self._rows, self._ledger, self._customer = rows, ledger, customer
        self.times = 0

    def snapshot(self, keys: Collection[RecordKey]) -> Snapshot:
        found = self._rows.snapshot(keys)
        if not self.times and self._customer in found.owed:
            self.times += 1
            self._ledger.settle(uuid4(), [Dropped(found.owed[self._customer], "filtered")])
        return found


def test_a_customer_whom_another_pusher_settled_by_an_older_view_goes_all_the_same(app: App, odoo: Odoo) -> None:
    approved, pending = app.register(2)
    c360("drain")
    app.run("UPDATE {t}.registrations SET status = 'approved', approved_at = now() WHERE id = %s", [approved])
    registration = RecordKey(app.tenant, Entity.REGISTRATION, approved)
    customer, filtered = (
        RecordKey(app.tenant, Entity.CLIENT, app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [key]))
        for key in (approved, pending)
    )
    with open_bridge(app.settings) as bridge:
        while bridge.outbox.collect(1_000):
            pass
        # sent before, and never answered: it is looked for, and everything is read once more
        bridge.outbox.owe([filtered])
        bridge.outbox.begin_attempt(app.settings.odoo_instance, [filtered])
        pusher = bridge.pusher(app.settings.odoo_instance)
        rows: Any = _SettledMeanwhile(pusher.rows, pusher.ledger, customer)
        dataclasses.replace(pusher, rows=rows).push([registration, filtered])
    assert rows.times == 1
    [partner] = odoo.call("res.partner", "search", [["x_comply360_external_id", "=", str(customer.record_id)]])
    [lead] = [lead for lead in odoo.leads(app) if lead["x_comply360_external_id"] == str(approved)]
    assert odoo.call("crm.lead", "read", [lead["id"]], ["partner_id"])[0]["partner_id"][0] == partner
