"""`c360 selftest` on a stack that is in use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from sync_daemon.config import SELFTEST_INSTANCE
from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.keys import Lane
from sync_daemon.rabbitmq.topology import hints_queue
from tests.acceptance.command import C360, ROOT, c360, daemon, eventually, printed
from tests.acceptance.parties import App, Broker, Odoo, as_sync

# The ones that the promise names; `c360 selftest crash` goes through all of them.
STEPS = (
    CrashPoint.RELAY_CLAIMED,
    CrashPoint.RELAY_PUBLISHED,
    CrashPoint.PUSH_UNREAD,
    CrashPoint.PUSH_ANSWERED,
    CrashPoint.PUSH_SETTLED,
    CrashPoint.PULL_APPLYING,
    CrashPoint.PULL_APPLIED,
    CrashPoint.PULL_ACK_UNREAD,
)


@pytest.mark.reliability("F04", "F05", "F25", "F72", "F73")
@pytest.mark.acceptance("R-SELFTEST")
def test_killed_at_each_step_of_both_walks_nothing_is_lost_or_doubled_beside_a_daemon_at_work(
    app: App, odoo: Odoo, broker: Broker, daemon_log: Path
) -> None:
    with daemon(daemon_log):
        app.register(20)
        chosen = [argument for step in STEPS for argument in ("--step", step.value)]
        found = printed("selftest", "crash", *chosen, expect=0)
        eventually(lambda: app.leads() == 20, "the user's own registrations are leads meanwhile")

    assert [outcome["step"] for outcome in found] == [step.value for step in STEPS]
    assert [(o["lost"], o["doubled"], o["differing"]) for o in found] == [(0, 0, 0)] * len(STEPS)
    said = daemon_log.read_text()
    assert "self-test" not in said
    assert "crash_point" not in said
    assert _left_behind(app, odoo, broker) == []


def _left_behind(app: App, odoo: Odoo, broker: Broker) -> list[str]:
    """What a selftest should have taken away and did not."""
    names = [
        subdomain for (subdomain,) in app.run("SELECT subdomain FROM public.tenants WHERE subdomain LIKE 'selftest%%'")
    ]
    names += [row["name"] for row in odoo.call("comply360.tenant", "search_read", [["selftest", "=", True]], ["name"])]
    queues = {hints_queue(SELFTEST_INSTANCE, lane) for lane in Lane}
    return names + sorted(queues & set(broker.queues()))


@pytest.mark.acceptance("R-SELFTEST")
def test_what_a_killed_selftest_leaves_behind_can_be_purged_and_its_steps_are_lines(
    app: App, odoo: Odoo, broker: Broker, tmp_path: Path
) -> None:
    lines = tmp_path / "lines"
    with lines.open("wb") as output:
        command = [str(C360), "selftest", "crash", "--step", "push.counted", "--step", "push.done"]
        with subprocess.Popen(command, cwd=ROOT, stdout=output, start_new_session=True) as process:
            eventually(lines.read_text, "the first step is through", 120)
            os.killpg(process.pid, signal.SIGKILL)
    assert re.fullmatch(r"push.counted +lost=0 doubled=0 differing=0  in sync again .*\n", lines.read_text())
    assert len(_left_behind(app, odoo, broker)) == 4
    assert c360("selftest", "purge", "--dry-run").stderr.startswith("would remove tenant ")
    c360("selftest", "purge")
    assert _left_behind(app, odoo, broker) == []
    assert c360("selftest", "purge").stderr.strip() == "nothing to remove"


def test_a_tenant_that_is_not_the_selftests_is_refused_and_nothing_of_it_is_touched(app: App, odoo: Odoo) -> None:
    app.register(3)
    c360("drain")
    before = _everything(app, odoo)
    refused = c360("selftest", "purge", "--tenant", app.subdomain, expect=1)
    assert f"tenant {app.tenant} is not the selftest's: nothing was changed" in refused.stderr
    assert _everything(app, odoo) == before


def _everything(app: App, odoo: Odoo) -> object:
    bindings = "SELECT entity, record_id, res_id FROM bridge.binding WHERE tenant_id = %s ORDER BY 1, 2"
    with as_sync(app.settings) as connection, connection.cursor() as cursor:
        cursor.execute(bindings, [app.tenant])
        known = cursor.fetchall()
    return known, app.run("SELECT * FROM {t}.registrations ORDER BY id"), odoo.leads(app)


def test_a_missing_credential_is_named_with_what_it_is_for() -> None:
    refused = c360("selftest", "crash", expect=78, C360_STACK_DIR="/nonexistent", C360_SYNC_PASSWORD="x")
    assert "C360_APP_PASSWORD: it inserts registrations as the app" in refused.stderr
    assert "ODOO_ADMIN_PASSWORD" in refused.stderr
    assert "C360_SYNC_PASSWORD" not in refused.stderr
