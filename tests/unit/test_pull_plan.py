"""A tenant's changes from Odoo: what each one comes to, and what is left of it where the app refuses its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from sync_daemon.domain.app_write import AppWrite, Refusal, Refusals
from sync_daemon.domain.approval import Linked
from sync_daemon.domain.contract import Owner
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.decision import Decision, Keep
from sync_daemon.domain.dependants import Dependant
from sync_daemon.domain.document import Change, Op, Ruling, Scalar, Sent
from sync_daemon.domain.keys import Direction, Entity, RecordKey, Version
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pull_effects import (
    ClosedConflict,
    Effects,
    NewBase,
    RaisedConflict,
    SeenBinding,
    Shown,
)
from sync_daemon.domain.pull_page import open_page
from sync_daemon.domain.pull_plan import PullPlan, plan_pull
from sync_daemon.domain.pull_settlement import PullSettlement, settle_pull
from sync_daemon.domain.pull_snapshot import (
    Holder,
    InvoicePointer,
    KnownInvoice,
    LeadOutcome,
    OpenConflict,
    OpenIssue,
    PulledBinding,
    PullSnapshot,
)
from sync_daemon.domain.snapshot import Base, BindingState
from tests.unit.records import OTHER_TENANT, key_of, row
from tests.unit.test_reported import INVOICE

ASKED_AT = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
SYNCED_AT = ASKED_AT - timedelta(minutes=5)
COMMISSION, SECOND = key_of(Entity.COMMISSION), key_of(Entity.COMMISSION, "second")
CLIENT, REGISTRATION, ISSUE = key_of(Entity.CLIENT), key_of(Entity.REGISTRATION), key_of(Entity.ISSUE)
BILL, OTHER_BILL = key_of(Entity.INVOICE), key_of(Entity.INVOICE, "other")
PENDING = {"status": "pending", "approved_at": "", "paid_at": "", "payment_reference": ""}
AT = "2026-02-01 08:00:00"
PAID = {"status": "paid", "approved_at": AT, "paid_at": AT, "payment_reference": "EFT 4711"}
BASES = {name: Base(value, value) for name, value in PENDING.items()}
MODELS = {entity: contract.odoo_model for entity, contract in CONTRACTS.items()}


def change(
    key: RecordKey, fields: Mapping[str, Scalar], number: int = 5, op: Op = Op.UPSERT, res_id: int = 41, epoch: int = 1
) -> Change:
    return Change(key, Version(epoch, number), op, MODELS[key.entity], res_id, "2026-02-03 09:30:00", "sales", fields)


def pair(key: RecordKey, number: int = 4, **differing: Any) -> PulledBinding:
    plain = PulledBinding(MODELS[key.entity], 41, BindingState.ACTIVE, Version(1, number), SYNCED_AT)
    return dataclasses.replace(plain, **differing)


def known(*keys: RecordKey, **differing: Any) -> PullSnapshot:
    """A snapshot in which these records are pairs, and in the app as both sides have them."""
    two_way = [key for key in keys if CONTRACTS[key.entity].from_odoo]
    whole: dict[str, Any] = {
        "bindings": {key: pair(key) for key in keys},
        "rows": {key: row(key.entity) for key in two_way},
        "tables": frozenset(key.entity for key in keys),
        "bases": {key: BASES for key in two_way if key.entity is Entity.COMMISSION},
    }
    return PullSnapshot(**{**whole, **differing})


def planned(snapshot: PullSnapshot, *changes: Change, rules: Rules = CONTRACTS) -> PullPlan:
    return plan_pull(open_page(rules, changes), snapshot, ASKED_AT)


def settled(
    snapshot: PullSnapshot, *changes: Change, refusals: Refusals | None = None, rules: Rules = CONTRACTS
) -> PullSettlement:
    return settle_pull(planned(snapshot, *changes, rules=rules), refusals or {})


def rulings(settlement: PullSettlement) -> list[Ruling]:
    return [verdict.ruling for verdict in settlement.verdicts]


def names(effects: Effects) -> list[str]:
    return [event.type.name for event in effects.events]


def test_a_payment_is_written_remembered_told_and_recorded_in_one_go() -> None:
    plan = planned(known(COMMISSION), change(COMMISSION, PAID))
    assert plan.writes == (AppWrite((COMMISSION,), "commissions", {COMMISSION.record_id: dict(PAID)}),)
    effects = settle_pull(plan, {}).effects
    assert effects.bases == tuple(NewBase(COMMISSION, name, Base(value, value)) for name, value in PAID.items())
    assert effects.bindings == (SeenBinding(COMMISSION, "x_commission", 41, BindingState.ACTIVE, Version(1, 5)),)
    assert names(effects) == ["commission.approved", "commission.paid"]
    [line] = effects.ledger
    assert (line.action, line.version, line.detail["columns"]) == ("written", "1.5", sorted(PAID))
    assert line.detail["fields"]["status"] == {"value": "paid", "lost": "pending", "by": "sales", "side": "Odoo"}
    assert (effects.marks, effects.dead_letters, effects.looked_at) == ((), (), (COMMISSION,))


NOTHING = Effects()
LATER, APPLIED, PARKED = Ruling.LATER, Ruling.APPLIED, Ruling.PARKED


@pytest.mark.parametrize(
    ("snapshot", "told", "ruling", "message"),
    [
        (known(COMMISSION), change(COMMISSION, PAID, 4), APPLIED, "stale"),
        (known(COMMISSION), change(COMMISSION, PAID, 3), APPLIED, "stale"),
        (known(COMMISSION, rows={}, present=frozenset({COMMISSION})), change(COMMISSION, PAID), LATER, "writing this"),
        (known(COMMISSION, bindings={}), change(COMMISSION, PAID), LATER, "not bound yet, or being settled right now"),
        (known(COMMISSION, bindings={}, rows={}, tables=frozenset()), change(COMMISSION, PAID), LATER, "not bound yet"),
        (known(COMMISSION, rows={}, tables=frozenset()), change(COMMISSION, PAID), LATER, "table commissions is not"),
        (
            known(COMMISSION, bindings={COMMISSION: pair(COMMISSION, synced_at=ASKED_AT)}),
            change(COMMISSION, PAID),
            LATER,
            "it was synced while Odoo was read",
        ),
        (
            known(COMMISSION, app_busy_since=datetime(2026, 2, 3, 9, 29, 59)),
            change(COMMISSION, PAID),
            LATER,
            "a transaction of the app",
        ),
        (PullSnapshot(), change(ISSUE, {"decision": "retry"}), APPLIED, "not bound yet"),
        (
            PullSnapshot(known_issues=frozenset({ISSUE.record_id})),
            change(ISSUE, {"decision": "retry"}),
            LATER,
            "not bound",
        ),
    ],
)
def test_what_is_not_to_be_taken_in_now_has_no_effect(
    snapshot: PullSnapshot, told: Change, ruling: Ruling, message: str
) -> None:
    plan = planned(snapshot, told)
    settlement = settle_pull(plan, {})
    assert (plan.writes, settlement.effects) == ((), NOTHING)
    [verdict] = settlement.verdicts
    assert verdict.ruling is ruling and message in verdict.message


def test_a_change_that_waited_long_enough_is_written_beside_the_apps_transactions() -> None:
    snapshot = known(COMMISSION, app_busy_since=datetime(2026, 2, 3, 9, 30))
    assert planned(snapshot, change(COMMISSION, PAID)).writes


def test_a_change_that_writes_nothing_does_not_wait_for_the_apps_transactions() -> None:
    snapshot = known(COMMISSION, app_busy_since=datetime(2020, 1, 1))
    assert rulings(settled(snapshot, change(COMMISSION, PENDING))) == [APPLIED]


@pytest.mark.parametrize("is_bound", [True, False])
def test_a_record_that_the_app_has_no_more_is_parked_with_the_reason(is_bound: bool) -> None:
    snapshot = known(COMMISSION, rows={}) if is_bound else known(COMMISSION, rows={}, bindings={})
    settlement = settled(snapshot, change(COMMISSION, PAID))
    [letter] = settlement.effects.dead_letters
    assert (letter.code, letter.field, letter.version) == ("no_such_row", "", "1.5")
    assert (rulings(settlement), settlement.effects.looked_at) == ([PARKED], ())


# -- what the app refuses ----------------------------------------------------------------------------------------------


def test_a_refused_row_parks_its_change_alone_and_leaves_nothing_of_it() -> None:
    changes = [change(COMMISSION, PAID), change(SECOND, PAID)]
    settlement = settled(known(COMMISSION, SECOND), *changes, refusals={COMMISSION: Refusal("no such payment")})
    assert rulings(settlement) == [PARKED, APPLIED]
    effects = settlement.effects
    assert {item.key for item in effects.bases} == {item.key for item in effects.bindings} == {SECOND}
    assert {event.key for event in effects.events} == {line.key for line in effects.ledger} == {SECOND}
    [letter] = effects.dead_letters
    assert (letter.key, letter.code, letter.value) == (COMMISSION, "refused_by_app", "paid")
    assert letter.field == "approved_at, paid_at, payment_reference, status"
    assert letter.message == f"the app refuses {letter.field} from Odoo: no such payment"
    assert settlement.verdicts[0].message == letter.message


def test_a_row_that_the_app_does_not_take_now_comes_later_and_leaves_nothing_of_it() -> None:
    changes = [change(COMMISSION, PAID), change(SECOND, PAID)]
    busy = Refusal("deadlock detected", is_busy=True)
    settlement = settled(known(COMMISSION, SECOND), *changes, refusals={COMMISSION: busy})
    assert rulings(settlement) == [Ruling.LATER, APPLIED]
    effects = settlement.effects
    assert {item.key for item in effects.bases} == {event.key for event in effects.events} == {SECOND}
    assert effects.dead_letters == ()
    assert "deadlock detected" in settlement.verdicts[0].message


def test_a_refused_row_keeps_what_was_to_be_seen_of_its_change() -> None:
    fields = {
        **PAID,
        "payment_reference": "x" * 300,
        "payment_discrepancy": "bill_open",
        "payment_discrepancy_about": "BILL/1",
    }
    settlement = settled(known(COMMISSION), change(COMMISSION, fields), refusals={COMMISSION: Refusal("no")})
    found = [(letter.field, letter.code) for letter in settlement.effects.dead_letters]
    assert found == [
        ("payment_reference", "too_long"),
        ("payment_discrepancy", "bill_open"),
        ("approved_at, paid_at, status", "refused_by_app"),
    ]
    assert "300 characters" in settlement.verdicts[0].message


def test_a_refused_row_keeps_what_does_not_go_with_it() -> None:
    asked = change(COMMISSION, PAID, op=Op.ASK, epoch=2)
    effects = settled(known(COMMISSION), asked, refusals={COMMISSION: Refusal("no")}).effects
    assert (effects.marks, effects.forgotten, effects.bases) == ((COMMISSION,), (COMMISSION,), ())


def test_a_refused_row_raises_and_closes_no_conflict() -> None:
    open_ones = {COMMISSION: {"paid_at": OpenConflict("x", "y")}}
    snapshot = known(COMMISSION, rows={COMMISSION: row(Entity.COMMISSION, status="cancelled")}, conflicts=open_ones)
    fields = {**PENDING, "status": "approved", "payment_reference": "EFT 1"}
    assert settled(snapshot, change(COMMISSION, fields)).effects.raised
    refused = settled(snapshot, change(COMMISSION, fields), refusals={COMMISSION: Refusal("no")}).effects
    assert (refused.raised, refused.closed, refused.events, refused.marks) == ((), (), (), ())


# -- problems and conflicts --------------------------------------------------------------------------------------------


def test_a_value_that_cannot_be_taken_parks_its_change_and_the_other_fields_are_written() -> None:
    fields = {**PAID, "payment_reference": "x" * 300}
    plan = planned(known(COMMISSION), change(COMMISSION, fields))
    [write] = plan.writes
    assert write.columns == ("approved_at", "paid_at", "status")
    settlement = settle_pull(plan, {})
    assert (rulings(settlement), settlement.effects.bindings) == ([PARKED], ())
    assert [letter.code for letter in settlement.effects.dead_letters] == ["too_long"]
    assert names(settlement.effects) == ["commission.approved", "commission.paid"]
    assert [line.action for line in settlement.effects.ledger] == ["written"], "what was written is explained"


def cancelled_here(**conflicts: OpenConflict) -> PullSnapshot:
    rows = {COMMISSION: row(Entity.COMMISSION, status="cancelled")}
    return known(COMMISSION, rows=rows, conflicts={COMMISSION: conflicts} if conflicts else {})


def test_what_both_sides_changed_is_a_conflict_that_is_told_once() -> None:
    told = change(COMMISSION, {**PENDING, "status": "approved"})
    new = settled(cancelled_here(), told).effects
    assert new.raised == (
        RaisedConflict(COMMISSION, "status", Base("pending", "pending"), "cancelled", "approved", ""),
    )
    assert [letter.code for letter in new.dead_letters] == ["conflict"]
    assert names(new) == ["conflict.raised"]
    again = settled(cancelled_here(status=OpenConflict("cancelled", "approved")), told).effects
    assert again.raised == new.raised and names(again) == []


@pytest.mark.parametrize(
    ("app", "odoo", "keep", "value", "stands"),
    [
        ("cancelled", "approved", Keep.EDIT, "nonsense", ""),
        ("cancelled", "pending", Keep.APP, "", ""),
    ],
)
def test_a_decision_that_does_not_settle_it_does_not_stand(
    app: str, odoo: str, keep: Keep, value: str, stands: str
) -> None:
    decision = Decision(keep, value, "manager", app, odoo)
    snapshot = cancelled_here(status=OpenConflict(app, odoo, decision))
    [raised] = settled(snapshot, change(COMMISSION, {**PENDING, "status": "approved"})).effects.raised
    assert raised.decision == stands


@pytest.mark.parametrize(
    ("status", "decision", "resolution"),
    [
        ("cancelled", None, "agreed"),
        ("approved", Decision(Keep.ODOO, "", "manager", "cancelled", "approved"), "keep_odoo"),
        ("approved", Decision(Keep.APP, "", "manager", "cancelled", "approved"), "keep_app"),
    ],
)
def test_a_field_that_merges_again_ends_its_conflict_and_is_sent(
    status: str, decision: Decision | None, resolution: str
) -> None:
    snapshot = cancelled_here(status=OpenConflict("cancelled", "approved", decision))
    effects = settled(snapshot, change(COMMISSION, {**PENDING, "status": status})).effects
    assert effects.closed == (ClosedConflict(COMMISSION, "status", resolution),)
    assert names(effects)[-1] == "conflict.resolved"
    assert COMMISSION in effects.marks


def test_a_value_that_cannot_be_taken_ends_no_conflict() -> None:
    snapshot = cancelled_here(status=OpenConflict("cancelled", "approved"))
    fields = {**PENDING, "status": "cancelled", "payment_reference": "x" * 300}
    assert settled(snapshot, change(COMMISSION, fields)).effects.closed == ()


def test_a_field_that_odoo_did_not_send_stays_in_conflict() -> None:
    snapshot = cancelled_here(status=OpenConflict("cancelled", "approved"))
    assert settled(snapshot, change(COMMISSION, {"payment_reference": ""})).effects.closed == ()


# -- versions and epochs -----------------------------------------------------------------------------------------------


def test_the_first_word_of_a_new_epoch_is_compared_without_a_base() -> None:
    snapshot = known(
        COMMISSION,
        rows={COMMISSION: row(Entity.COMMISSION, status="paid")},
        bases={COMMISSION: {**BASES, "status": Base("paid", "paid")}},
        bindings={COMMISSION: pair(COMMISSION, 90)},
    )
    effects = settled(snapshot, change(COMMISSION, PENDING, 3, epoch=2)).effects
    assert effects.forgotten == (COMMISSION,)
    assert effects.marks == (COMMISSION,), "Odoo gets the payment again"


def test_a_pair_of_the_present_epoch_keeps_its_bases() -> None:
    snapshot = known(COMMISSION, bindings={COMMISSION: pair(COMMISSION, odoo_version=Version(2, 0))})
    assert settled(snapshot, change(COMMISSION, PAID, 3, epoch=2)).effects.forgotten == ()


def test_what_was_sent_last_is_the_base_only_until_something_newer_was_taken_in() -> None:
    sent = {"status": Sent("pending", "cancelled", Version(1, 3))}
    told = dataclasses.replace(change(COMMISSION, {"status": "cancelled"}, 6), sent=sent)
    assert planned(known(COMMISSION), told).writes, "version 4 was taken in since: somebody chose it again"
    new = known(COMMISSION, bindings={COMMISSION: pair(COMMISSION, odoo_version=Version(2, 0))})
    assert not planned(new, dataclasses.replace(told, version=Version(2, 1))).writes


# -- ends, questions, reports ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "state", "res_id"), [(Op.UNLINK, BindingState.UNLINKED, 41), (Op.ALIAS, BindingState.ALIAS, 77)]
)
def test_a_record_that_ends_in_odoo_ends_its_pair(op: Op, state: BindingState, res_id: int) -> None:
    plan = planned(known(CLIENT), change(CLIENT, {}, op=op, res_id=77))
    effects = settle_pull(plan, {}).effects
    assert effects.bindings == (SeenBinding(CLIENT, "res.partner", res_id, state, Version(1, 5)),)
    [line] = effects.ledger
    assert (plan.writes, line.action, line.detail["res_id"]) == ((), state.value, 77)


def test_a_record_that_is_asked_for_is_owed_whether_it_is_a_pair_or_not() -> None:
    settlement = settled(PullSnapshot(), change(CLIENT, {}, op=Op.ASK))
    assert (rulings(settlement), settlement.effects) == ([APPLIED], Effects(marks=(CLIENT,)))
    unbound = settled(known(COMMISSION, bindings={}), change(COMMISSION, PAID, op=Op.ASK))
    assert (rulings(unbound), unbound.effects.marks) == ([LATER], (COMMISSION,))


LOST = {"outcome": "lost", "lost_reason": "Too expensive"}


@pytest.mark.parametrize(
    ("before", "events"),
    [
        (None, ["lead.lost"]),
        (LeadOutcome("open", ""), ["lead.lost"]),
        (LeadOutcome("lost", "No answer"), ["lead.changed"]),
        (LeadOutcome("lost", "Too expensive", of_former_odoo=True), ["lead.lost"]),
    ],
)
def test_what_became_of_a_lead_is_written_down_as_news(before: LeadOutcome | None, events: list[str]) -> None:
    outcomes = {REGISTRATION.record_id: before} if before else {}
    effects = settled(known(REGISTRATION, outcomes=outcomes), change(REGISTRATION, LOST)).effects
    [outcome] = effects.outcomes
    assert (outcome.outcome, outcome.lost_reason, outcome.by) == ("lost", "Too expensive", "sales")
    assert names(effects) == events
    assert [line.action for line in effects.ledger] == ["lead lost"]


def test_an_outcome_that_is_known_is_no_news() -> None:
    snapshot = known(REGISTRATION, outcomes={REGISTRATION.record_id: LeadOutcome("lost", "Too expensive")})
    effects = settled(snapshot, change(REGISTRATION, LOST)).effects
    assert (effects.outcomes, effects.events, effects.ledger) == ((), (), ())
    assert effects.bindings


def test_an_outcome_by_the_bridges_own_hand_is_no_event() -> None:
    told = dataclasses.replace(change(REGISTRATION, LOST), by="bot")
    effects = settled(known(REGISTRATION, bridge_login="bot"), told).effects
    assert effects.outcomes and not effects.events


def test_an_outcome_that_is_unknown_is_parked_by_name() -> None:
    settlement = settled(known(REGISTRATION), change(REGISTRATION, {"outcome": "maybe", "lost_reason": ""}))
    [letter] = settlement.effects.dead_letters
    assert (rulings(settlement), letter.field, letter.code) == ([PARKED], "outcome", "unknown_value")
    assert (settlement.effects.outcomes, settlement.effects.bindings) == ((), ())


def test_what_a_selftest_does_is_no_event() -> None:
    snapshot = known(COMMISSION, REGISTRATION, is_selftest=True)
    effects = settled(snapshot, change(COMMISSION, PAID), change(REGISTRATION, LOST)).effects
    assert effects.bases and effects.outcomes and not effects.events


def test_a_customers_leads_are_looked_at_when_it_is_written_and_only_if_they_show_it() -> None:
    bases = {CLIENT: {"city": Base("", "")}}
    told = change(CLIENT, {"city": "Harare"})
    effects = settled(known(CLIENT, bases=bases), told).effects
    assert effects.shown == (Shown(CLIENT, Dependant(Entity.REGISTRATION, "client_id")),)
    assert names(effects) == ["client.changed"]
    assert settled(known(CLIENT, bases=bases), change(CLIENT, {"city": ""})).effects.shown == ()


def test_a_customers_leads_are_looked_at_even_if_a_field_of_it_is_parked() -> None:
    fields = {"city": "Harare", "tax_number": "x" * 51}
    settlement = settled(known(CLIENT, bases={CLIENT: {"city": Base("", "")}}), change(CLIENT, fields))
    assert rulings(settlement) == [PARKED]
    assert settlement.effects.shown


def test_a_registration_with_fields_of_odoos_is_written_and_its_outcome_told() -> None:
    plain = CONTRACTS[Entity.REGISTRATION]
    fields = [
        dataclasses.replace(item, owner=Owner.TWO_WAY, column=item.name) if item.name == "company_name" else item
        for item in plain.fields
    ]
    rules = {**CONTRACTS, Entity.REGISTRATION: dataclasses.replace(plain, fields=tuple(fields))}
    snapshot = known(
        REGISTRATION,
        rows={REGISTRATION: row(Entity.REGISTRATION, company_name="Old")},
        bases={REGISTRATION: {"company_name": Base("Old", "Old")}},
    )
    plan = planned(snapshot, change(REGISTRATION, {**LOST, "company_name": "New"}), rules=rules)
    assert [write.rows for write in plan.writes] == [{REGISTRATION.record_id: {"company_name": "New"}}]
    refused = settle_pull(plan, {REGISTRATION: Refusal("no")}).effects
    assert [outcome.outcome for outcome in refused.outcomes] == ["lost"], "it does not go with the row"


def test_the_approver_is_written_with_the_approval() -> None:
    user = key_of(Entity.USER).record_id
    snapshot = known(COMMISSION, approvers={"7": Linked(user, "thandi")})
    fields = {**PENDING, "status": "approved", "approved_at": AT, "approved_by": "7"}
    page = open_page(CONTRACTS, [change(COMMISSION, fields)])
    assert page.approvers == {"7"}
    plan = plan_pull(page, snapshot, ASKED_AT)
    assert plan.writes[0].rows[COMMISSION.record_id]["approved_by"] == str(user)
    [line] = settle_pull(plan, {}).effects.ledger
    assert line.detail["fields"]["approved_by"] == {"value": "7", "lost": "", "by": "thandi", "side": "Odoo"}


# -- decisions about issues --------------------------------------------------------------------------------------------


def issue_about(key: RecordKey | None, field: str = "", direction: Direction = Direction.ODOO_TO_APP) -> OpenIssue:
    return (
        OpenIssue(direction, key.entity.value, str(key.record_id), field)
        if key
        else OpenIssue(direction, "message", "x", "")
    )


def decided(issue: OpenIssue | None, decision: str, *more: Change, **differing: Any) -> PullSettlement:
    keys = {told.key for told in more} | {ISSUE}
    snapshot = known(*keys, issues={ISSUE.record_id: issue} if issue else {}, **differing)
    return settled(snapshot, *more, change(ISSUE, {"decision": decision}))


def test_an_issue_that_is_ignored_is_closed_and_shown_as_closed() -> None:
    effects = decided(issue_about(COMMISSION), "ignore").effects
    assert (effects.ignored, effects.marks) == ((ISSUE.record_id,), (ISSUE,))
    assert [(line.key, line.action, line.version) for line in effects.ledger] == [(ISSUE, "decided", "")]


@pytest.mark.parametrize(
    ("issue", "marks"),
    [
        (issue_about(COMMISSION, direction=Direction.APP_TO_ODOO), (COMMISSION,)),
        (issue_about(COMMISSION), ()),
        (issue_about(None, direction=Direction.APP_TO_ODOO), ()),
    ],
)
def test_what_is_tried_again_is_owed_if_it_goes_to_odoo(issue: OpenIssue, marks: tuple[RecordKey, ...]) -> None:
    effects = decided(issue, "retry").effects
    assert effects.marks == marks
    assert [line.detail["decision"] for line in effects.ledger] == ["retry"]


@pytest.mark.parametrize(("issue", "decision"), [(None, "retry"), (issue_about(COMMISSION), "")])
def test_an_issue_that_is_closed_or_undecided_has_no_effect(issue: OpenIssue | None, decision: str) -> None:
    effects = decided(issue, decision).effects
    assert (effects.marks, effects.ledger) == ((), ())
    assert [item.key for item in effects.bindings] == [ISSUE]


def test_a_decision_is_in_force_for_its_record_in_the_same_page() -> None:
    conflicts = {COMMISSION: {"status": OpenConflict("cancelled", "approved")}}
    told = change(COMMISSION, {**PENDING, "status": "approved"})
    settlement = decided(
        issue_about(COMMISSION, "status"),
        "keep_odoo",
        told,
        conflicts=conflicts,
        rows={COMMISSION: row(Entity.COMMISSION, status="cancelled")},
        bases={COMMISSION: BASES},
    )
    effects = settlement.effects
    assert [verdict.key.entity for verdict in settlement.verdicts] == [Entity.ISSUE, Entity.COMMISSION]
    [decision] = effects.decided
    assert (decision.key, decision.field, decision.decision.keep) == (COMMISSION, "status", Keep.ODOO)
    assert effects.closed == (ClosedConflict(COMMISSION, "status", "keep_odoo"),)
    assert [line.action for line in effects.ledger] == ["decided", "written"]


def test_a_decision_about_a_conflict_that_is_over_has_no_effect() -> None:
    effects = decided(issue_about(COMMISSION, "status"), "keep_app").effects
    assert (effects.decided, effects.ledger) == ((), ())


# -- invoices ----------------------------------------------------------------------------------------------------------

OF = REGISTRATION.record_id
ELSEWHERE = key_of(Entity.REGISTRATION, "elsewhere").record_id


def bill(key: RecordKey = BILL, number: int = 5, res_id: int = 7, epoch: int = 1, **fields: Scalar) -> Change:
    return change(key, {**INVOICE, "registration": str(OF), **fields}, number, res_id=res_id, epoch=epoch)


def of_registration(odoo_id: int = 7, registration: UUID | None = OF, **columns: str) -> KnownInvoice:
    plain = {item.column: str(INVOICE[item.name]) for item in CONTRACTS[Entity.INVOICE].reported}
    return KnownInvoice(odoo_id, {**plain, "registration_id": str(registration or ""), **columns})


def pointing(number: int | None = None, is_free: bool = True, **differing: Any) -> PullSnapshot:
    pointers = {OF: InvoicePointer(number, is_free), ELSEWHERE: InvoicePointer(None)}
    return PullSnapshot(**{"pointers": pointers, **differing})


def pointers(plan: PullPlan) -> dict[UUID, str | None]:
    return {one: values["odoo_invoice_id"] for write in plan.writes for one, values in write.rows.items()}


def test_an_invoice_is_bound_taken_told_and_named_by_its_registration() -> None:
    plan = planned(pointing(), bill())
    assert plan.writes == (AppWrite((BILL,), "registrations", {OF: {"odoo_invoice_id": "7"}}),)
    effects = settle_pull(plan, {}).effects
    assert effects.bindings == (SeenBinding(BILL, "account.move", 7, BindingState.ACTIVE, Version(1, 5)),)
    [taken] = effects.invoices
    assert (taken.record_id, taken.odoo_id, taken.values["total"]) == (BILL.record_id, 7, "1500.10")
    assert names(effects) == ["invoice.created", "invoice.posted", "invoice.partly_paid"]
    assert [line.action for line in effects.ledger] == ["told"]


def test_a_registration_that_names_it_already_is_not_written() -> None:
    assert planned(pointing(7, is_free=False), bill()).writes == ()


@pytest.mark.parametrize("snapshot", [pointing(is_free=False), pointing(app_busy_since=datetime(2026, 2, 3, 9, 29))])
def test_an_invoice_whose_registration_cannot_be_written_comes_again_as_a_whole(snapshot: PullSnapshot) -> None:
    settlement = settled(snapshot, bill())
    assert (rulings(settlement), settlement.effects) == ([LATER], NOTHING)


def test_an_app_without_the_column_gets_the_invoice_all_the_same() -> None:
    plan = planned(PullSnapshot(), bill())
    assert (plan.writes, rulings(settle_pull(plan, {}))) == ((), [APPLIED])


def test_invoices_of_one_page_are_taken_in_the_light_of_those_before() -> None:
    plan = planned(
        pointing(), bill(), bill(OTHER_BILL, 6, 8), bill(key_of(Entity.INVOICE, "note"), 7, 9, kind="credit_note")
    )
    assert pointers(plan) == {OF: "8"}
    [write] = plan.writes
    assert {BILL, OTHER_BILL} <= set(write.causes)


@pytest.mark.parametrize(
    ("told", "newest"),
    [
        (bill(OTHER_BILL, 6, 8, state="cancelled"), "7"),
        (bill(OTHER_BILL, 6, 8, registration=""), "7"),
        (change(OTHER_BILL, {}, 6, Op.UNLINK, 8), "7"),
    ],
)
def test_a_registration_falls_back_to_the_newest_invoice_that_stands(told: Change, newest: str | None) -> None:
    invoices = {BILL.record_id: of_registration(7), OTHER_BILL.record_id: of_registration(8)}
    assert pointers(planned(pointing(8, invoices=invoices), told)) == {OF: newest}


def test_an_invoice_of_a_former_odoo_is_named_by_nobody() -> None:
    former = dataclasses.replace(of_registration(9), of_former_odoo=True)
    assert pointers(planned(pointing(invoices={OTHER_BILL.record_id: former}), bill())) == {OF: "7"}


def test_an_invoice_that_moves_leaves_the_first_registration_in_the_same_write() -> None:
    plan = planned(pointing(7, invoices={BILL.record_id: of_registration(7)}), bill(registration=str(ELSEWHERE)))
    [write] = plan.writes
    assert write.rows == {OF: {"odoo_invoice_id": None}, ELSEWHERE: {"odoo_invoice_id": "7"}}


def test_what_a_refused_pointer_goes_with_is_parked_and_no_other_invoice() -> None:
    settlement = settled(
        pointing(), bill(), bill(OTHER_BILL, 6, 8, registration=str(ELSEWHERE)), refusals={BILL: Refusal("frozen")}
    )
    assert rulings(settlement) == [PARKED, APPLIED]
    [letter] = settlement.effects.dead_letters
    assert (letter.key, letter.field, letter.code) == (BILL, "odoo_invoice_id", "refused_by_app")
    assert [taken.record_id for taken in settlement.effects.invoices] == [OTHER_BILL.record_id]


def test_an_invoice_that_is_gone_is_told_once_and_kept() -> None:
    gone = change(BILL, {}, op=Op.UNLINK, res_id=7)
    effects = settled(pointing(7, invoices={BILL.record_id: of_registration(7, state="draft")}), gone).effects
    assert (effects.ended, effects.invoices, names(effects)) == ((BILL,), (), ["invoice.deleted"])
    assert effects.bindings[0].state is BindingState.UNLINKED


def held(key: RecordKey, odoo_epoch: int = 1) -> dict[tuple[str, int], tuple[Holder, ...]]:
    return {("account.move", 7): (Holder(key, odoo_epoch),)}


def test_an_invoice_whose_number_a_restored_odoo_gave_away_again_is_displaced() -> None:
    snapshot = pointing(7, invoices={OTHER_BILL.record_id: of_registration(7)}, holders=held(OTHER_BILL))
    plan = planned(snapshot, bill(epoch=2, registration=""))
    assert (settle_pull(plan, {}).effects.displaced, pointers(plan)) == ((OTHER_BILL,), {OF: None})


@pytest.mark.parametrize(
    ("holder", "epoch"), [(OTHER_BILL, 1), (key_of(Entity.INVOICE, "one", OTHER_TENANT), 2)], ids=["own", "foreign"]
)
def test_an_invoice_that_is_bound_elsewhere_waits_until_it_is_let_go(holder: RecordKey, epoch: int) -> None:
    settlement = settled(pointing(holders=held(holder)), bill(epoch=epoch))
    assert (rulings(settlement), settlement.effects) == ([LATER], NOTHING)
    let_go = change(OTHER_BILL, {}, 4, Op.UNLINK, 7)
    if holder == OTHER_BILL:
        assert rulings(settled(pointing(holders=held(holder)), let_go, bill())) == [APPLIED, APPLIED]


def test_an_invoice_with_an_unknown_value_is_parked_by_name_and_not_half_taken() -> None:
    settlement = settled(pointing(), bill(payment_state="forgiven"))
    assert rulings(settlement) == [PARKED]
    assert [letter.field for letter in settlement.effects.dead_letters] == ["payment_state"]
    assert (settlement.effects.invoices, settlement.effects.bindings) == ((), ())


def test_money_that_has_to_go_back_is_a_dead_letter_until_it_has_gone() -> None:
    fields: dict[str, Any] = {"payment_discrepancy": "registration_cancelled", "payment_discrepancy_about": "INV/1"}
    first = settled(pointing(), bill(**fields)).effects
    assert [letter.field for letter in first.dead_letters] == ["payment_discrepancy"]
    then = settled(pointing(7, bindings={BILL: pair(BILL)}), bill(number=6)).effects
    assert (then.dead_letters, then.looked_at) == ((), (BILL,))


def test_an_older_invoice_is_stale() -> None:
    settlement = settled(pointing(bindings={BILL: pair(BILL, 5)}), bill())
    assert (rulings(settlement), settlement.effects) == ([APPLIED], NOTHING)
