"""A daemon that dies at the worst moment leaves nothing lost and nothing doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.acceptance.command import c360, daemon, eventually, kill
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
