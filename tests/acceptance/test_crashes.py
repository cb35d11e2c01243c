"""A daemon that dies at the worst moment leaves nothing lost and nothing doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.acceptance.command import c360, daemon, eventually, kill, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.proxy import Hold, tap

COUNT = 500
# one call at a time, twenty calls in all: three of them can be in flight at known moments
SLOWLY = {"C360_PUSH_WORKERS": "1", "C360_BATCH_SIZE": "25"}


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


def test_what_the_app_deletes_after_a_lost_answer_is_archived_in_odoo(app: App, odoo: Odoo, daemon_log: Path) -> None:
    with tap(app.settings.odoo_url) as line:
        line.hold(Hold.AFTER, after_calls=0)
        with daemon(daemon_log, ODOO_URL=line.url, **SLOWLY) as process:
            app.register()
            eventually(line.held.is_set, "Odoo has made the lead, and nobody has heard of it")
            kill(process)
        line.release()
    app.run("DELETE FROM {t}.registrations")
    c360("drain")
    [lead] = odoo.leads(app)
    assert not lead["active"]


def test_a_change_after_a_lost_answer_is_no_conflict(app: App, odoo: Odoo, daemon_log: Path) -> None:
    app.register(status="approved")
    c360("drain")
    with tap(app.settings.odoo_url) as line:
        line.hold(Hold.AFTER, after_calls=0)
        with daemon(daemon_log, ODOO_URL=line.url, **SLOWLY) as process:
            app.run("UPDATE {t}.clients SET city = 'Gweru'")
            eventually(line.held.is_set, "Odoo has committed, and nobody has heard of it")
            kill(process)
        line.release()
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
