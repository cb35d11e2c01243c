"""Who approved in Odoo is named in the app beside the approval, if an admin linked the two."""

from __future__ import annotations

from collections.abc import Mapping

from sync_daemon.domain.approval import Linked, with_approver
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Scalar
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import RecordMerge, Won, merge_record
from sync_daemon.domain.snapshot import Base
from tests.unit.records import commission_change, key_of, row

THANDI = key_of(Entity.USER, "Thandi").record_id
RUDO = str(key_of(Entity.USER, "Rudo").record_id)
PEOPLE = {"7": Linked(THANDI, "thandi")}
AT = "2026-01-31 10:00:00"
APPROVED = {"status": "approved", "approved_at": AT, "approved_by": "7"}
PENDING = {"status": Base("pending", "pending"), "approved_at": Base("", "")}
SINCE_THEN = {"status": Base("approved", "approved"), "approved_at": Base(AT, AT)}


def take(
    fields: Mapping[str, Scalar], agreed: Mapping[str, Base], people: Mapping[str, Linked] = PEOPLE, **columns: object
) -> RecordMerge:
    own = row(Entity.COMMISSION, **columns)
    pulled = decode_change(CONTRACTS[Entity.COMMISSION], commission_change(fields))
    return with_approver(merge_record(pulled, own, agreed), pulled, own, people)


def test_the_approver_is_written_with_the_approval_and_shown_in_odoo() -> None:
    result = take(APPROVED, PENDING)
    assert result.writes == {"status": "approved", "approved_at": AT, "approved_by": str(THANDI)}
    assert result.won["approved_by"] == Won("7", "", "thandi")
    assert result.push_back, "Odoo is to show whom the app names"


def test_an_approver_who_is_not_linked_is_nobody() -> None:
    assert take(APPROVED, PENDING, people={}).writes == {"status": "approved", "approved_at": AT}


def test_an_approval_by_somebody_unknown_is_not_the_former_persons() -> None:
    result = take(APPROVED, PENDING, people={}, approved_by=RUDO)
    assert result.writes["approved_by"] is None


def test_taking_an_approval_back_takes_its_approver_back() -> None:
    back = {"status": "pending", "approved_at": "", "approved_by": ""}
    result = take(back, SINCE_THEN, status="approved", approved_at=AT, approved_by=str(THANDI))
    assert result.writes == {"status": "pending", "approved_at": None, "approved_by": None}


def test_a_link_made_later_names_the_approver_of_an_approval_that_is_there() -> None:
    result = take(APPROVED, SINCE_THEN, status="approved", approved_at=AT)
    assert result.writes == {"approved_by": str(THANDI)}


def test_whom_the_app_names_stays_while_the_approval_does() -> None:
    assert take(APPROVED, SINCE_THEN, status="approved", approved_at=AT, approved_by=RUDO).writes == {}


def test_an_approval_of_the_apps_own_is_not_odoos() -> None:
    own = "2026-01-30 08:00:00"
    assert "approved_by" not in take(APPROVED, {}, status="approved", approved_at=own).writes
    assert (
        "approved_by"
        not in take(APPROVED, {**SINCE_THEN, "approved_at": Base(own, AT)}, status="approved", approved_at=own).writes
    )
    assert "approved_by" not in take(APPROVED, SINCE_THEN, status="approved", approved_at=None).writes


def test_an_app_without_the_column_is_left_alone() -> None:
    own = {name: value for name, value in row(Entity.COMMISSION).items() if name != "approved_by"}
    pulled = decode_change(CONTRACTS[Entity.COMMISSION], commission_change(APPROVED))
    found = merge_record(pulled, own, PENDING)
    assert with_approver(found, pulled, own, PEOPLE) == found
