"""From what the app knows to what is sent: who goes, who waits for whom, who needs nothing, who cannot go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest

from sync_daemon.domain.document import NOTHING_SEEN, TwoWay
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.plan import Plan, defer_recent, is_wanted, missing_parents, plan, possibly_sent
from sync_daemon.domain.snapshot import Base, BindingState, Snapshot
from sync_daemon.domain.tenant import PAUSED, SUSPENDED, why_stopped
from tests.unit.records import OTHER_TENANT, TENANT, bound, key_of, owed, row

REGISTRATION = key_of(Entity.REGISTRATION)
CLIENT = key_of(Entity.CLIENT)
AGENT = key_of(Entity.USER)
COMMISSION = key_of(Entity.COMMISSION)
ROWS: Mapping[RecordKey, Row] = {key: row(key.entity) for key in (REGISTRATION, CLIENT, AGENT, COMMISSION)}


def snapshot(*keys: RecordKey, rows: Mapping[RecordKey, Row] = ROWS, **known: object) -> Snapshot:
    """These records are owed; all rows above are there."""
    return Snapshot({key: owed(key) for key in keys}, rows, **known)  # type: ignore[arg-type]


def changed(key: RecordKey, **values: object) -> dict[RecordKey, Row]:
    return {**ROWS, key: row(key.entity, **values)}


def sent(planned: Plan) -> list[RecordKey]:
    return [item.document.key for item in planned.send]


def test_a_submitted_registration_goes_alone_while_its_client_is_no_customer() -> None:
    present = snapshot(REGISTRATION)
    planned = plan(present)
    assert sent(planned) == [REGISTRATION]
    assert missing_parents(present) == frozenset()
    (item,) = planned.send
    assert item.document.refs == {}
    assert item.document.fields["contact_name"] == "Tendai Moyo"
    assert item.document.version == owed(REGISTRATION).version


@pytest.mark.parametrize("rows", [{}, changed(REGISTRATION, status="draft")], ids=["gone", "a draft again"])
def test_what_was_sent_before_is_not_given_up_while_odoo_may_have_it(rows: Mapping[RecordKey, Row]) -> None:
    seconds = timedelta(seconds=1)
    sent_before = dataclasses.replace(owed(REGISTRATION), sent_ago=10 * seconds)
    present = Snapshot({REGISTRATION: sent_before}, rows)
    planned = plan(present)
    assert possibly_sent(present) == [sent_before]
    waiting = defer_recent(planned, 30 * seconds)
    assert (waiting.nothing, [item.owed for item in waiting.waiting]) == ((), [sent_before])
    assert defer_recent(planned, 5 * seconds) == planned, "by now it would be there"
    assert possibly_sent(Snapshot({REGISTRATION: owed(REGISTRATION)}, rows)) == [], "it was never sent"
    known = Snapshot({REGISTRATION: sent_before}, rows, bindings={REGISTRATION: bound(REGISTRATION)})
    assert (possibly_sent(known), sent(plan(known))) == ([], [REGISTRATION])


def test_what_is_back_as_odoo_had_it_goes_again_after_a_call_without_an_answer() -> None:
    asked = snapshot(REGISTRATION, bindings={REGISTRATION: bound(REGISTRATION)})
    (item,) = plan(asked).send
    known = dataclasses.replace(bound(REGISTRATION), digest=item.document.digest)
    bases = {REGISTRATION: {name: Base(value, value) for name, value in item.reported.items()}}
    same = dataclasses.replace(asked, bindings={REGISTRATION: known}, bases=bases)
    assert sent(plan(same)) == []
    unanswered = dataclasses.replace(owed(REGISTRATION), sent_ago=timedelta(minutes=5))
    assert sent(plan(dataclasses.replace(same, owed={REGISTRATION: unanswered}))) == [REGISTRATION]
    gone = dataclasses.replace(same, rows={}, owed={REGISTRATION: owed(REGISTRATION)})
    (end,) = plan(gone).send
    ended = dataclasses.replace(gone, bindings={REGISTRATION: dataclasses.replace(known, digest=end.document.digest)})
    assert sent(plan(ended)) == []
    assert sent(plan(dataclasses.replace(ended, owed={REGISTRATION: unanswered}))) == [REGISTRATION]


def test_a_draft_is_filtered() -> None:
    planned = plan(snapshot(REGISTRATION, rows=changed(REGISTRATION, status="draft")))
    assert planned.send == ()
    assert [item.reason for item in planned.nothing] == ["filtered"]


def test_a_draft_that_is_in_odoo_already_flows() -> None:
    rows = changed(REGISTRATION, status="draft")
    assert sent(plan(snapshot(REGISTRATION, rows=rows, bindings={REGISTRATION: bound(REGISTRATION)}))) == [REGISTRATION]


def test_a_customer_that_is_not_owed_is_asked_for_first() -> None:
    assert missing_parents(snapshot(REGISTRATION, customers=frozenset({CLIENT}))) == {CLIENT}


def test_a_customer_goes_before_its_registration_and_is_named_by_it() -> None:
    present = snapshot(REGISTRATION, CLIENT, customers=frozenset({CLIENT}))
    planned = plan(present)
    assert sent(planned) == [CLIENT, REGISTRATION]
    assert planned.send[1].document.refs == {"client": (Entity.CLIENT, CLIENT.record_id)}
    assert missing_parents(present) == frozenset()


def test_everything_goes_parents_first() -> None:
    planned = plan(
        snapshot(COMMISSION, REGISTRATION, CLIENT, AGENT, customers=frozenset({CLIENT}), agents=frozenset({AGENT}))
    )
    assert sent(planned) == [AGENT, CLIENT, REGISTRATION, COMMISSION]


def test_a_commission_asks_for_its_registration_and_its_agent() -> None:
    present = snapshot(COMMISSION, agents=frozenset({AGENT}))
    planned = plan(present)
    assert missing_parents(present) == {REGISTRATION, AGENT}
    assert planned.send[0].document.refs == {
        "registration": (Entity.REGISTRATION, REGISTRATION.record_id),
        "agent": (Entity.USER, AGENT.record_id),
    }


def test_parents_that_are_bound_are_not_asked_for() -> None:
    bindings = {key: bound(key) for key in (REGISTRATION, AGENT)}
    present = snapshot(COMMISSION, bindings=bindings)
    planned = plan(present)
    assert missing_parents(present) == frozenset() and sent(planned) == [COMMISSION]


def test_a_commission_of_a_draft_is_filtered_with_it() -> None:
    present = snapshot(COMMISSION, rows=changed(REGISTRATION, status="draft"), agents=frozenset({AGENT}))
    planned = plan(present)
    assert planned.send == () and missing_parents(present) == frozenset()
    assert [item.reason for item in planned.nothing] == ["filtered"]


def test_a_commission_whose_registration_is_gone_is_refused_by_name() -> None:
    rows = {key: value for key, value in ROWS.items() if key != REGISTRATION}
    (refused,) = plan(snapshot(COMMISSION, rows=rows, agents=frozenset({AGENT}))).refused
    assert (refused.problem.code, refused.problem.field) == ("parent_missing", "registration_id")
    assert refused.problem.value == str(REGISTRATION.record_id)


def test_a_commission_without_an_agent_is_refused_by_name() -> None:
    (refused,) = plan(snapshot(COMMISSION, rows=changed(COMMISSION, agent_id=None))).refused
    assert (refused.problem.code, refused.problem.field, refused.problem.value) == ("parent_missing", "agent_id", "")


def test_only_children_wait_for_a_dead_record() -> None:
    other = key_of(Entity.REGISTRATION, "two")
    present = snapshot(
        COMMISSION,
        other,
        rows={**ROWS, other: row(Entity.REGISTRATION)},
        agents=frozenset({AGENT}),
        bindings={AGENT: bound(AGENT)},
        dead={REGISTRATION: "status has the unknown value on_hold"},
    )
    planned = plan(present)
    assert sent(planned) == [other]
    (blocked,) = planned.refused
    assert blocked.owed.key == COMMISSION and blocked.problem.code == "blocked"
    assert str(REGISTRATION.record_id) in blocked.problem.message and "on_hold" in blocked.problem.message
    assert missing_parents(present) == frozenset()


def test_a_document_of_a_dead_client_names_the_clients_cause() -> None:
    document = key_of(Entity.DOCUMENT)
    rows = {**ROWS, document: row(Entity.DOCUMENT, registration_id=None, client_id=str(CLIENT.record_id))}
    present = snapshot(document, rows=rows, customers=frozenset({CLIENT}), dead={CLIENT: "Odoo already has Café Zoë"})
    (blocked,) = plan(present).refused
    assert (blocked.problem.code, blocked.problem.field) == ("blocked", "client_id")
    assert blocked.problem.message == f"waits for client {CLIENT.record_id}, which is dead: Odoo already has Café Zoë"


def test_a_dead_edit_of_a_parent_that_is_in_odoo_blocks_nobody() -> None:
    bindings = {key: bound(key) for key in (REGISTRATION, AGENT)}
    planned = plan(snapshot(COMMISSION, bindings=bindings, dead={REGISTRATION: "too long"}))
    assert sent(planned) == [COMMISSION]


def test_a_record_that_odoo_has_already_needs_no_call() -> None:
    digest = plan(snapshot(REGISTRATION)).send[0].document.digest
    planned = plan(snapshot(REGISTRATION, bindings={REGISTRATION: bound(REGISTRATION, digest)}))
    assert planned.send == ()
    (nothing,) = planned.nothing
    assert nothing.reason == "nothing differs" and nothing.binding == bound(REGISTRATION, digest)


def test_a_record_deleted_in_odoo_is_sent_all_the_same_so_that_odoo_can_refuse_it() -> None:
    digest = plan(snapshot(REGISTRATION)).send[0].document.digest
    gone = bound(REGISTRATION, digest, BindingState.UNLINKED)
    assert sent(plan(snapshot(REGISTRATION, bindings={REGISTRATION: gone}))) == [REGISTRATION]


def test_an_unknown_status_refuses_the_record_and_nothing_else() -> None:
    other = key_of(Entity.REGISTRATION, "two")
    rows = {**changed(REGISTRATION, status="under_review"), other: row(Entity.REGISTRATION)}
    planned = plan(snapshot(REGISTRATION, other, rows=rows))
    assert sent(planned) == [other]
    (refused,) = planned.refused
    assert (refused.problem.field, refused.problem.value) == ("status", "under_review")


def test_a_field_that_cannot_go_stays_behind_with_its_reason() -> None:
    (item,) = plan(snapshot(REGISTRATION, rows=changed(REGISTRATION, rejection_reason="\x0b"))).send
    assert "rejection_reason" not in item.document.fields
    assert [problem.field for problem in item.parked] == ["rejection_reason"]


def test_two_way_fields_travel_with_the_base_and_are_no_plain_fields() -> None:
    bindings = {key: bound(key) for key in (REGISTRATION, AGENT)}
    bases = {COMMISSION: {"payment_reference": Base("EFT-1", "EFT 1")}}
    (item,) = plan(snapshot(COMMISSION, bindings=bindings, bases=bases)).send
    assert item.document.two_way["payment_reference"] == TwoWay("", "EFT 1")
    assert item.document.two_way["status"] == TwoWay("pending", None)
    assert not item.document.fields.keys() & item.document.two_way.keys()


@pytest.mark.parametrize(
    ("taken", "heard"), [(Version(2, 9), Version(2, 9)), (Version(2, 0), NOTHING_SEEN), (None, NOTHING_SEEN)]
)
def test_a_document_says_which_change_in_odoo_the_app_has_heard_of(taken: Version | None, heard: Version) -> None:
    bindings = {key: bound(key) for key in (REGISTRATION, AGENT)}
    if taken is not None:
        bindings[COMMISSION] = dataclasses.replace(bound(COMMISSION), odoo_version=taken)
    (item,) = plan(snapshot(COMMISSION, bindings=bindings)).send
    assert item.document.last_seen_version == heard


@pytest.mark.parametrize("lane", list(Lane))
def test_a_document_says_whether_people_changed_the_record_just_now(lane: Lane) -> None:
    owing = dataclasses.replace(owed(REGISTRATION), lane=lane)
    (item,) = plan(Snapshot({REGISTRATION: owing}, ROWS)).send
    assert item.document.is_live is (lane is Lane.LIVE)


def test_a_field_in_conflict_stays_out_of_it_until_a_person_decides() -> None:
    bindings = {key: bound(key) for key in (REGISTRATION, AGENT)}
    conflicts = {COMMISSION: frozenset({"status"})}
    (item,) = plan(snapshot(COMMISSION, bindings=bindings, conflicts=conflicts)).send
    assert "status" not in item.document.two_way and "paid_at" in item.document.two_way


def test_nothing_of_a_suspended_tenant_goes_but_the_tenant_itself() -> None:
    tenant = key_of(Entity.TENANT)
    rows = {**ROWS, tenant: row(Entity.TENANT, status="suspended")}
    present = snapshot(tenant, REGISTRATION, COMMISSION, rows=rows, stopped={TENANT: SUSPENDED})
    planned = plan(present)
    assert sent(planned) == [tenant]
    assert {item.owed.key for item in planned.waiting} == {REGISTRATION, COMMISSION}
    assert missing_parents(present) == frozenset()


def test_nothing_of_a_paused_flow_goes_not_even_the_tenant_and_other_tenants_go_on() -> None:
    tenant, other = key_of(Entity.TENANT), key_of(Entity.REGISTRATION, tenant=OTHER_TENANT)
    rows = {**ROWS, tenant: row(Entity.TENANT), other: row(Entity.REGISTRATION)}
    present = snapshot(tenant, REGISTRATION, COMMISSION, other, rows=rows, stopped={TENANT: PAUSED})
    planned = plan(present)
    assert sent(planned) == [other]
    assert {(item.owed.key, item.message) for item in planned.waiting} == {
        (key, PAUSED) for key in (tenant, REGISTRATION, COMMISSION)
    }
    assert missing_parents(present) == frozenset()


@pytest.mark.parametrize(
    ("state", "is_paused", "why"),
    [("active", False, ""), ("suspended", False, SUSPENDED), ("active", True, PAUSED), ("suspended", True, PAUSED)],
)
def test_a_tenant_is_stopped_by_its_suspension_or_wholly_by_a_pause(state: str, is_paused: bool, why: str) -> None:
    assert why_stopped(state, is_paused) == why


def test_a_record_of_another_tenant_is_no_parent() -> None:
    foreign = key_of(Entity.REGISTRATION, tenant=OTHER_TENANT)
    rows = {
        **{key: value for key, value in ROWS.items() if key != REGISTRATION},
        foreign: row(Entity.REGISTRATION),
        COMMISSION: row(Entity.COMMISSION, registration_id=str(foreign.record_id)),
    }
    (refused,) = plan(snapshot(COMMISSION, rows=rows, agents=frozenset({AGENT}))).refused
    assert refused.problem.code == "parent_missing"


@pytest.mark.reliability("F14")
def test_a_row_that_cannot_be_read_waits_with_the_reason() -> None:
    (waiting,) = plan(snapshot(REGISTRATION, unreadable={REGISTRATION: "the table is not there"})).waiting
    assert waiting.message == "the table is not there"


@pytest.mark.reliability("F19")
def test_a_row_that_is_gone_and_never_went_is_owed_no_longer() -> None:
    assert [item.reason for item in plan(snapshot(REGISTRATION, rows={})).nothing] == ["there is no such row"]


def test_a_row_deleted_in_the_app_goes_to_a_person_while_odoo_has_its_half() -> None:
    (refused,) = plan(snapshot(COMMISSION, rows={}, bindings={COMMISSION: bound(COMMISSION)})).refused
    assert refused.problem.code == "deleted_in_app" and "x_commission 41" in refused.problem.message
    unlinked = bound(COMMISSION, state=BindingState.UNLINKED)
    assert plan(snapshot(COMMISSION, rows={}, bindings={COMMISSION: unlinked})).refused == ()


@pytest.mark.parametrize("key", [REGISTRATION, CLIENT, AGENT])
def test_a_row_deleted_in_the_app_archives_its_half_once(key: RecordKey) -> None:
    (item,) = plan(snapshot(key, rows={}, bindings={key: bound(key)})).send
    assert (item.document.fields, item.document.two_way) == ({"active": False}, {})
    again = plan(snapshot(key, rows={}, bindings={key: bound(key, digest=item.document.digest)}))
    assert (again.send, [nothing.reason for nothing in again.nothing]) == ((), ["nothing differs"])


def test_a_value_that_odoo_has_in_its_own_form_is_not_written_again() -> None:
    bases = {CLIENT: {"phone": Base("082 555 0101", "+27 82 555 0101")}}
    rows = changed(CLIENT, phone="082 555 0101")
    (item,) = plan(snapshot(CLIENT, rows=rows, bases=bases, bindings={CLIENT: bound(CLIENT)})).send
    assert item.document.two_way["phone"] == TwoWay("+27 82 555 0101", "+27 82 555 0101")
    rows = changed(CLIENT, phone="083")
    (item,) = plan(snapshot(CLIENT, rows=rows, bases=bases, bindings={CLIENT: bound(CLIENT)})).send
    assert item.document.two_way["phone"] == TwoWay("083", "+27 82 555 0101")


@pytest.mark.parametrize("key", [CLIENT, AGENT])
def test_people_flow_only_when_something_needs_them(key: RecordKey) -> None:
    assert not is_wanted(snapshot(key), key)
    assert is_wanted(snapshot(key, customers=frozenset({CLIENT}), agents=frozenset({AGENT})), key)
    assert is_wanted(snapshot(key, bindings={key: bound(key)}), key)


def test_an_issue_always_flows() -> None:
    issue = key_of(Entity.ISSUE)
    (item,) = plan(snapshot(issue, rows={issue: row(Entity.ISSUE)})).send
    assert item.document.fields["message"] == "status has the unknown value on_hold"


def test_an_empty_snapshot_is_an_empty_plan() -> None:
    assert plan(Snapshot({}, {})) == Plan()
