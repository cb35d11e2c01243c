"""Every owner of a field, in both directions: what is sent, what is taken, whose value stands."""

from __future__ import annotations

import dataclasses

import pytest

from sync_daemon.domain.contract import Owner
from sync_daemon.domain.document import Document, Result, Scalar, Status, TwoWay
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.overrides import Contracts
from sync_daemon.domain.plan import Plan, plan
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import RecordMerge, merge_record
from sync_daemon.domain.settlement import Applied, settle_answers
from sync_daemon.domain.snapshot import Base, Snapshot
from tests.unit.records import OTHER_TENANT, bound, commission_change, key_of, owed, row
from tests.unit.test_overrides import in_force

CLIENT = key_of(Entity.CLIENT)
REGISTRATION = key_of(Entity.REGISTRATION)
APP, ODOO = "011 1", "022 2"


def phone_of(owner: Owner) -> Contracts:
    return in_force(f'[tenants.TENANT.client.fields.phone]\nowner = "{owner}"')


def planned(owner: Owner, phone: str | None, is_new: bool, agreed: Base | None = None) -> Plan:
    return plan(
        Snapshot(
            {CLIENT: owed(CLIENT)},
            {CLIENT: row(Entity.CLIENT, phone=phone)},
            bindings={} if is_new else {CLIENT: bound(CLIENT)},
            bases={CLIENT: {"phone": agreed}} if agreed else {},
            customers=frozenset({CLIENT}),
            contracts=phone_of(owner),
        )
    )


def sent(owner: Owner, phone: str | None, is_new: bool, agreed: Base | None = None) -> dict[str, object]:
    """In which part of the document the phone stands, and with what."""
    [item] = planned(owner, phone, is_new, agreed).send
    document = item.document
    parts = {
        "fields": document.fields,
        "two_way": document.two_way,
        "offers": document.offers,
        "initial": document.initial,
    }
    return {name: part["phone"] for name, part in parts.items() if "phone" in part}


def taken(owner: Owner, app: str | None, odoo: str, agreed: Base | None) -> RecordMerge:
    change = dataclasses.replace(commission_change({"phone": odoo}), key=CLIENT, model="res.partner")
    rules = phone_of(owner).of(CLIENT.tenant)
    bases = {"phone": agreed} if agreed else {}
    return merge_record(decode_change(rules[Entity.CLIENT], change), row(Entity.CLIENT, phone=app), bases)


@pytest.mark.parametrize(
    ("owner", "new", "there"),
    [
        (Owner.APP, {"fields": APP}, {"fields": APP}),
        (Owner.TWO_WAY, {"two_way": TwoWay(APP, None)}, {"two_way": TwoWay(APP, None)}),
        (Owner.ODOO, {"initial": APP}, {}),
        (Owner.PREFER_ODOO, {"offers": APP}, {"offers": APP}),
        (Owner.PREFER_APP, {"fields": APP}, {"fields": APP}),
        (Owner.CREATE_ONLY, {"initial": APP}, {}),
        (Owner.OFF, {}, {}),
    ],
)
def test_what_the_app_has_is_sent_as_its_owner_says(
    owner: Owner, new: dict[str, object], there: dict[str, object]
) -> None:
    assert sent(owner, APP, is_new=True) == new
    assert sent(owner, APP, is_new=False) == there


@pytest.mark.parametrize(
    ("owner", "there"),
    [
        (Owner.APP, {"fields": ""}),
        (Owner.TWO_WAY, {"two_way": TwoWay("", ODOO)}),
        (Owner.ODOO, {}),
        (Owner.PREFER_ODOO, {"offers": ""}),
        (Owner.PREFER_APP, {}),
        (Owner.CREATE_ONLY, {}),
        (Owner.OFF, {}),
    ],
)
def test_what_the_app_emptied_empties_odoo_only_where_the_app_decides(owner: Owner, there: dict[str, object]) -> None:
    assert sent(owner, None, is_new=False, agreed=Base(APP, ODOO)) == there


