"""What a person decided stands on both sides, for the values it was made about."""

from __future__ import annotations

import pytest

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.decision import Decision, Keep, check_lawful
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import RecordMerge, Won, merge_record
from sync_daemon.domain.snapshot import Base
from sync_daemon.errors import RejectedError
from tests.unit.records import commission_change, row

PENDING = {
    name: Base("pending" if name == "status" else "", "pending" if name == "status" else "")
    for name in ("status", "approved_at", "paid_at", "payment_reference")
}


def decided(keep: Keep, value: str = "", app: str = "cancelled", odoo: str = "approved") -> RecordMerge:
    fields = {"status": "approved", "approved_at": "", "paid_at": "", "payment_reference": ""}
    decision = Decision(keep, value, "manager", app, odoo)
    contract, here = CONTRACTS[Entity.COMMISSION], row(Entity.COMMISSION, status="cancelled")
    return merge_record(decode_change(contract, commission_change(fields)), here, PENDING, {"status": decision})


def test_the_apps_value_is_sent_over_odoos() -> None:
    found = decided(Keep.APP)
    assert (found.writes, found.conflicts, found.push_back) == ({}, (), True)
    assert found.bases["status"].odoo == "approved", "Odoo is written over the value the decision was about"
    assert found.bases["status"].app != "cancelled", "so the app's value is sent as it is"
    assert found.won["status"] == Won("cancelled", "approved", "manager")


def test_odoos_value_is_written_into_the_app() -> None:
    found = decided(Keep.ODOO)
    assert (found.writes, found.conflicts, found.push_back) == ({"status": "approved"}, (), False)
    assert found.bases["status"] == Base("approved", "approved")
    assert found.won["status"] == Won("approved", "cancelled", "manager")


def test_an_edit_goes_to_both_sides() -> None:
    found = decided(Keep.EDIT, "pending")
    assert (found.writes, found.push_back) == ({"status": "pending"}, True)
    assert found.won["status"].value == "pending"


def test_an_edit_that_the_field_does_not_take_leaves_the_conflict_with_the_reason() -> None:
    found = decided(Keep.EDIT, "nonsense")
    assert found.writes == {}
    assert "nonsense" in found.conflicts[0].refusal


@pytest.mark.parametrize(("app", "odoo"), [("pending", "approved"), ("cancelled", "pending")])
def test_a_decision_about_other_values_does_not_stand(app: str, odoo: str) -> None:
    found = decided(Keep.ODOO, app=app, odoo=odoo)
    assert [conflict.field for conflict in found.conflicts] == ["status"]
    assert found.writes == {}


@pytest.mark.parametrize("keep", [Keep.APP, Keep.EDIT])
def test_no_decision_undoes_a_payment(keep: Keep) -> None:
    with pytest.raises(RejectedError, match="never undone"):
        check_lawful("status", Decision(keep, "pending", "manager", app="cancelled", odoo="paid"))
    check_lawful("status", Decision(Keep.ODOO, "", "manager", app="cancelled", odoo="paid"))
    check_lawful("city", Decision(keep, "", "manager", app="", odoo="paid"))
