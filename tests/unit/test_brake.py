"""What is many at once, and lost, waits for a person; everything else goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from sync_daemon.domain.brake import Braking, Change, Group, Loss, Tally, brake, by_group, losses, without
from sync_daemon.domain.document import Document, Scalar, TwoWay
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.limits import Limits
from sync_daemon.domain.outline import outline_of
from sync_daemon.domain.overrides import Overrides, contracts, limit_changes
from sync_daemon.domain.plan import plan
from sync_daemon.domain.snapshot import Base, Snapshot
from tests.unit.records import OTHER_TENANT, TENANT, bound, key_of, owed, row

LIMITS = Limits(records=100, percent=25, at_least=20)
CLIENTS: Group = (TENANT, Entity.CLIENT)


def lost(count: int, entity: Entity = Entity.CLIENT, number: int = 7, field: str = "email") -> list[Loss]:
    """So many records of one kind that lose a field."""
    return [Loss(owed(key_of(entity, str(one)), number), (Change(field, "", ""),)) for one in range(count)]


def weighed(found: Sequence[Loss], **known: Any) -> Braking:
    """What becomes of them, with this known of their kinds."""
    tally = Tally(**{"bound": 10_000, **known})
    groups = by_group(found)
    return brake(groups, dict.fromkeys(groups, tally), {TENANT: LIMITS, OTHER_TENANT: LIMITS})


def one(entity: Entity, outline: str = "", bases: Mapping[str, Base] | None = None, **columns: object) -> list[Loss]:
    """What one record of both sides loses by a change of its row."""
    keys = {kind: key_of(kind) for kind in (Entity.CLIENT, Entity.USER, Entity.REGISTRATION, Entity.COMMISSION)}
    rows = {key: row(kind) for kind, key in keys.items()}
    key = keys[entity]
    rows[key] = {**rows[key], **columns}
    bindings = {every: bound(every) for every in rows}
    bindings[key] = replace(bindings[key], outline=outline)
    snapshot = Snapshot({key: owed(key)}, rows, bindings=bindings, bases={key: bases or {}})
    return losses(snapshot, plan(snapshot))


def test_few_losses_pass() -> None:
    assert weighed(lost(100)).passed and not weighed(lost(100)).held


def test_one_record_too_many_holds_the_whole_batch_and_stops_the_kind() -> None:
    found = weighed(lost(101))
    assert (len(found.held), found.passed) == (101, ())
    [stop] = found.stops
    assert stop.group == CLIENTS and "101 records" in stop.reason


def test_what_passed_within_the_window_counts_too() -> None:
    assert weighed(lost(1), passed=99).passed
    assert weighed(lost(1), passed=100).stops


def test_a_share_of_a_small_kind_is_too_many_but_not_of_a_handful() -> None:
    assert weighed(lost(19), bound=19).passed
    assert weighed(lost(20), bound=60).stops
    assert weighed(lost(20), bound=100).passed


def test_a_stop_holds_every_later_loss_of_its_kind_and_no_other_kind() -> None:
    groups = by_group([*lost(1), *lost(1, Entity.USER)])
    tallies = {CLIENTS: Tally(bound=9, in_force=uuid4()), (TENANT, Entity.USER): Tally(bound=9)}
    found = brake(groups, tallies, {TENANT: LIMITS})
    assert [loss.group for loss in found.held] == [CLIENTS]
    assert [loss.group for loss in found.passed] == [(TENANT, Entity.USER)]


def test_an_emptied_table_is_stopped_however_small_it_is() -> None:
    ended = lost(3, field="active")
    assert weighed(ended, bound=3).passed
    assert weighed(ended, bound=3, is_truncated=True).stops
    assert weighed(lost(3), bound=3, is_truncated=True).passed, "only what ends came of it"


def test_records_that_a_person_named_go_though_their_kind_is_stopped() -> None:
    found = lost(3)
    named = frozenset(loss.owed.key.record_id for loss in found[:2])
    assert weighed(found, in_force=uuid4(), freed=named).held == (found[2],)


def test_what_was_decided_goes_or_does_not_and_later_changes_count_again() -> None:
    old, new = lost(150, number=7), lost(150, number=9)
    released = weighed(old, released=8)
    assert not released.kept and not released.passed, "it is weighed no more"
    assert weighed(new, released=8).stops
    rejected = weighed(old, rejected=8)
    assert len(rejected.rejected) == 150 and len(rejected.kept) == 150
    assert weighed(lost(1, number=9), rejected=8).passed, "a later edit goes as any other"


def test_emptying_a_value_is_a_loss_and_having_none_is_not() -> None:
    bases = {"email": Base("a@b.example", "a@b.example"), "phone": Base("", "")}
    [loss] = one(Entity.CLIENT, bases=bases, email=None, full_name="Zoë", phone=None)
    assert [change.field for change in loss.changes] == ["email"]
    assert one(Entity.CLIENT, bases=bases, email="new@b.example") == []


def test_of_fields_without_a_base_the_outline_says_what_was_there() -> None:
    [loss] = one(Entity.REGISTRATION, "active registration_number status=submitted", registration_number=None)
    assert [change.words for change in loss.changes] == ["registration_number is emptied"]
    assert one(Entity.REGISTRATION, "active status=submitted", registration_number=None) == []
    assert one(Entity.REGISTRATION, "", registration_number=None) == [], "nothing is known of it"


def test_a_deleted_row_ends_its_record_once() -> None:
    [loss] = one(Entity.REGISTRATION, "active status=submitted", deleted_at="2026-01-01T00:00:00")
    assert loss.is_end
    assert one(Entity.REGISTRATION, "status=submitted", deleted_at="2026-01-01T00:00:00") == []


def test_a_commission_that_is_gone_is_an_end_though_odoo_keeps_it() -> None:
    key = key_of(Entity.COMMISSION)
    snapshot = Snapshot({key: owed(key)}, {}, bindings={key: bound(key)})
    decided = plan(snapshot)
    [loss] = losses(snapshot, decided)
    assert loss.is_end
    assert without(decided, {key}).refused == ()


@pytest.mark.parametrize(
    ("before", "after", "is_lost"),
    [
        ("pending", "approved", False),
        ("approved", "paid", False),
        ("cancelled", "pending", False),
        ("approved", "pending", True),
        ("pending", "paid", True),
        ("pending", "cancelled", True),
    ],
)
def test_a_commission_is_expected_to_take_one_step_ahead(before: str, after: str, is_lost: bool) -> None:
    found = one(Entity.COMMISSION, bases={"status": Base(before, before)}, status=after)
    assert bool(found) == is_lost


@pytest.mark.parametrize(
    ("before", "after", "is_lost"),
    [
        ("submitted", "approved", False),
        ("rejected", "in_review", False),
        ("in_review", "submitted", True),
        ("approved", "cancelled", True),
        ("rejected", "cancelled", False),
    ],
)
def test_a_registration_may_leave_out_a_step_but_not_go_back(before: str, after: str, is_lost: bool) -> None:
    assert bool(one(Entity.REGISTRATION, f"active status={before}", status=after)) == is_lost


def test_an_outline_names_fields_and_no_values() -> None:
    key = key_of(Entity.COMMISSION)
    fields: dict[str, Scalar] = {"status": "approved", "currency": "ZAR", "note": "", "active": True}
    document = Document(key, Version(1, 7), fields, {"payment_reference": TwoWay("EFT 7", None)})
    assert outline_of(document, "") == "active currency payment_reference status=approved"
    left_out = Document(key, Version(1, 8), {"active": False})
    assert outline_of(left_out, "active currency status=approved") == "currency status=approved"


def test_a_record_that_odoo_does_not_have_loses_nothing() -> None:
    key = key_of(Entity.CLIENT)
    snapshot = Snapshot({key: owed(key)}, {key: row(Entity.CLIENT)}, customers=frozenset({key}))
    assert losses(snapshot, plan(snapshot)) == []


def test_a_deployment_sets_its_own_limits_for_all_and_for_one_tenant() -> None:
    rules = Overrides.model_validate({"brake": {"records": 50, "tenants": {str(TENANT): {"percent": 5, "minutes": 3}}}})
    found = contracts(rules)
    assert (found.limits_of(OTHER_TENANT).records, found.limits_of(OTHER_TENANT).percent) == (50, Limits().percent)
    own = found.limits_of(TENANT)
    assert (own.records, own.percent, own.window.total_seconds()) == (50, 5, 180)
    changed = limit_changes(contracts(Overrides()), found, [TENANT])
    assert [(item.limit, item.new) for item in changed] == [("records", 50), ("percent", 5), ("minutes", 3)]


def test_no_record_of_one_tenant_counts_for_another() -> None:
    other = [Loss(owed(RecordKey(OTHER_TENANT, Entity.CLIENT, uuid4())), (Change("email", "", ""),))]
    found = weighed([*lost(101), *other])
    assert found.passed == tuple(other)