@pytest.mark.parametrize("owner", [Owner.APP, Owner.CREATE_ONLY, Owner.OFF])
def test_what_odoo_does_not_own_is_never_taken(owner: Owner) -> None:
    assert taken(owner, APP, ODOO, Base(APP, APP)) == RecordMerge({}, {})


def test_odoos_own_field_is_always_taken() -> None:
    result = taken(Owner.ODOO, APP, ODOO, Base("033 3", "033 3"))
    assert result.writes == {"phone": ODOO} and result.bases == {"phone": Base(ODOO, ODOO)}
    assert taken(Owner.ODOO, APP, "", None).writes == {"phone": None}
    assert not (result.push_back or result.conflicts)


def test_of_odoos_own_field_nothing_goes_back_even_where_another_column_fills_the_gap() -> None:
    change = dataclasses.replace(commission_change({"phone": ""}), key=CLIENT, model="res.partner")
    rules = phone_of(Owner.ODOO).of(CLIENT.tenant)
    pulled = decode_change(rules[Entity.CLIENT], change)
    result = merge_record(pulled, row(Entity.CLIENT, phone=APP, mobile="082 2"), {})
    assert result.writes == {"phone": None} and not result.push_back
    assert result.bases == {"phone": Base("082 2", "")}


@pytest.mark.parametrize(
    ("app", "odoo", "writes", "push_back"),
    [
        (APP, ODOO, {"phone": ODOO}, False),
        (None, ODOO, {"phone": ODOO}, False),
        (APP, "", {}, True),
        (APP, APP, {}, False),
    ],
)
def test_where_odoo_is_preferred_its_value_stands_unless_it_has_none(
    app: str | None, odoo: str, writes: dict[str, str], push_back: bool
) -> None:
    result = taken(Owner.PREFER_ODOO, app, odoo, Base("033 3", "033 3"))
    assert (result.writes, result.push_back, result.conflicts) == (writes, push_back, ())


@pytest.mark.parametrize(
    ("app", "odoo", "writes", "push_back"),
    [
        (APP, ODOO, {}, True),
        (None, ODOO, {"phone": ODOO}, False),
        (APP, "", {}, True),
        (APP, APP, {}, False),
    ],
)
def test_where_the_app_is_preferred_its_value_stands_unless_it_has_none(
    app: str | None, odoo: str, writes: dict[str, str], push_back: bool
) -> None:
    result = taken(Owner.PREFER_APP, app, odoo, Base("033 3", "033 3"))
    assert (result.writes, result.push_back, result.conflicts) == (writes, push_back, ())


@pytest.mark.parametrize("owner", [Owner.ODOO, Owner.PREFER_ODOO, Owner.PREFER_APP])
def test_values_that_were_agreed_on_each_in_its_form_are_left_alone(owner: Owner) -> None:
    result = taken(owner, APP, ODOO, Base(APP, ODOO))
    assert result.writes == {} and not result.push_back


def test_odoo_is_asked_about_its_own_field_when_the_app_changed_it() -> None:
    assert planned(Owner.ODOO, APP, False, Base("033 3", "033 3")).ask == {CLIENT}
    assert planned(Owner.ODOO, APP, False, Base(APP, ODOO)).ask == frozenset()
    assert planned(Owner.ODOO, APP, True).ask == frozenset()


def test_odoo_is_asked_about_what_the_app_emptied_although_it_is_preferred() -> None:
    assert planned(Owner.PREFER_APP, None, False, Base(APP, APP)).ask == {CLIENT}
    assert planned(Owner.PREFER_APP, "033 3", False, Base(APP, APP)).ask == frozenset()
    assert planned(Owner.PREFER_APP, None, False, Base("", "")).ask == frozenset()


