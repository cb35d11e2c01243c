"""A disk that is full, on either side: an outage like any other, which ends when there is room again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sync_daemon.config import Settings
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.disk import full, in_odoo, in_the_app
from tests.acceptance.parties import App, Odoo


@pytest.mark.reliability("F83")
@pytest.mark.acceptance("R-TIMEOUTS")
@pytest.mark.parametrize("where", [in_the_app, in_odoo])
def test_while_a_disk_is_full_all_stays_owed_and_flows_when_there_is_room(
    where: Callable[[Settings, str], None], app: App, odoo: Odoo, daemon_log: Path
) -> None:
    with daemon(daemon_log) as process:
        with full(where, app.settings):
            (registration,) = app.register()
            eventually(lambda: "No space left on device" in daemon_log.read_text(), "the log says what is wrong")
            assert process.poll() is None
            assert app.leads() == 0
        eventually(lambda: app.leads([registration]) == 1, "the lead arrives when there is room", seconds=60)
    c360("drain")
    assert [lead["x_comply360_external_id"] for lead in odoo.leads(app)] == [str(registration)]
    assert [item for item in printed("dead", "list") if item["tenant"] == str(app.tenant)] == []
