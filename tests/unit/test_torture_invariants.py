"""The torture test's invariants see what they are there to see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.torture.breach import DIFFERING, DOUBLED, LOST, UNEXPECTED
from tests.torture.history import Action, Freeze, History, Intent, MassLoss, Outcome, Side
from tests.torture.invariants import check, nobody_wrote, nothing_piled_up
from tests.torture.reader import Findings

TENANT, OTHER = UUID(int=1), UUID(int=2)
# the last two digits of the number say whose it is to decide: Odoo's
REGISTRATION, CLIENT, AGENT, COMMISSION = UUID(int=1050), UUID(int=2050), UUID(int=3050), UUID(int=4050)
DOCUMENT = UUID(int=5050)
DAY = datetime(2026, 11, 2, 9, 15, 30)

Change = Callable[[History, Findings], Any]


def _history() -> History:
    made = [
        ("client", CLIENT),
        ("registration", REGISTRATION),
        ("user", AGENT),
        ("commission", COMMISSION),
        ("document", DOCUMENT),
    ]
    intents = [Intent(Side.APP, Action.INSERT, TENANT, entity, identity) for entity, identity in made]
    intents.append(_intent(Side.ODOO, Action.UPDATE, "commission", COMMISSION, status="paid", payment_reference="EFT"))
    for intent in intents:
        intent.outcome = Outcome.ACKNOWLEDGED
    return History(intents)


def _intent(side: Side, action: Action, entity: str, identity: UUID, **values: str) -> Intent:
    return Intent(side, action, TENANT, entity, identity, values, Outcome.ACKNOWLEDGED)


def _findings() -> Findings:
    money = {
        "registration_fee": Decimal("1000.40"),
        "commission_rate": Decimal("12.50"),
        "commission_amount": Decimal("125.05"),
        "currency": "ZAR",
        "status": "paid",
        "approved_at": DAY,
        "paid_at": DAY,
        "payment_reference": "EFT",
    }
    person = {
        "email": "a@mail.example",
        "phone": "+27 82 1",
        "tax_number": "",
        "street": None,
        "city": "Gweru",
        "postal_code": None,
        "country": "ZW",
        "active": True,
    }
    shared = {
        "tenant": TENANT,
        "status": "approved",
        "registration_type": "pty_ltd",
        "jurisdiction": "ZW",
        "submitted_at": DAY,
        "approved_at": DAY,
        "active": True,
    }
    invoice = {
        "tenant": TENANT,
        "odoo_id": 9,
        "number": "INV/1",
        "state": "posted",
        "payment_state": "paid",
        "total": Decimal("1500.10"),
        "residual": Decimal("0.00"),
        "currency": "ZAR",
        "invoice_date": DAY.date(),
    }
    content = {"tenant": TENANT, "sha256": "the bytes", "file_name": "ID.pdf", "status": "verified"}
    bound = [
        ("registration", REGISTRATION, "crm.lead", 5),
        ("client", CLIENT, "res.partner", 6),
        ("user", AGENT, "res.partner", 7),
        ("commission", COMMISSION, "x_commission", 8),
    ]
    bindings = [
        {"tenant": TENANT, "entity": entity, "id": identity, "res_model": model, "res_id": record, "state": "active"}
        for entity, identity, model, record in bound
    ]
    return Findings(
        registrations=[
            {
                **shared,
                "id": REGISTRATION,
                "client_id": CLIENT,
                "company_name": "Two\r\nlines ",
                "odoo_lead_id": 5,
                "odoo_invoice_id": 9,
            }
        ],
        clients=[{"tenant": TENANT, "id": CLIENT, "name": "Tendai", **person}],
        users=[{"tenant": TENANT, "id": AGENT, "email": "b@mail.example", "name": "Chipo"}],
        commissions=[
            {
                "tenant": TENANT,
                "id": COMMISSION,
                "registration_id": REGISTRATION,
                "agent_id": AGENT,
                "odoo_commission_id": 8,
                **money,
            }
        ],
        bindings=bindings,
        odoo_bindings=[dict(row) for row in bindings],
        leads=[
            {
                **shared,
                "id": REGISTRATION,
                "odoo_id": 5,
                "partner_name": "Two\nlines",
                "partner_id": 6,
                "won_status": "won",
            }
        ],
        partners=[
            {"tenant": TENANT, "id": CLIENT, "odoo_id": 6, "name": "Tendai", **person},
            {"tenant": TENANT, "id": AGENT, "odoo_id": 7, "name": "Chipo", **person, "email": "b@mail.example"},
        ],
        records=[
            {
                **money,
                "tenant": TENANT,
                "id": COMMISSION,
                "odoo_id": 8,
                "lead_id": 5,
                "agent_id": 7,
                "paid_by_hand": "ZAR 125.05",
            }
        ],
        outcomes=[{"tenant": TENANT, "id": REGISTRATION, "outcome": "won"}],
        documents=[{**content, "id": DOCUMENT, "registration_id": REGISTRATION, "client_id": None, "active": True}],
        attachments=[
            {**content, "id": DOCUMENT, "odoo_id": 10, "res_model": "crm.lead", "res_id": 5, "original_id": None},
            {**content, "id": None, "odoo_id": 11, "res_model": "res.partner", "res_id": 6, "original_id": 10},
        ],
        invoices=[{**invoice, "kind": "invoice", "registration_id": REGISTRATION}],
        moves=[{**invoice, "id": None, "move_type": "out_invoice", "lead_id": 5}],
    )


def _letter(**changes: Any) -> dict[str, Any]:
    return {
        "tenant": TENANT,
        "id": UUID(int=99),
        "direction": "app_to_odoo",
        "entity": "registration",
        "record_id": str(REGISTRATION),
        "field": "",
        "code": "refused",
        "message": "no",
        "value": "",
        **changes,
    }


def _shown(found: Findings, letter: dict[str, Any]) -> None:
    found.letters.append(letter)
    found.issues.append({"tenant": TENANT, "id": letter["id"], "state": "open"})


def _recalculate(history: History, found: Findings, amount: str) -> None:
    history.intents.append(_intent(Side.APP, Action.UPDATE, "commission", COMMISSION, amount=amount))
    for row in (found.commissions[0], found.records[0]):
        row["commission_amount"] = Decimal(amount)


def _booked(amount: str) -> dict[str, Any]:
    return {"tenant": TENANT, "id": COMMISSION, "booked": Decimal(amount)}


def _paid_another_sum() -> dict[str, Any]:
    return _letter(entity="commission", record_id=str(COMMISSION), code="paid_differs")


def test_two_sides_in_step_have_no_fault() -> None:
    assert check(_history(), _findings()) == []


def test_an_amount_that_changed_after_payment_is_no_fault_while_its_letter_is_open() -> None:
    history, found = _history(), _findings()
    _recalculate(history, found, "99.00")
    _shown(found, _paid_another_sum())
    assert check(history, found) == []


def test_a_bill_of_another_amount_pays_no_commission() -> None:
    history, found = _history(), _findings()
    _recalculate(history, found, "125.05")
    found.booked.append(_booked("99.00"))
    for row in (found.commissions[0], found.records[0]):
        row.update(status="approved", payment_reference="")
    _shown(found, _paid_another_sum())
    assert check(history, found) == []


def test_acts_that_the_bridge_stood_are_no_fault() -> None:
    history, found = _history(), _findings()
    witnessed = history.witnessed
    witnessed.copies.append(78)
    witnessed.losses += [MassLoss("emptied", 40, 24, 24), MassLoss("truncated", 12, 0, 0)]
    witnessed.freezes.append(Freeze(7, 7))
    assert check(history, found) == []


WRONG: dict[str, tuple[Change, str]] = {
    "what was hidden ended": (lambda h, _f: h.witnessed.ended.add(REGISTRATION), LOST),
    "a careless statement was not stopped": (
        lambda h, _f: h.witnessed.losses.append(MassLoss("emptied", 40, 25, 24)),
        LOST,
    ),
    "a truncated table ended one record": (
        lambda h, _f: h.witnessed.losses.append(MassLoss("truncated", 12, 1, 0)),
        LOST,
    ),
    "a daemon on a copy went on": (lambda h, _f: h.witnessed.copies.append(None), UNEXPECTED),
    "a daemon on a copy ended of another cause": (lambda h, _f: h.witnessed.copies.append(1), UNEXPECTED),
    "a copy wrote into Odoo": (lambda _h, f: f.leads[0].update(partner_name="Of the copy"), UNEXPECTED),
    "a copy wrote into the app": (lambda _h, f: f.registrations[0].update(company_name="Of the copy"), UNEXPECTED),
    "a freeze was not obeyed": (lambda h, _f: h.witnessed.freezes.append(Freeze(7, 8)), UNEXPECTED),
    "an address stayed empty": (
        lambda h, f: (
            h.intents.append(_intent(Side.APP, Action.UPDATE, "client", CLIENT, email="a@mail.example")),
            [row.update(email="") for row in (f.clients[0], f.partners[0])],
        ),
        LOST,
    ),
    "a row saved as it was before a payment undid it": (
        lambda h, f: (
            h.intents.append(_intent(Side.APP, Action.UPDATE, "commission", COMMISSION)),
            [row.update(status="approved", payment_reference="") for row in (f.commissions[0], f.records[0])],
        ),
        LOST,
    ),
    "a row saved as it was before a payment is a conflict": (
        lambda h, f: (
            h.intents.append(_intent(Side.APP, Action.UPDATE, "commission", COMMISSION)),
            _shown(f, _letter(code="conflict", entity="commission", record_id=str(COMMISSION), field="status")),
        ),
        UNEXPECTED,
    ),
    "what a trigger refused is still parked after it is gone": (
        lambda _h, f: _shown(f, _letter(direction="odoo_to_app", code="refused_by_app")),
        UNEXPECTED,
    ),
    "a column that is as before still parks its field": (
        lambda _h, f: _shown(f, _letter(code="missing_column", field="email")),
        UNEXPECTED,
    ),
    "the brake still holds what nobody lost": (
        lambda _h, f: _shown(f, _letter(code="brake", record_id=str(UUID(int=98)))),
        UNEXPECTED,
    ),
    "a lead is missing": (lambda _h, f: f.leads.clear(), LOST),
    "a commission is missing in Odoo": (lambda _h, f: f.records.clear(), LOST),
    "a customer is missing": (lambda _h, f: f.partners.pop(0), LOST),
    "a committed row is missing in the app": (lambda _h, f: f.commissions.clear(), LOST),
    "a payment did not arrive": (
        lambda _h, f: (f.commissions[0].update(status="approved"), f.records[0].update(status="approved")),
        LOST,
    ),
    "a payment arrived with another reference": (
        lambda _h, f: [row.update(payment_reference="X") for row in (f.commissions[0], f.records[0])],
        LOST,
    ),
    "the app's own value was overwritten": (
        lambda h, _f: h.intents.append(
            _intent(Side.APP, Action.UPDATE, "registration", REGISTRATION, status="rejected")
        ),
        LOST,
    ),
    "a lead is there twice": (lambda _h, f: f.leads.append({**f.leads[0], "odoo_id": 50}), DOUBLED),
    "another amount was paid, and nobody was told": (lambda h, f: _recalculate(h, f, "99.00"), LOST),
    "another amount was booked, and nobody was told": (
        lambda h, f: (_recalculate(h, f, "125.05"), f.booked.append(_booked("99.00"))),
        LOST,
    ),
    "a letter says that another amount was paid, and it was not": (
        lambda _h, f: _shown(f, _paid_another_sum()),
        UNEXPECTED,
    ),
    "a commission is there twice": (lambda _h, f: f.records.append({**f.records[0], "odoo_id": 80}), DOUBLED),
    "a partner is there twice": (lambda _h, f: f.partners.append({**f.partners[0], "odoo_id": 60}), DOUBLED),
    "one record of Odoo is bound twice": (lambda _h, f: f.bindings.append({**f.bindings[0], "id": CLIENT}), DOUBLED),
    "what was taken back is in Odoo": (
        lambda h, _f: next(h.of("registration", Action.INSERT)).__setattr__("outcome", Outcome.UNDONE),
        UNEXPECTED,
    ),
    "nobody asked for it": (
        lambda _h, f: f.leads.append({**f.leads[0], "id": UUID(int=77), "odoo_id": 77}),
        UNEXPECTED,
    ),
    "a lead is at another tenant": (lambda _h, f: f.leads[0].update(tenant=OTHER), UNEXPECTED),
    "a lead has another tenant's customer": (lambda _h, f: f.partners[0].update(tenant=OTHER), UNEXPECTED),
    "a record is parked without a cause": (lambda _h, f: _shown(f, _letter()), UNEXPECTED),
    "a conflict that was none": (
        lambda _h, f: _shown(f, _letter(code="conflict", entity="commission", record_id=str(COMMISSION))),
        UNEXPECTED,
    ),
    "a message is parked that nobody sent": (
        lambda _h, f: _shown(f, _letter(entity="message", record_id="0" * 32, code="no_json")),
        UNEXPECTED,
    ),
    "nobody was told of what cannot go": (
        lambda _h, f: (f.registrations[0].update(company_name="a\x0b"), f.leads.clear()),
        LOST,
    ),
    "a letter is not shown in Odoo": (
        lambda h, f: (
            h.messages.append(b"x"),
            f.letters.append(_letter(entity="message", record_id=hashlib.sha256(b"x").hexdigest()[:32])),
        ),
        DIFFERING,
    ),
    "a name differs": (lambda _h, f: f.leads[0].update(partner_name="Two lines"), DIFFERING),
    "an amount differs by a cent": (
        lambda _h, f: f.records[0].update(commission_amount=Decimal("125.04")),
        DIFFERING,
    ),
    "a customer's city differs": (lambda _h, f: f.partners[0].update(city="Harare"), DIFFERING),
    "the app names another lead": (lambda _h, f: f.registrations[0].update(odoo_lead_id=4), DIFFERING),
    "the two sides' books differ": (lambda _h, f: f.odoo_bindings.pop(), DIFFERING),
    "a record is still owed": (
        lambda _h, f: f.owed.append({"entity": "client", "id": CLIENT, "is_dead": False, "last_error": ""}),
        DIFFERING,
    ),
    "a change waits in Odoo": (
        lambda _h, f: f.odoo_marks.append({"entity": "client", "id": CLIENT, "state": "pending", "op": "upsert"}),
        DIFFERING,
    ),
    "a lead's outcome is not known in the app": (lambda _h, f: f.outcomes.clear(), DIFFERING),
    "a document is missing": (lambda _h, f: f.attachments.clear(), LOST),
    "a document is there twice": (lambda _h, f: f.attachments.append({**f.attachments[0], "odoo_id": 12}), DOUBLED),
    "a document has other bytes": (lambda _h, f: f.attachments[0].update(sha256="others"), DIFFERING),
    "a document is discarded and still there": (lambda _h, f: f.documents[0].update(active=False), DIFFERING),
    "a document is gone and still there": (
        lambda h, f: (h.intents.append(_intent(Side.APP, Action.DELETE, "document", DOCUMENT)), f.documents.clear()),
        DIFFERING,
    ),
    "a document of another tenant": (lambda _h, f: f.attachments[0].update(tenant=OTHER), UNEXPECTED),
    "a customer does not show the lead's document": (lambda _h, f: f.attachments.pop(), DIFFERING),
    "a customer shows other bytes": (lambda _h, f: f.attachments[1].update(sha256="others"), DIFFERING),
    "an invoice is not known in the app": (lambda _h, f: f.invoices.clear(), LOST),
    "an invoice differs by a cent": (lambda _h, f: f.moves[0].update(residual=Decimal("0.01")), DIFFERING),
    "an invoice is at another tenant": (lambda _h, f: f.invoices[0].update(tenant=OTHER), DIFFERING),
    "an invoice that nobody booked": (lambda _h, f: f.moves.clear(), UNEXPECTED),
    "a registration names another invoice": (lambda _h, f: f.registrations[0].update(odoo_invoice_id=8), DIFFERING),
    "a deleted registration's lead is active": (
        lambda h, f: (
            h.intents.append(_intent(Side.APP, Action.DELETE, "registration", REGISTRATION)),
            f.registrations.clear(),
        ),
        DIFFERING,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_fault_is_seen(name: str) -> None:
    change, kind = WRONG[name]
    history, found = _history(), _findings()
    change(history, found)
    assert kind in {fault.kind for fault in check(history, found)}


def test_a_change_of_unknown_outcome_may_stand_or_not() -> None:
    history, found = _history(), _findings()
    unknown = _intent(Side.ODOO, Action.UPDATE, "commission", COMMISSION, payment_reference="EFT 2")
    unknown.outcome = Outcome.UNKNOWN
    history.intents.append(unknown)
    for reference in ("EFT", "EFT 2"):
        found.commissions[0]["payment_reference"] = found.records[0]["payment_reference"] = reference
        assert check(history, found) == []


def test_leads_that_people_merged_or_deleted_are_no_fault() -> None:
    for action, state, target in ((Action.MERGE, "alias", 50), (Action.DELETE, "unlinked", 5)):
        history, found = _history(), _findings()
        history.intents.append(_intent(Side.ODOO, action, "registration", REGISTRATION))
        for row in (found.bindings[0], found.odoo_bindings[0]):
            row.update(state=state, res_id=target)
        found.moves[0]["lead_id"] = found.invoices[0]["registration_id"] = None
        found.registrations[0]["odoo_invoice_id"] = None
        found.commissions.clear()
        found.records.clear()
        history.intents.append(_intent(Side.APP, Action.DELETE, "commission", COMMISSION))
        del found.bindings[3], found.odoo_bindings[3]
        found.attachments[0]["res_id"] = target
        survivor = {**found.leads[0], "odoo_id": 50, "id": None}
        found.leads[:] = [survivor] if action is Action.MERGE else []
        if action is Action.DELETE:
            found.attachments.clear()
        assert check(history, found) == []


def test_what_was_poison_is_parked_rightly() -> None:
    history, found = _history(), _findings()
    history.poison(b"not json")
    _shown(found, _letter(entity="message", record_id=hashlib.sha256(b"not json").hexdigest()[:32], code="no_json"))
    assert check(history, found) == []


def test_a_change_in_odoo_of_what_the_app_deleted_is_parked_rightly() -> None:
    history, found = _history(), _findings()
    _shown(found, _letter(direction="odoo_to_app", code="no_such_row"))
    assert [breach.kind for breach in check(history, found)] == [UNEXPECTED], "it is there"
    history.intents.append(_intent(Side.APP, Action.DELETE, "registration", REGISTRATION))
    history.intents.append(_intent(Side.APP, Action.DELETE, "commission", COMMISSION))
    for rows in (found.registrations, found.commissions, found.records, found.invoices, found.moves, found.documents):
        rows.clear()
    found.attachments.clear()
    found.leads[0]["active"] = False
    assert [str(breach) for breach in check(history, found) if "parked" in breach.sentence] == []


def test_a_write_after_quiet_is_seen() -> None:
    [fault] = nobody_wrote({"leads": "1", "partners": "1"}, {"leads": "2", "partners": "1"}, "after all was quiet")
    assert (fault.kind, fault.sentence) == (UNEXPECTED, "leads changed after all was quiet")


def test_what_piles_up_in_a_daemon_is_seen() -> None:
    assert nothing_piled_up(80_000_000, 40, 15) == []
    [fault] = nothing_piled_up(300_000_000, 40, 15)
    assert (fault.kind, fault.sentence) == (UNEXPECTED, "a daemon had 300000000 bytes of memory, more than 200000000")
