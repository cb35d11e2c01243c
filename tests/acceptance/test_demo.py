"""The demonstration as a newcomer runs it, and what its check is worth."""

from __future__ import annotations

import time
from decimal import Decimal

from demo.databases import odoo_database
from sync_daemon.config import Settings
from tests.acceptance.command import c360, printed

ONE_CENT = "UPDATE x_commission SET commission_amount = commission_amount + %s WHERE id = %s"


def test_the_demo_flows_both_ways_and_again_without_doubling_anything(stack_settings: Settings) -> None:
    # other tests of this stack may have left something to say
    before = _verdicts()
    c360("demo", "run")
    first = printed("demo", "check", expect=0)
    assert first["agree"] is True
    _assert_is_as_promised(first)

    began = time.monotonic()
    again = c360("demo", "run")
    assert time.monotonic() - began < 60
    assert "nothing: all rows exist" in again.stderr
    assert printed("demo", "check", expect=0) == first
    after = _verdicts()
    assert {command: code for command, code in after.items() if code and not before[command]} == {}
    c360("books", "--tenant", "ubuntu")
    c360("books", "--tenant", "zambezi")
    assert [item for item in printed("doctor") if item["place"].endswith((" ubuntu", " zambezi"))] == []


def _verdicts() -> dict[str, int]:
    return {command: c360(command, expect=None).returncode for command in ("doctor", "status", "books")}


def _assert_is_as_promised(report: dict[str, object]) -> None:
    tenants = report["tenants"]
    assert isinstance(tenants, list) and len(tenants) == 2
    counts = [{line["what"]: line for line in tenant["records"]} for tenant in tenants]
    assert sum(lines["registrations"]["app"] for lines in counts) >= 300
    assert all(line["filtered"] > 0 for line in (lines["registrations"] for lines in counts))
    sums = [line for tenant in tenants for line in tenant["commissions"]]
    assert {line["currency"] for line in sums} == {"ZAR", "USD", "ZWL"}
    assert {line["state"] for line in sums} == {"pending", "approved", "paid", "cancelled"}
    assert all(line["app"] > 0 and Decimal(line["difference"]) == 0 for line in sums)


def test_one_cent_in_odoo_makes_the_check_fail_and_names_the_row(stack_settings: Settings) -> None:
    c360("demo", "run")
    with odoo_database(stack_settings) as odoo, odoo.cursor() as cursor:
        cursor.execute(
            "SELECT row.id, bound.external_id FROM x_commission AS row JOIN comply360_binding AS bound"
            " ON bound.res_model = 'x_commission' AND bound.res_id = row.id"
            " JOIN comply360_tenant AS tenant ON tenant.uuid = bound.tenant"
            " WHERE row.state = 'paid' AND tenant.subdomain = 'ubuntu' ORDER BY row.id LIMIT 1"
        )
        identity, external_id = cursor.fetchone() or (None, None)
        cursor.execute(ONE_CENT, [Decimal("0.01"), identity])
    try:
        told = c360("demo", "check", expect=3)
        assert f"commission {external_id}: amount is" in told.stdout
        assert "0.01" in told.stdout
    finally:
        with odoo_database(stack_settings) as odoo, odoo.cursor() as cursor:
            cursor.execute(ONE_CENT, [Decimal("-0.01"), identity])
    c360("demo", "check")


def test_what_would_be_loaded_is_said_without_loading_it(stack_settings: Settings) -> None:
    c360("demo", "load")
    told = c360("demo", "load", "--dry-run")
    assert told.stderr.count("would add nothing: all rows exist") == 2