@pytest.mark.parametrize("owner", [Owner.ODOO, Owner.PREFER_ODOO, Owner.PREFER_APP])
def test_odoo_is_asked_once_under_a_rule_that_is_new(owner: Owner) -> None:
    assert planned(owner, APP, False).ask == {CLIENT}


@pytest.mark.parametrize("owner", [Owner.APP, Owner.TWO_WAY, Owner.CREATE_ONLY, Owner.OFF])
def test_nobody_is_asked_where_odoo_owns_nothing(owner: Owner) -> None:
    assert planned(owner, APP, False).ask == frozenset()


def test_a_conflict_about_a_field_that_has_one_owner_now_is_brought_to_its_end() -> None:
    snapshot = Snapshot(
        {CLIENT: owed(CLIENT)},
        {CLIENT: row(Entity.CLIENT, phone=APP)},
        bindings={CLIENT: bound(CLIENT)},
        conflicts={CLIENT: frozenset({"phone"})},
        contracts=phone_of(Owner.APP),
    )
    assert plan(snapshot).ask == {CLIENT}
    assert plan(snapshot).send[0].document.fields["phone"] == APP


def settle(owner: Owner, result: dict[str, dict[str, Scalar]]) -> tuple[Document, Applied]:
    [item] = planned(owner, APP, False).send
    answer = Result(CLIENT, Version(1, 7), Status.UPDATED, "res.partner", 41, **result)  # type: ignore[arg-type]
    [settled] = settle_answers({CLIENT: owed(CLIENT)}, [item], [answer], 0.5)
    assert isinstance(settled, Applied)
    return item.document, settled


def test_an_offer_that_odoo_did_not_take_agrees_on_nothing_and_odoo_is_to_tell_its_value() -> None:
    _, settled = settle(Owner.PREFER_ODOO, {"diverged": {"phone": ODOO}})
    assert settled.digest == "", "the same edit once more is to be answered once more"
    assert settled.diverged == {"phone": ODOO} and "phone" not in settled.bases


def test_an_offer_of_which_nothing_comes_back_leaves_the_record_whole_and_is_not_asked_about() -> None:
    rules = in_force('[tenants.TENANT.registration.fields.email]\nowner = "prefer_odoo_unless_blank"')
    rows = {REGISTRATION: row(Entity.REGISTRATION, form_data={"email": "a@b.example"})}
    there = {REGISTRATION: bound(REGISTRATION)}
    snapshot = Snapshot({REGISTRATION: owed(REGISTRATION)}, rows, bindings=there, contracts=rules)
    [item] = plan(snapshot).send
    assert item.document.offers == {"email": "a@b.example"}
    answer = Result(REGISTRATION, Version(1, 7), Status.UPDATED, "crm.lead", 41, diverged={"email": "c@d.example"})
    [settled] = settle_answers({REGISTRATION: owed(REGISTRATION)}, [item], [answer], 0.5)
    assert isinstance(settled, Applied) and settled.diverged == {} and settled.digest == item.document.digest


def test_what_odoo_stores_in_its_own_form_is_remembered_of_every_field_it_tells_of() -> None:
    _, settled = settle(Owner.PREFER_APP, {"normalised": {"phone": "+27 11 1"}})
    assert settled.bases["phone"] == Base(APP, "+27 11 1")


@pytest.mark.parametrize("owner", [Owner.TWO_WAY, Owner.PREFER_APP, Owner.PREFER_ODOO])
def test_a_value_that_the_app_had_before_odoo_changed_it_is_sent_once_more(owner: Owner) -> None:
    [item] = planned(owner, APP, False, Base(APP, APP)).send
    snapshot = Snapshot(
        {CLIENT: owed(CLIENT)},
        {CLIENT: row(Entity.CLIENT, phone=APP)},
        bindings={CLIENT: bound(CLIENT, item.document.digest)},
        customers=frozenset({CLIENT}),
        bases={CLIENT: {name: Base(value, value) for name, value in item.reported.items()}},
        contracts=phone_of(owner),
    )
    assert plan(snapshot).send == ()
    taken_since = {CLIENT: {**snapshot.bases[CLIENT], "phone": Base(ODOO, ODOO)}}
    [again] = plan(dataclasses.replace(snapshot, bases=taken_since)).send
    assert again.document.values["phone"] == APP


