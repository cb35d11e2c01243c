"""Why a field has its value."""

from __future__ import annotations

from datetime import UTC, datetime

from sync_daemon.domain.document import Document, Result, Status, TwoWay
from sync_daemon.domain.keys import Direction, Entity, Version
from sync_daemon.domain.operations.why import Entry, Reason, reasons
from sync_daemon.domain.plan import ToSend
from sync_daemon.domain.settlement import Applied, settle_answers
from tests.unit.records import key_of, owed

DAY = datetime(2026, 1, 31, tzinfo=UTC)
SENT = Entry(DAY, "run 1", Direction.APP_TO_ODOO, "created", "1.1", {"phone": {"value": "082", "lost": ""}})
TAKEN = Entry(
    DAY,
    "run 2",
    Direction.ODOO_TO_APP,
    "written",
    "1.9",
    {"phone": {"value": "+27 82", "lost": "082", "by": "ann", "side": "Odoo"}},
)
KEPT = Entry(
    DAY,
    "run 3",
    Direction.ODOO_TO_APP,
    "kept",
    "1.10",
    {"phone": {"value": "+27 82", "lost": "083", "by": "", "side": "app"}},
)


def only(*entries: Entry, value: str = "+27 82") -> Reason:
    [reason] = reasons({"phone": value}, entries)
    return reason


def test_the_newest_line_of_the_ledger_about_the_field_says_why() -> None:
    found = only(SENT, TAKEN)
    assert (found.value, found.side, found.by, found.at, found.run, found.lost) == (
        "+27 82",
        "Odoo",
        "ann",
        DAY,
        "run 2",
        "082",
    )
    kept = only(SENT, TAKEN, KEPT)
    assert (kept.side, kept.lost, kept.how) == ("app", "083", "kept against Odoo's")


def test_a_decision_that_was_sent_to_odoo_as_well_is_still_the_deciders() -> None:
    echo = {"phone": {"value": "+27 82", "lost": ""}}
    sent = Entry(DAY, "run 4", Direction.APP_TO_ODOO, "updated", "1.11", echo)
    found = only(SENT, TAKEN, sent)
    assert (found.side, found.by, found.run) == ("Odoo", "ann", "run 2")
    assert only(SENT, sent).run == "run 4"


def test_what_was_sent_is_the_apps() -> None:
    found = only(SENT, value="082")
    assert (found.side, found.by, found.version, found.how) == ("app", "", "1.1", "sent when the record was created")


def test_a_change_that_was_not_sent_yet_is_the_apps_and_nobodys_run() -> None:
    found = only(SENT, TAKEN, value="084")
    assert (found.value, found.side, found.run, found.lost) == ("084", "app", "", "+27 82")


def test_a_value_that_odoo_has_in_its_own_form_is_carried() -> None:
    [found] = reasons({"phone": "082"}, [TAKEN], settled={"phone"})
    assert found.run == "run 2"


def test_a_field_the_ledger_never_saw_is_said_to_be_so() -> None:
    assert [reason.how for reason in reasons({"city": "Harare", "street": ""}, [SENT, TAKEN])] == [
        "no sync has carried it",
        "no value was ever sent",
    ]


def settled(status: Status, **replaced: str) -> Applied:
    key = key_of(Entity.CLIENT)
    document = Document(key, Version(1, 7), {"mobile": "083", "active": True}, {"phone": TwoWay("082", "081")})
    result = Result(key, Version(1, 7), status, "res.partner", 41, replaced=replaced)
    [settlement] = settle_answers({key: owed(key)}, [ToSend(document, ())], [result], 0.5)
    assert isinstance(settlement, Applied)
    return settlement


def test_the_ledger_keeps_what_was_written_and_what_it_replaced() -> None:
    assert settled(Status.UPDATED, phone="081").written == {"phone": ("082", "081")}
    assert settled(Status.UNCHANGED).written == {}
    assert settled(Status.CREATED).written == {"mobile": ("083", ""), "active": (True, ""), "phone": ("082", "")}
