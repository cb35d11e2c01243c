"""What comparing both sides costs while nothing differs, beside reading everything once more."""

from __future__ import annotations

import os
import time
import xmlrpc.client
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.command import printed
from tests.acceptance.parties import App
from tests.bench.figures import Figure
from tests.bench.measurements import Bench, wait_for
from tests.ports.proxy import Proxy

IN_STEP = int(os.environ.get("BENCH_IN_STEP", "100000"))
LOADING_SECONDS = 3_600.0
READ_AT_ONCE = 1_000
LEAD_FIELDS = [
    "partner_name",
    "contact_name",
    "email_from",
    "phone",
    "partner_id",
    "x_comply360_external_id",
    *(
        f"x_comply360_{name}"
        for name in (
            "mobile",
            "registration_type",
            "registration_number",
            "jurisdiction",
            "status",
            "submitted_at",
            "approved_at",
            "rejected_at",
            "rejection_reason",
            "reference",
            "assigned_name",
            "assigned_email",
            "document_count",
            "documents_verified",
            "active",
        )
    ),
]
"""The fields that a registration's digest is of."""


def reconcile(bench: Bench) -> list[Figure]:
    """100,000 records in step, compared; beside reading the same fields of all of them over XML-RPC.

    Twice: at first nothing is remembered of the records, on either side.
    """
    with bench.running():
        app = bench.tenant()
        app.register(IN_STEP)
        wait_for(lambda: app.leads() == IN_STEP, LOADING_SECONDS, pause=0.5)
    address = urlsplit(bench.settings.odoo_url)
    with Proxy((str(address.hostname), address.port or 80)) as line:
        url = f"http://127.0.0.1:{line.port}"
        first = _compared(app, url)
        crossed = line.bytes
        again = _compared(app, url)
        crossed_again = line.bytes - crossed
        naive = _read_all(bench, app, url)
        read = line.bytes - crossed - crossed_again
    name = f"reconcile {IN_STEP:,} registrations in step"
    beside = f"reading them all, {READ_AT_ONCE} at once: {naive:,.1f} s"
    bytes_beside = f"reading them all: {read / 1e6:,.1f} MB"
    return [
        Figure(f"{name}, the first time", first, "s", beside, first / naive, "<= 0.1"),
        Figure(f"{name}, again", again, "s", beside, again / naive, "<= 0.1"),
        Figure(f"{name}, on the wire, the first time", crossed / 1e6, "MB", bytes_beside, None, "<= 1"),
        Figure(f"{name}, on the wire, again", crossed_again / 1e6, "MB", bytes_beside, None, "<= 1"),
    ]


def _compared(app: App, url: str) -> float:
    began = time.perf_counter()
    found = printed("reconcile", "--tenant", app.subdomain, "--entity", "registration", expect=0, ODOO_URL=url)
    spent = time.perf_counter() - began
    assert found["compared"][0]["matched"] == IN_STEP, found
    return spent


def _read_all(bench: Bench, app: App, url: str) -> float:
    """What a comparison by values begins with; only the reading, page by page, nothing is compared yet."""
    settings = bench.settings
    password = settings.odoo_admin_password.get_secret_value()
    with xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common") as common:
        user = common.authenticate(settings.odoo_database, settings.odoo_admin_login, password, {})
    found, after = 0, 0
    with xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True) as models:
        began = time.perf_counter()
        while True:
            domain = [["x_comply360_tenant_id.uuid", "=", str(app.tenant)], ["id", ">", after]]
            named = {"limit": READ_AT_ONCE, "order": "id", "context": {"active_test": False}}
            who = settings.odoo_database, user, password
            rows: Any = models.execute_kw(*who, "crm.lead", "search_read", [domain, LEAD_FIELDS], named)
            if not rows:
                break
            found, after = found + len(rows), rows[-1]["id"]
        spent = time.perf_counter() - began
    assert found == IN_STEP, found
    return spent
