"""The Inbound with the puller's walk over it: Odoo's changes are written once, merged, parked, never in the app's way.

In memory and on the real database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.document import Change, Op, Ruling, Status, Verdict
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.pull_page import open_page
from sync_daemon.domain.pull_plan import plan_pull
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base, BindingState
from sync_daemon.ports import OdooInfo
from sync_daemon.services.pull import take_in
from tests.ports.platform import Platform, fill

PENDING = {"status": "pending", "approved_at": "", "paid_at": "", "payment_reference": ""}
PAID = {
    "status": "paid",
    "approved_at": "2026-02-01 08:00:00",
    "paid_at": "2026-02-03 09:30:00",
    "payment_reference": "EFT 4711",
}


@pytest.fixture
def commission(platform: Platform) -> RecordKey:
    """A commission that both sides have agreed on: pending."""
    fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    return agreed_on(platform, commission)


def agreed_on(platform: Platform, key: RecordKey, res_id: int = 5, **fields: str) -> RecordKey:
    platform.outbox.owe([key])
    owed = platform.rows.snapshot([key]).owed[key]
    agreed = {name: Base(value, value) for name, value in {**PENDING, **fields}.items()}
    platform.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, "x_commission", res_id, "d", agreed, {}, ())])
    return key


def change(key: RecordKey, number: int, **fields: str) -> Change:
    values = {**PENDING, **fields}
    return Change(key, Version(1, number), Op.UPSERT, "x_commission", 5, "2026-02-03 09:30:00", "accountant", values)


def apply(platform: Platform, *changes: Change) -> list[Ruling]:
    return [verdict.ruling for verdict in taken(platform, changes)]


def taken(platform: Platform, changes: Sequence[Change], read_after: datetime | None = None) -> Sequence[Verdict]:
    """Take in changes that were read in Odoo just now, or after that instant."""
    [tenant] = platform.inbound.receiving()
    return take_in(platform.inbound, uuid4(), tenant, changes, read_after or platform.now())


def row(platform: Platform, commission: RecordKey) -> tuple[object, ...]:
    columns = ("status", "approved_at", "paid_at", "payment_reference")
    return tuple(platform.value(commission, column) for column in columns)


def test_a_paid_commission_arrives_with_reference_and_date(platform: Platform, commission: RecordKey) -> None:
    assert apply(platform, change(commission, 1, **PAID)) == [Ruling.APPLIED]
    assert row(platform, commission) == ("paid", "2026-02-01 08:00:00", "2026-02-03 09:30:00", "EFT 4711")
    assert platform.outbox.collect(10) == 0, "what came from Odoo is not sent back"


@pytest.mark.reliability("F73")
def test_an_older_change_is_stale(platform: Platform, commission: RecordKey) -> None:
    apply(platform, change(commission, 7, status="approved"))
    assert apply(platform, change(commission, 6)) == [Ruling.APPLIED]
    assert row(platform, commission)[0] == "approved", "the older one would take it back to pending"


def test_what_was_read_before_a_push_that_is_settled_is_nobodys_change(
    platform: Platform, commission: RecordKey
) -> None:
    leased = platform.inbound.acquire(uuid4(), timedelta(0))
    assert leased is not None
    read_before = change(commission, 1, payment_reference="EFT 1")
    platform.update(commission, status="cancelled")
    agreed_on(platform, commission, status="cancelled")
    [verdict] = taken(platform, [read_before], leased)
    assert verdict.ruling is Ruling.LATER
    assert row(platform, commission)[0] == "cancelled", "it was pending when Odoo was read, and nobody made it so again"
    read_again = change(commission, 1, status="cancelled", payment_reference="EFT 1")
    assert apply(platform, read_again) == [Ruling.APPLIED]
    assert (row(platform, commission)[0], row(platform, commission)[3]) == ("cancelled", "EFT 1")


def test_a_change_of_an_unbound_record_comes_later(platform: Platform, commission: RecordKey) -> None:
    fill(platform)
    [unbound] = set(platform.keys(Entity.COMMISSION)) - {commission}
    assert apply(platform, change(unbound, 1, **PAID)) == [Ruling.LATER]


def test_approval_in_odoo_against_cancelling_in_the_app_is_a_conflict(
    platform: Platform, commission: RecordKey
) -> None:
    platform.update(commission, status="cancelled")
    assert apply(platform, change(commission, 1, status="approved")) == [Ruling.APPLIED]
    assert row(platform, commission)[0] == "cancelled", "nobody's change is overwritten"
    [letter] = platform.letters("conflict")
    assert "cancelled" in letter.message and "approved" in letter.message
    assert platform.conflicts() == [("status", "cancelled", "approved", "pending")]


GIVES_WAY = [("cancelled", "cancelled"), ("approved", "approved"), ("cancelled", "pending")]


@pytest.mark.parametrize(("app", "odoo"), GIVES_WAY)
def test_a_conflict_ends_when_one_side_gives_way(
    platform: Platform, commission: RecordKey, app: str, odoo: str
) -> None:
    platform.update(commission, status="cancelled")
    apply(platform, change(commission, 1, status="approved"))
    platform.outbox.collect(100)
    assert platform.rows.snapshot([commission]).conflicts == {commission: frozenset({"status"})}
    platform.update(commission, status=app)
    platform.outbox.collect(100)
    before = platform.rows.snapshot([commission]).owed[commission].version
    assert apply(platform, change(commission, 2, status=odoo)) == [Ruling.APPLIED]
    assert platform.letters() == []
    platform.outbox.collect(100)
    after = platform.rows.snapshot([commission])
    assert after.conflicts == {}
    assert after.owed[commission].version > before, "the field that stayed out is looked at again"


@pytest.mark.reliability("F69")
def test_a_paid_commission_is_not_undone(platform: Platform, commission: RecordKey) -> None:
    apply(platform, change(commission, 1, **PAID))
    apply(platform, change(commission, 2, status="approved"))
    assert row(platform, commission)[0] == "paid"


def test_a_value_the_app_cannot_take_is_parked_by_name(platform: Platform, commission: RecordKey) -> None:
    reference = "x" * 300
    assert apply(platform, change(commission, 1, payment_reference=reference)) == [Ruling.PARKED]
    [letter] = platform.letters()
    assert (letter.direction, letter.field, letter.code) == ("odoo_to_app", "payment_reference", "too_long")
    assert row(platform, commission)[3] is None


def test_one_bad_change_does_not_spoil_the_others(platform: Platform, commission: RecordKey) -> None:
    bad = RecordKey(platform.tenant, Entity.COMMISSION, uuid4())
    assert apply(platform, change(bad, 1, status="nonsense"), change(commission, 1, **PAID)) == [
        Ruling.PARKED,
        Ruling.APPLIED,
    ]
    assert row(platform, commission)[0] == "paid"


def test_a_change_that_the_apps_database_refuses_does_not_spoil_the_others(
    platform: Platform, commission: RecordKey
) -> None:
    fill(platform)
    [other] = set(platform.keys(Entity.COMMISSION)) - {commission}
    second = agreed_on(platform, other, 6)
    platform.refuse("commissions", "payment_reference", "EFT 4711")
    good = change(second, 1, **{**PAID, "payment_reference": "EFT 4712"})
    assert apply(platform, change(commission, 1, **PAID), good) == [Ruling.PARKED, Ruling.APPLIED]
    assert (platform.value(commission, "status"), platform.value(second, "status")) == ("pending", "paid")
    [letter] = platform.letters("refused_by_app")
    assert letter.record_id == str(commission.record_id)


def test_a_row_that_the_app_leaves_as_it_was_is_refused_and_nothing_is_announced(
    platform: Platform, commission: RecordKey
) -> None:
    platform.leave("commissions")
    assert apply(platform, change(commission, 1, **PAID)) == [Ruling.PARKED]
    assert row(platform, commission)[0] == "pending"
    [letter] = platform.letters("refused_by_app")
    assert letter.record_id == str(commission.record_id)
    assert "left the row as it was" in letter.message
    assert platform.events.take(uuid4(), timedelta(minutes=1), 10) == []
    assert [line.action for line in platform.lines()] == ["created"]


@pytest.mark.parametrize(("op", "res_id", "state"), [(Op.UNLINK, 5, "unlinked"), (Op.ALIAS, 6, "alias")])
def test_an_answer_of_before_the_pair_ended_in_odoo_does_not_begin_it_again(
    platform: Platform, commission: RecordKey, op: Op, res_id: int, state: str
) -> None:
    platform.update(commission, payment_reference="EFT 1")
    platform.outbox.collect(10)
    sent = platform.rows.snapshot([commission])
    ended = dataclasses.replace(change(commission, 4), op=op, res_id=res_id, fields={})
    assert apply(platform, ended) == [Ruling.APPLIED]
    seen = sent.bindings[commission].last_seen_version
    answer = Applied(sent.owed[commission], Status.UPDATED, "x_commission", 5, "e", {}, {}, (), last_seen_version=seen)
    platform.ledger.settle(uuid4(), [answer])
    pair = platform.pairs()[commission]
    assert (pair.res_id, pair.state) == (res_id, state)
    assert commission not in platform.rows.snapshot([commission]).owed, "it went through"


def test_an_unlinked_record_is_remembered_and_not_forgotten(platform: Platform, commission: RecordKey) -> None:
    gone = Change(commission, Version(1, 3), Op.UNLINK, "x_commission", 5, "2026-02-03 09:30:00", "manager", {})
    assert apply(platform, gone) == [Ruling.APPLIED]
    assert platform.pairs()[commission].state == "unlinked"


def test_a_row_the_app_has_locked_comes_later(platform: Platform, commission: RecordKey) -> None:
    app = platform.begin()
    app.update(commission, approved_by=None)
    assert apply(platform, change(commission, 1, **PAID)) == [Ruling.LATER]
    app.commit()
    assert apply(platform, change(commission, 1, **PAID)) == [Ruling.APPLIED]


@pytest.mark.reliability("F84")
def test_a_dropped_column_parks_its_field_and_the_rest_flows(platform: Platform, commission: RecordKey) -> None:
    platform.drop("commissions", "payment_reference")
    assert apply(platform, change(commission, 1, **PAID)) == [Ruling.PARKED]
    assert platform.value(commission, "status") == "paid"
    [letter] = platform.letters("missing_column")
    assert letter.field == "payment_reference"


@pytest.mark.reliability("F07", "F08")
def test_only_one_puller_holds_the_lease(platform: Platform) -> None:
    first, second = uuid4(), uuid4()
    assert platform.inbound.acquire(first, timedelta(minutes=1))
    assert not platform.inbound.acquire(second, timedelta(minutes=1))
    assert platform.inbound.acquire(first, timedelta(0)), "the holder may renew, here for no time at all"
    assert platform.inbound.acquire(second, timedelta(minutes=1)), "an expired lease is anybody's"
    platform.inbound.release(second)
    assert platform.inbound.acquire(first, timedelta(minutes=1))


def in_epoch(epoch: int, told: Change) -> Change:
    return dataclasses.replace(told, version=Version(epoch, told.version.number))


def test_an_odoo_that_was_set_back_takes_no_decision_away(platform: Platform, commission: RecordKey) -> None:
    assert apply(platform, change(commission, 90, **PAID)) == [Ruling.APPLIED]
    assert apply(platform, in_epoch(2, change(commission, 3))) == [Ruling.APPLIED]
    assert row(platform, commission) == ("paid", "2026-02-01 08:00:00", "2026-02-03 09:30:00", "EFT 4711")
    platform.outbox.collect(10)
    assert commission in platform.rows.snapshot([commission]).owed, "Odoo gets it again"


def test_after_the_first_word_of_a_new_epoch_odoos_changes_count_as_ever(
    platform: Platform, commission: RecordKey
) -> None:
    assert apply(platform, in_epoch(2, change(commission, 3))) == [Ruling.APPLIED]
    assert apply(platform, in_epoch(2, change(commission, 4, status="approved"))) == [Ruling.APPLIED]
    assert apply(platform, in_epoch(2, change(commission, 5))) == [Ruling.APPLIED]
    assert row(platform, commission)[0] == "pending"


def test_a_pair_whose_answer_was_lost_begins_in_odoos_present_epoch(platform: Platform) -> None:
    odoo = OdooInfo("1", "19.0.1.0.0", "19.0.1.0.0", "19.0", str(uuid4()), 2, 0, "odoo", "bot", None)
    platform.answers(odoo)
    fill(platform)
    [key] = platform.keys(Entity.COMMISSION)
    platform.update(key, payment_reference="EFT 0")
    platform.outbox.mark([key])
    platform.outbox.collect(10)
    platform.ledger.learn(platform.rows.snapshot([key]).owed[key], BindingState.ACTIVE, "x_commission", 5)
    agreed_on(platform, key, payment_reference="EFT 0")
    assert apply(platform, in_epoch(2, change(key, 3, payment_reference="EFT 1"))) == [Ruling.APPLIED]
    assert row(platform, key)[3] == "EFT 1", "Odoo alone changed it since both sides agreed"
    assert platform.letters() == []


def test_a_change_of_a_record_that_the_app_has_forgotten_is_parked(platform: Platform) -> None:
    forgotten = RecordKey(platform.tenant, Entity.COMMISSION, uuid4())
    assert apply(platform, change(forgotten, 1, **PAID)) == [Ruling.PARKED]
    [letter] = platform.letters()
    assert (letter.code, letter.record_id) == ("no_such_row", str(forgotten.record_id))


def test_a_decision_about_an_issue_that_the_app_has_forgotten_is_nothing_to_do(platform: Platform) -> None:
    issue = RecordKey(platform.tenant, Entity.ISSUE, uuid4())
    fields = {"decision": "retry"}
    told = Change(issue, Version(1, 1), Op.UPSERT, "comply360.issue", 9, "2026-02-03 09:30:00", "m", fields)
    assert apply(platform, told) == [Ruling.APPLIED]


def test_the_tenants_whose_flow_from_odoo_is_open_are_those_that_are_served(platform: Platform) -> None:
    other = platform.register()
    assert {tenant.id for tenant in platform.inbound.receiving()} == {platform.tenant, other}
    platform.registry.set_state(other, "suspended")
    assert [tenant.id for tenant in platform.inbound.receiving()] == [platform.tenant]


def test_a_tenant_whose_table_was_made_anew_receives_nothing(platform: Platform) -> None:
    other = platform.register()
    platform.make_anew("commissions")
    assert [tenant.id for tenant in platform.inbound.receiving()] == [other]


def test_a_unit_that_does_not_end_well_leaves_nothing(platform: Platform, commission: RecordKey) -> None:
    [tenant] = platform.inbound.receiving()
    with pytest.raises(ZeroDivisionError), platform.inbound.unit(uuid4(), tenant) as unit:
        page = open_page(unit.rules, [change(commission, 1, **PAID)])
        unit.write(plan_pull(page, unit.read(page), platform.now()).writes)
        raise ZeroDivisionError
    assert platform.value(commission, "status") == "pending"


def test_what_was_applied_stands_in_the_ledger(platform: Platform, commission: RecordKey) -> None:
    apply(platform, change(commission, 3, **PAID))
    [_created, line] = platform.lines()
    assert (line.key, line.action, line.version) == (commission, "written", "1.3")


def test_a_customers_change_is_news_to_the_leads_that_show_it(platform: Platform) -> None:
    [lead] = fill(platform)
    [client] = platform.keys(Entity.CLIENT)
    for key, model in ((client, "res.partner"), (lead, "crm.lead")):
        platform.outbox.owe([key])
        owed = platform.rows.snapshot([key]).owed[key]
        bases = {"name": Base("Client 1", "Client 1")} if key == client else {}
        platform.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, model, 7, "d", bases, {}, ())])
    platform.clear_marks()
    told = dataclasses.replace(change(client, 1), model="res.partner", fields={"name": "Another"})
    assert apply(platform, told) == [Ruling.APPLIED]
    assert platform.value(client, "full_name") == "Another"
    assert [key for key, _lane in platform.marks()] == [lead]


def test_what_a_manager_decides_about_an_issue_is_noted_with_its_conflict(
    platform: Platform, commission: RecordKey
) -> None:
    platform.update(commission, status="cancelled")
    apply(platform, change(commission, 1, status="approved"))
    [letter] = platform.letters("conflict")
    issue = RecordKey(platform.tenant, Entity.ISSUE, letter.id)
    platform.outbox.owe([issue])
    owed = platform.rows.snapshot([issue]).owed[issue]
    platform.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, "comply360.issue", 9, "d", {}, {}, ())])
    decided = dataclasses.replace(change(issue, 2), model="comply360.issue", fields={"decision": "keep_odoo"})
    assert apply(platform, decided) == [Ruling.APPLIED]
    assert apply(platform, change(commission, 3, status="approved")) == [Ruling.APPLIED]
    assert platform.value(commission, "status") == "approved"
    assert platform.letters() == []
    assert platform.conflicts() == []


def test_a_leads_outcome_is_announced_when_it_is_news(platform: Platform) -> None:
    [lead] = fill(platform)
    platform.outbox.owe([lead])
    owed = platform.rows.snapshot([lead]).owed[lead]
    platform.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, "crm.lead", 9, "d", {}, {}, ())])
    won = dataclasses.replace(change(lead, 1), model="crm.lead", fields={"outcome": "won", "lost_reason": ""})
    again = dataclasses.replace(won, version=Version(1, 2))
    assert [*apply(platform, won), *apply(platform, again)] == [Ruling.APPLIED] * 2
    told = platform.events.take(uuid4(), timedelta(minutes=1), 10)
    assert [(event.routing_key, event.subject) for event in told] == [("lead.won", f"registration/{lead.record_id}")]


INVOICE = {
    "kind": "invoice",
    "number": "INV/2026/1",
    "state": "posted",
    "payment_state": "not_paid",
    "total": "1500.10",
    "residual": "1500.10",
    "currency": "ZAR",
}


def invoice(platform: Platform, number: int, lead: RecordKey, **fields: str) -> Change:
    key = RecordKey(platform.tenant, Entity.INVOICE, uuid4())
    values = {**INVOICE, "registration": str(lead.record_id), **fields}
    return Change(key, Version(1, number), Op.UPSERT, "account.move", number, "2026-02-03 09:30:00", "m", values)


def test_a_registration_names_its_newest_invoice_until_that_one_is_gone(platform: Platform) -> None:
    [lead] = fill(platform)
    first, second = invoice(platform, 11, lead), invoice(platform, 12, lead)
    assert apply(platform, first, second) == [Ruling.APPLIED] * 2
    assert platform.value(lead, "odoo_invoice_id") == 12
    gone = dataclasses.replace(second, version=Version(1, 13), op=Op.UNLINK, fields={})
    assert apply(platform, gone) == [Ruling.APPLIED]
    assert platform.value(lead, "odoo_invoice_id") == 11
    cancelled = dataclasses.replace(first, version=Version(1, 14), fields={**first.fields, "state": "cancelled"})
    assert apply(platform, cancelled) == [Ruling.APPLIED]
    assert platform.value(lead, "odoo_invoice_id") is None


def test_an_invoice_waits_while_the_app_holds_the_registration(platform: Platform) -> None:
    [lead] = fill(platform)
    app = platform.begin()
    app.update(lead, company_name="Held")
    told = invoice(platform, 11, lead)
    assert apply(platform, told) == [Ruling.LATER]
    app.rollback()
    assert apply(platform, told) == [Ruling.APPLIED]
    assert platform.value(lead, "odoo_invoice_id") == 11
