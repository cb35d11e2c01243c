"""What one record is on both sides, and what mends it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.document import Document, digest_of
from sync_daemon.domain.drift import (
    AppRecord,
    AppView,
    Content,
    Difference,
    Drift,
    Finding,
    OdooRecord,
    Remedy,
    app_contents,
    app_records,
    compare,
    confirmed,
    differences,
    is_disaster,
)
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.snapshot import Base, BindingState, Snapshot
from sync_daemon.domain.tenant import SUSPENDED
from tests.unit.records import bound, key_of, owed, row

KEY = key_of(Entity.REGISTRATION)
CLIENT = key_of(Entity.CLIENT)
APP = AppRecord(KEY, True, "same", bound(KEY, "same"))
ODOO = OdooRecord(KEY.record_id, BindingState.ACTIVE, "same")
ARCHIVED = Document(KEY, Version(1, 3), fields={"active": False}).digest


def finding(app: AppRecord | None, odoo: OdooRecord | None) -> tuple[Finding, Remedy]:
    [drift] = compare({KEY: app} if app else {}, {KEY: odoo} if odoo else {})
    return drift.finding, drift.remedy


CASES = {
    "both agree": (APP, ODOO, Finding.MATCHED, Remedy.NONE),
    "Odoo's content differs": (APP, replace(ODOO, digest="other"), Finding.DIFFERENT, Remedy.SEND),
    "Odoo never got it": (replace(APP, binding=None), None, Finding.MISSING_IN_ODOO, Remedy.SEND),
    "Odoo lost its binding": (APP, None, Finding.MISSING_IN_ODOO, Remedy.SEND),
    "the row is gone": (replace(APP, has_row=False, digest=""), ODOO, Finding.MISSING_IN_APP, Remedy.SEND),
    "archived for a gone row": (
        replace(APP, has_row=False, digest="", binding=bound(KEY, ARCHIVED)),
        ODOO,
        Finding.SET_ASIDE,
        Remedy.NONE,
    ),
    "gone on both sides": (replace(APP, has_row=False, digest=""), None, Finding.ORPHANED, Remedy.FORGET),
    "Odoo's record is gone without a trace": (APP, replace(ODOO, digest=""), Finding.ORPHANED, Remedy.SEND),
    "deleted in Odoo, the app was not told": (
        APP,
        replace(ODOO, state=BindingState.UNLINKED, digest=""),
        Finding.ORPHANED,
        Remedy.ASK_ODOO,
    ),
    "deleted in Odoo, and known": (
        replace(APP, binding=bound(KEY, state=BindingState.UNLINKED)),
        replace(ODOO, state=BindingState.UNLINKED, digest=""),
        Finding.SET_ASIDE,
        Remedy.NONE,
    ),
    "bound in Odoo alone": (replace(APP, binding=None), ODOO, Finding.ORPHANED, Remedy.SEND),
    "bound in Odoo alone, and filtered here": (
        replace(APP, binding=None, digest=""),
        ODOO,
        Finding.ORPHANED,
        Remedy.REBIND,
    ),
    "bound in Odoo alone, and changed there": (
        replace(APP, binding=None),
        replace(ODOO, is_waiting=True),
        Finding.ORPHANED,
        Remedy.SEND,
    ),
    "in Odoo alone": (None, ODOO, Finding.ORPHANED, Remedy.TELL),
    "in Odoo alone, and changed there": (None, replace(ODOO, is_waiting=True), Finding.ORPHANED, Remedy.TELL),
    "taken away here, there again in Odoo": (
        replace(APP, has_row=False, binding=bound(KEY, state=BindingState.TOMBSTONE)),
        ODOO,
        Finding.ORPHANED,
        Remedy.REBIND,
    ),
    "doubled in Odoo": (APP, replace(ODOO, twins=(8,)), Finding.DUPLICATE, Remedy.PERSON),
    "a draft": (AppRecord(KEY, True, "", None), None, Finding.FILTERED, Remedy.NONE),
    "on its way": (replace(APP, waits_for="Odoo"), None, Finding.WAITING, Remedy.NONE),
    "not as the bridge keeps it": (
        APP,
        replace(ODOO, deviations=(Difference("x_comply360_external_id", "one", ""),)),
        Finding.DIFFERENT,
        Remedy.SEND,
    ),
    "not as the bridge keeps it, beside a dead letter of something else": (
        replace(APP, is_parked=True),
        replace(ODOO, deviations=(Difference("x_comply360_external_id", "one", ""),)),
        Finding.DIFFERENT,
        Remedy.SEND,
    ),
    "cannot go whole, and nothing says so": (
        replace(APP, is_incomplete=True),
        ODOO,
        Finding.DIFFERENT,
        Remedy.SEND,
    ),
    "cannot go at all, and nothing says so": (
        AppRecord(KEY, True, "", None, is_incomplete=True),
        None,
        Finding.MISSING_IN_ODOO,
        Remedy.SEND,
    ),
    "cannot go whole, and a person let it be": (
        replace(APP, is_incomplete=True, is_discarded=True),
        replace(ODOO, digest="other"),
        Finding.SET_ASIDE,
        Remedy.NONE,
    ),
    "sent after a person let it be": (
        replace(APP, is_discarded=True),
        replace(ODOO, digest="other"),
        Finding.DIFFERENT,
        Remedy.SEND,
    ),
    "merged into another one than the app knows": (
        replace(APP, binding=bound(KEY, state=BindingState.ALIAS), digest="into 1"),
        replace(ODOO, state=BindingState.ALIAS, digest="into 2"),
        Finding.ORPHANED,
        Remedy.ASK_ODOO,
    ),
    "merged, and known": (
        replace(APP, binding=bound(KEY, state=BindingState.ALIAS), digest="into 1"),
        replace(ODOO, state=BindingState.ALIAS, digest="into 1"),
        Finding.SET_ASIDE,
        Remedy.NONE,
    ),
    "merged, and its survivor deleted, which the app was not told": (
        replace(APP, binding=bound(KEY, state=BindingState.ALIAS), digest="into 1"),
        replace(ODOO, state=BindingState.UNLINKED, digest=""),
        Finding.ORPHANED,
        Remedy.ASK_ODOO,
    ),
    "won in Odoo just now, and different for another reason": (
        APP,
        replace(ODOO, digest="other", is_waiting=True),
        Finding.DIFFERENT,
        Remedy.SEND,
    ),
    "deleted in Odoo just now": (
        APP,
        replace(ODOO, state=BindingState.UNLINKED, digest="", is_waiting=True),
        Finding.WAITING,
        Remedy.NONE,
    ),
    "a person knows": (replace(APP, is_parked=True), replace(ODOO, digest="other"), Finding.PARKED, Remedy.NONE),
    "taken out by a salesperson": (
        APP,
        replace(ODOO, digest="other", is_opted_out=True),
        Finding.SET_ASIDE,
        Remedy.NONE,
    ),
}


@pytest.mark.parametrize(("app", "odoo", "found", "remedy"), CASES.values(), ids=list(CASES))
def test_each_case_has_its_finding_and_its_remedy(
    app: AppRecord | None, odoo: OdooRecord | None, found: Finding, remedy: Remedy
) -> None:
    assert finding(app, odoo) == (found, remedy)


APP_RECORDS = st.builds(
    AppRecord,
    st.just(KEY),
    has_row=st.booleans(),
    digest=st.sampled_from(["", "a", "b"]),
    binding=st.none()
    | st.builds(bound, st.just(KEY), st.sampled_from(["", "a", ARCHIVED]), st.sampled_from(BindingState)),
    waits_for=st.sampled_from(["", "Odoo"]),
    is_parked=st.booleans(),
    is_incomplete=st.booleans(),
    is_discarded=st.booleans(),
)
ODOO_RECORDS = st.builds(
    OdooRecord,
    st.just(KEY.record_id),
    state=st.sampled_from(BindingState),
    digest=st.sampled_from(["", "a", "b"]),
    is_opted_out=st.booleans(),
    is_waiting=st.booleans(),
    twins=st.lists(st.integers(1, 9), max_size=2).map(tuple),
    deviations=st.sampled_from([(), (Difference("res_id", "1", "2"),)]),
)


def test_what_the_app_has_not_taken_yet_of_a_two_way_record_is_no_drift() -> None:
    app = {CLIENT: AppRecord(CLIENT, True, "same", bound(CLIENT, "same"))}
    for is_waiting, found in ((True, Finding.WAITING), (False, Finding.DIFFERENT)):
        odoo = {CLIENT: OdooRecord(CLIENT.record_id, BindingState.ACTIVE, "other", is_waiting=is_waiting)}
        [drift] = compare(app, odoo)
        assert drift.finding is found


@given(st.none() | APP_RECORDS, st.none() | ODOO_RECORDS)
def test_every_pair_has_one_finding_and_only_drift_has_a_remedy(app: AppRecord | None, odoo: OdooRecord | None) -> None:
    found = compare({KEY: app} if app else {}, {KEY: odoo} if odoo else {})
    assert len(found) == (app is not None or odoo is not None)
    for drift in found:
        assert drift.is_drift == (drift.remedy is not Remedy.NONE)


@given(APP_RECORDS, ODOO_RECORDS)
def test_what_is_gone_in_odoo_by_a_persons_hand_is_never_sent_again(app: AppRecord, odoo: OdooRecord) -> None:
    [drift] = compare({KEY: app}, {KEY: odoo})
    if odoo.state is not BindingState.ACTIVE:
        assert drift.remedy is not Remedy.SEND


def drift_of(name: str, found: Finding) -> Drift:
    return Drift(key_of(Entity.REGISTRATION, name), found, Remedy.SEND if found is Finding.DIFFERENT else Remedy.NONE)


def test_a_difference_that_the_second_look_does_not_see_is_none() -> None:
    looks = (
        (Finding.DIFFERENT, Finding.WAITING, Finding.WAITING),
        (Finding.DIFFERENT, Finding.DIFFERENT, Finding.DIFFERENT),
        (Finding.MATCHED, Finding.DIFFERENT, Finding.MATCHED),
    )
    for first, second, agreed in looks:
        [found] = confirmed([drift_of("one", first)], [drift_of("one", second)])
        assert found.finding is agreed


def test_most_of_a_table_gone_is_a_disaster_and_a_few_records_are_not() -> None:
    assert is_disaster(Counter({Finding.MISSING_IN_APP: 11, Finding.MATCHED: 10}))
    assert not is_disaster(Counter({Finding.MISSING_IN_APP: 11, Finding.MATCHED: 11}))
    assert not is_disaster(Counter({Finding.MISSING_IN_APP: 10}))


def view(**values: object) -> AppView:
    snapshot = Snapshot(
        {KEY: owed(KEY)},
        {KEY: row(Entity.REGISTRATION, **values), CLIENT: row(Entity.CLIENT)},
        bindings={KEY: bound(KEY, "whatever was sent")},
    )
    return AppView(snapshot)


def test_the_apps_digest_is_of_the_row_and_not_of_what_was_sent() -> None:
    before, after = view(), view(company_name="Moyo Mining")
    assert app_records(before)[KEY].digest != app_records(after)[KEY].digest
    assert app_records(before)[KEY].has_row


def test_a_value_that_odoo_has_in_its_own_form_counts_in_that_form() -> None:
    key = key_of(Entity.CLIENT)
    snapshot = Snapshot({key: owed(key)}, {key: row(Entity.CLIENT, phone="082 555")}, bindings={key: bound(key)})
    agreed = replace(snapshot, bases={key: {"phone": Base("082 555", "+27 82 555")}})
    stored = replace(snapshot, rows={key: row(Entity.CLIENT, phone="+27 82 555")})
    assert app_records(AppView(agreed))[key].digest == app_records(AppView(stored))[key].digest


@pytest.mark.parametrize("bad", [{"status": "on_hold"}, {"submitted_at": "never"}], ids=["at all", "whole"])
def test_a_row_that_cannot_go_is_parked_only_where_a_letter_says_so(bad: dict[str, str]) -> None:
    unseen, seen = view(**bad), replace(view(**bad), parked=frozenset({KEY}))
    assert (app_records(unseen)[KEY].is_parked, app_records(unseen)[KEY].is_incomplete) == (False, True)
    assert app_records(seen)[KEY].is_parked


SURVIVOR = key_of(Entity.CLIENT, "survivor")


def merged_view(stands: RecordKey = SURVIVOR, **values: object) -> AppView:
    """The registration of a client that was merged in Odoo."""
    before = view(client_id=str(CLIENT.record_id), **values)
    bindings = {**before.snapshot.bindings, CLIENT: bound(CLIENT, state=BindingState.ALIAS)}
    return AppView(replace(before.snapshot, bindings=bindings), merged={CLIENT: stands.record_id})


def test_what_belongs_to_a_merged_record_is_compared_with_the_survivor() -> None:
    content = app_contents(merged_view())[KEY]
    assert content.refs == {"client": (Entity.CLIENT, SURVIVOR.record_id)}
    assert not {"email", "phone"} & content.fields.keys(), "the survivor's, which the app does not know as theirs"
    digests = {app_records(merged_view(company_name=name))[KEY].digest for name in ("Moyo Mining", "Zuma Zinc")}
    assert len(digests) == 2
    assert not app_records(merged_view())[KEY].is_parked


def test_a_merged_record_says_into_which_one() -> None:
    found = app_records(AppView(replace(merged_view().snapshot, owed={CLIENT: owed(CLIENT)})))[CLIENT]
    assert found.digest == digest_of({"survivor": "res.partner 41"}, {})


def test_a_difference_is_named_with_its_field_and_both_values() -> None:
    here = Content({"name": "Moyo", "city": ""}, {"client": (Entity.CLIENT, CLIENT.record_id)})
    there = Content({"name": "Zuma"}, {})
    assert differences(here, there) == (
        Difference("client", f"client {CLIENT.record_id}", ""),
        Difference("name", "Moyo", "Zuma"),
    )


def test_owed_records_wait() -> None:
    found = app_records(replace(view(), waiting=frozenset({KEY})))
    assert found[KEY].waits_for == "it is about to be sent"


def test_whatever_waits_says_why() -> None:
    suspended = AppView(replace(view().snapshot, stopped={KEY.tenant: SUSPENDED}))
    [drift] = compare(app_records(suspended), {})
    assert (drift.finding, drift.cause) == (Finding.WAITING, SUSPENDED)


def test_keys_of_both_sides_come_in_order() -> None:
    keys = sorted(
        RecordKey(KEY.tenant, Entity.REGISTRATION, key_of(Entity.REGISTRATION, str(n)).record_id) for n in range(6)
    )
    app = {key: AppRecord(key, True, "d", bound(key)) for key in keys[::2]}
    odoo = {key: OdooRecord(key.record_id, BindingState.ACTIVE, "d") for key in keys[1::2]}
    assert [drift.key for drift in compare(app, odoo)] == keys


INVOICE = key_of(Entity.INVOICE)
TOLD = AppRecord(INVOICE, True, "same", bound(INVOICE, "same"))
ENDED = bound(INVOICE, state=BindingState.UNLINKED)
GONE = replace(ODOO, record_id=INVOICE.record_id, state=BindingState.UNLINKED, digest="")
TOLD_CASES = {
    "told as it is": (TOLD, replace(ODOO, record_id=INVOICE.record_id), Finding.MATCHED, Remedy.NONE),
    "changed and never told": (
        TOLD,
        replace(ODOO, record_id=INVOICE.record_id, digest="other"),
        Finding.DIFFERENT,
        Remedy.ASK_ODOO,
    ),
    "never told at all": (None, replace(ODOO, record_id=INVOICE.record_id), Finding.MISSING_IN_APP, Remedy.ASK_ODOO),
    "on its way": (
        TOLD,
        replace(ODOO, record_id=INVOICE.record_id, digest="other", is_waiting=True),
        Finding.WAITING,
        Remedy.NONE,
    ),
    "a person knows": (
        replace(TOLD, is_parked=True),
        replace(ODOO, record_id=INVOICE.record_id, digest="other"),
        Finding.PARKED,
        Remedy.NONE,
    ),
    "deleted, and never told": (TOLD, GONE, Finding.ORPHANED, Remedy.ASK_ODOO),
    "deleted, and known": (replace(TOLD, binding=ENDED), GONE, Finding.SET_ASIDE, Remedy.NONE),
    "gone without a trace": (
        TOLD,
        replace(ODOO, record_id=INVOICE.record_id, digest=""),
        Finding.ORPHANED,
        Remedy.PERSON,
    ),
    "Odoo lost its binding": (TOLD, None, Finding.ORPHANED, Remedy.PERSON),
}


@pytest.mark.parametrize(("app", "odoo", "found", "remedy"), TOLD_CASES.values(), ids=list(TOLD_CASES))
def test_what_odoo_makes_is_asked_for_and_never_sent(
    app: AppRecord | None, odoo: OdooRecord | None, found: Finding, remedy: Remedy
) -> None:
    [drift] = compare({INVOICE: app} if app else {}, {INVOICE: odoo} if odoo else {})
    assert (drift.finding, drift.remedy) == (found, remedy)