def test_what_did_not_change_goes_in_odoos_form_and_is_remembered_in_the_apps() -> None:
    [item] = planned(Owner.TWO_WAY, APP, False, Base(APP, ODOO)).send
    assert item.document.two_way["phone"] == TwoWay(ODOO, ODOO)
    answer = Result(CLIENT, Version(1, 7), Status.UNCHANGED, "res.partner", 41)
    [settled] = settle_answers({CLIENT: owed(CLIENT)}, [item], [answer], 0.5)
    assert isinstance(settled, Applied) and settled.bases["phone"] == Base(APP, ODOO)


def test_only_fields_that_are_to_be_equal_are_compared() -> None:
    client = phone_of(Owner.PREFER_ODOO).of(CLIENT.tenant)[Entity.CLIENT]
    assert "phone" not in client.compared and "city" in client.compared
    document = Document(CLIENT, Version(1, 1), {"city": "Harare"}, offers={"phone": APP})
    assert document.digest_over(client.compared) == Document(CLIENT, Version(1, 1), {"city": "Harare"}).digest
    assert document.digest != document.digest_over(client.compared), "a change of the app's is sent all the same"


def test_the_filter_of_one_tenant_lets_its_drafts_through_and_nobody_elses() -> None:
    rules = in_force("[tenants.TENANT.registration]\nfiltered.status = []")
    foreign = key_of(Entity.REGISTRATION, tenant=OTHER_TENANT)
    keys = {REGISTRATION: owed(REGISTRATION), foreign: owed(foreign)}
    rows = {key: row(Entity.REGISTRATION, status="draft") for key in keys}
    found = plan(Snapshot(keys, rows, contracts=rules))
    assert [item.document.key for item in found.send] == [REGISTRATION]
    assert [item.owed.key for item in found.nothing] == [foreign]


def test_an_extra_field_takes_what_form_data_holds_and_parks_alone_what_it_cannot_be() -> None:
    rules = in_force(
        "[tenants.TENANT.registration.extra]\n"
        'x_seats = { from = "form_data.board.seats", type = "integer" }\n'
        'x_note = { from = "form_data.note" }\n'
        'x_listed = { from = "form_data.listed", type = "boolean" }\n'
    )
    form = {"board": {"seats": 7}, "note": ["a"], "listed": True}
    snapshot = Snapshot(
        {REGISTRATION: owed(REGISTRATION)}, {REGISTRATION: row(Entity.REGISTRATION, form_data=form)}, contracts=rules
    )
    [item] = plan(snapshot).send
    extra = {name: value for name, value in item.document.fields.items() if name.startswith("x_")}
    assert extra == {"x_seats": "7", "x_listed": True}
    assert [(problem.field, problem.code) for problem in item.parked] == [("x_note", "no_text")]


def test_a_value_that_only_the_contract_does_not_know_parks_the_field_of_a_record_that_is_in_odoo() -> None:
    rows = {REGISTRATION: row(Entity.REGISTRATION, status="on_hold", company_name="Renamed")}
    there = Snapshot({REGISTRATION: owed(REGISTRATION)}, rows, bindings={REGISTRATION: bound(REGISTRATION)})
    [item] = plan(there).send
    assert [(problem.field, problem.value) for problem in item.parked] == [("status", "on_hold")]
    assert item.document.fields["company_name"] == "Renamed" and "status" not in item.document.fields
    [refused] = plan(Snapshot({REGISTRATION: owed(REGISTRATION)}, rows)).refused
    assert (refused.problem.field, refused.problem.value) == ("status", "on_hold"), "a new lead needs one"
