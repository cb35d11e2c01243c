"""Each of Odoo's record rules is needed: without it, `c360 audit isolation` names what was reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audit import isolation
from audit.matrix import Outcome
from sync_daemon.config import Settings
from tests.acceptance.parties import Odoo

# the rule that is switched off, and a kind of record that is reached then
RULES = {
    "comply360_tenant": "tenant",
    "comply360_issue": "issue",
    "comply360_link": "customer to link",
    "comply360_binding": "binding",
    "comply360_outbox": "change",
    "crm_lead": "lead",
    "crm_activity_report": "lead analysis",
    "res_partner": "customer",
    "res_partner_bank": "bank account",
    "x_commission": "commission",
    "comply360_commission_report": "commission analysis",
    "account_move": "invoice",
    "account_move_line": "journal item",
    "account_payment": "payment",
    "account_invoice_report": "invoice analysis",
    "calendar_event": "meeting",
    "calendar_attendee": "attendee",
    "mail_message": "message received",
    "mail_activity": "activity assigned",
    "mail_followers": "follower",
}


@pytest.fixture(scope="module")
def scene(stack_settings: Settings) -> Iterator[isolation.Scene]:
    """Gives the audit's tenants and users, made once for all guards."""
    with isolation.office(stack_settings) as place, isolation.scene(place, lambda _: None) as made:
        yield made


@pytest.mark.acceptance("R-ISOLATION")
@pytest.mark.parametrize("rule", RULES)
def test_without_its_rule_the_audit_names_what_was_reached(rule: str, scene: isolation.Scene, odoo: Odoo) -> None:
    _, number = odoo.call("ir.model.data", "check_object_reference", "comply360_bridge", f"{rule}_rule_tenant")
    odoo.call("ir.rule", "write", [number], {"active": False})
    try:
        found = scene.findings(lambda _: None, {RULES[rule]}, reading=True)
    finally:
        odoo.call("ir.rule", "write", [number], {"active": True})
    reached = [finding for finding in found if finding.outcome is Outcome.REACHED]
    assert {finding.cell.kind for finding in reached} == {RULES[rule]}
    assert all(finding.cell.own != finding.cell.other and finding.what for finding in reached)
