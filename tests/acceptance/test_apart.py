"""What one agency's app does in its own tables holds up no other agency, and is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo, as_sync

FINDINGS = 3

_TRIGGER = (
    "CREATE FUNCTION {t}.worst() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN %s RETURN new; END $f$;"
    " CREATE TRIGGER worst %s ON {t}.%s FOR EACH ROW EXECUTE FUNCTION {t}.worst()"
)


@pytest.fixture
def both(make_app: Callable[[], App]) -> tuple[App, App]:
    """Two agencies, each with an approved commission that is not paid."""
    made = make_app(), make_app()
    for app in made:
        (registration,) = app.register(status="approved")
        app.commission(registration)
    c360("drain")
    return made


def _pay(person: Odoo, app: App, reference: str) -> None:
    (record,) = person.commissions(app)
    person.call("x_commission", "action_approve", [record["id"]])
    person.call("x_commission", "mark_paid", [record["id"]], reference)


def _row(app: App) -> tuple[Any, ...]:
    return app.run("SELECT status, payment_reference, paid_at::text FROM {t}.commissions")[0]


def _letters(app: App) -> list[dict[str, Any]]:
    return list(printed("dead", "list", "--tenant", app.subdomain))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("IF new.payment_reference = 'EFT 1' THEN RAISE EXCEPTION 'no such payment'; END IF;", "no such payment"),
        ("RETURN NULL;", "left the row as it was"),
    ],
    ids=["raises", "returns null"],
)
def test_a_payment_that_an_agencys_trigger_refuses_is_named_and_the_other_agencys_arrives(
    both: tuple[App, App], accountant: Odoo, daemon_log: Path, body: str, said: str
) -> None:
    worst, other = both
    worst.run(_TRIGGER % (body, "BEFORE UPDATE", "commissions"))
    with daemon(daemon_log):
        for app in both:
            _pay(accountant, app, "EFT 1")
        eventually(lambda: _row(other)[0] == "paid", "the other agency's payment is in the app")
        eventually(lambda: _letters(worst), "the refused payment is told")
    (letter,) = _letters(worst)
    assert (letter["entity"], letter["code"]) == ("commission", "refused_by_app")
    assert "payment_reference" in letter["field"] and said in letter["message"]
    assert _letters(other) == []
    found = [item for item in printed("doctor", expect=FINDINGS) if worst.subdomain in item["place"]]
    assert any(said in item["problem"] for item in found)
    assert _row(worst)[0] != "paid"
    events = "SELECT count(*) FROM bridge.event WHERE tenant_id = %s AND type LIKE '%%commission.paid%%'"
    with closing(as_sync(worst.settings)) as connection, connection.cursor() as cursor:
        cursor.execute(events, [str(worst.tenant)])
        assert cursor.fetchone() == (0,), "nobody was told of a payment that the app does not have"
    worst.run("DROP TRIGGER worst ON {t}.commissions")
    c360("dead", "retry", "--code", "refused_by_app", "--tenant", worst.subdomain)
    c360("drain")
    c360("reconcile", "--tenant", worst.subdomain, "--fix")
    assert _row(worst)[:2] == ("paid", "EFT 1"), "nothing was lost meanwhile"


def test_an_id_that_an_agencys_trigger_may_not_log_names_the_right(make_app: Callable[[], App]) -> None:
    worst, other = make_app(), make_app()
    worst.run("CREATE TABLE {t}.log (id uuid)")
    worst.run(_TRIGGER % ("INSERT INTO {t}.log VALUES (new.id);", "AFTER UPDATE", "registrations"))
    for app in (worst, other):
        app.register()
    c360("drain", expect=FINDINGS)
    assert (worst.leads(), other.leads()) == (0, 1)
    (letter,) = _letters(worst)
    assert (letter["field"], letter["code"]) == ("odoo_lead_id", "refused_by_app")
    found = [item for item in printed("doctor", expect=FINDINGS) if worst.subdomain in item["place"]]
    assert any("permission denied for table log" in item["problem"] for item in found)
    worst.run("GRANT INSERT ON {t}.log TO comply360_sync")
    c360("dead", "retry", "--code", "refused_by_app", "--tenant", worst.subdomain)
    c360("drain")
    assert worst.leads() == 1
