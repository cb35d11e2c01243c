"""The wire form of documents and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.document import (
    Change,
    Document,
    FieldProblem,
    Op,
    Result,
    Ruling,
    Sent,
    Status,
    TwoWay,
    Verdict,
)
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.operations.user_links import OdooUser
from sync_daemon.errors import RejectedError
from sync_daemon.odoo import wire
from sync_daemon.ports import OdooBacklog, RecordDigest

TENANT = UUID("3f0c2a52-58b5-4b7e-9a48-0d0b7f6f2d11")
RECORD = UUID("8f8a6c1e-5c43-4d6e-9b53-b1a7e3c1a001")
PARENT = UUID("00000000-0000-4000-8000-000000000001")
KEY = RecordKey(TENANT, Entity.COMMISSION, RECORD)
NAME = {"tenant": str(TENANT), "entity": "commission", "record_id": str(RECORD)}


def document(**fields: Any) -> Document:
    return Document(
        KEY,
        Version(1, 42),
        fields,
        {"status": TwoWay("approved", "pending"), "paid_at": TwoWay("", None)},
        {"registration": (Entity.REGISTRATION, PARENT)},
    )


def plain(value: object) -> bool:
    """Made of texts, booleans, lists and string-keyed dicts alone."""
    if isinstance(value, dict):
        return all(type(name) is str and plain(part) for name, part in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return type(value) in (str, bool)


def test_a_document_in_full() -> None:
    one = replace(document(registration_fee="10.00"), last_seen_version=Version(2, 7))
    assert wire.document(one) == {
        **NAME,
        "version": "1.42",
        "last_seen_version": "2.7",
        "digest": one.digest,
        "fields": {"registration_fee": "10.00"},
        "two_way": {"status": {"value": "approved", "base": "pending"}, "paid_at": {"value": ""}},
        "refs": {"registration": {"entity": "registration", "record_id": str(PARENT)}},
    }
    assert not {"last_seen_version", "live"} & set(wire.document(document()))
    assert wire.document(replace(document(), is_live=True))["live"] is True


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_text_crosses_unchanged_or_is_refused_by_name(text: str) -> None:
    forbidden = [
        character for character in text if (character < " " and character not in "\t\n") or character in "\ufffe\uffff"
    ]
    if not forbidden:
        assert wire.document(document(name=text))["fields"] == {"name": text}
        return
    with pytest.raises(RejectedError) as caught:
        wire.document(document(name=text))
    assert (caught.value.code, caught.value.field) == ("forbidden_character", "name")


def test_a_base_that_cannot_cross_is_refused_too() -> None:
    bad = Document(KEY, Version(1, 1), {}, {"status": TwoWay("paid", "\x00")})
    with pytest.raises(RejectedError, match=r"commission .* of tenant .*: status holds the character U\+0000"):
        wire.document(bad)


def test_everything_sent_is_plain() -> None:
    verdict = wire.verdict(Verdict(KEY, Version(1, 2), Ruling.LATER, "a \x00 b"))
    assert verdict == {**NAME, "version": "1.2", "verdict": "later", "message": "a U+0000 b"}
    assert plain(verdict)
    assert plain(wire.document(document(active=True, name="x")))


def test_a_short_result_and_a_full_one() -> None:
    full = {
        **NAME,
        "version": "1.43",
        "status": "updated",
        "model": "x_commission",
        "res_id": "12345678901",
        "code": "c",
        "message": "m",
        "field": "f",
        "value": "v",
        "skipped": [{"field": "a", "value": "b", "code": "c", "message": "d"}],
        "diverged": {"status": "paid"},
        "normalised": {"active": False},
    }
    expected = Result(
        KEY, Version(1, 43), Status.UPDATED, "x_commission", 12345678901, "c", "m", "f", "v",
        (FieldProblem("a", "b", "c", "d"),), {"status": "paid"}, {"active": False},
    )  # fmt: skip
    assert wire.results({"results": [full]}, [document()]) == [expected]
    short = {**NAME, "version": "1.42", "status": "stale", "unknown": "is ignored"}
    assert wire.results({"results": [short]}, [document()]) == [Result(KEY, Version(1, 42), Status.STALE)]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"results": "x"},
        {"results": []},
        {"results": [None]},
        {"results": [{**NAME, "version": "1.1"}]},
        {"results": [{**NAME, "version": "1.1", "status": "done"}]},
        {"results": [{**NAME, "version": "one", "status": "stale"}]},
        {"results": [{**NAME, "version": 1, "status": "stale"}]},
        {"results": [{**NAME, "record_id": str(PARENT), "version": "1.1", "status": "stale"}]},
        {"results": [{**NAME, "entity": "ghost", "version": "1.1", "status": "stale"}]},
        {"results": [{**NAME, "version": "1.1", "status": "stale", "res_id": "x"}]},
        {"results": [{**NAME, "version": "1.1", "status": "stale", "diverged": {"a": 1}}]},
        {"results": [{**NAME, "version": "1.1", "status": "stale", "skipped": [{}]}]},
    ],
)
def test_a_malformed_result_is_named(answer: object) -> None:
    with pytest.raises(wire.MalformedError, match=r"\w"):
        wire.results(answer, [document()])


def test_changes() -> None:
    change = {
        **NAME,
        "version": "2.7",
        "op": "upsert",
        "model": "x_commission",
        "res_id": "9",
        "at": "2026-11-20 10:00:00",
        "by": "ann",
        "fields": {"status": "paid"},
        "sent": {"status": {"base": "pending", "value": "approved", "version": "2.5"}},
    }
    pulled = wire.pulled({"epoch": "2", "changes": [change], "more": True})
    assert (pulled.epoch, pulled.more) == (2, True)
    assert pulled.changes == (
        Change(
            KEY,
            Version(2, 7),
            Op.UPSERT,
            "x_commission",
            9,
            "2026-11-20 10:00:00",
            "ann",
            {"status": "paid"},
            {"status": Sent("pending", "approved", Version(2, 5))},
        ),
    )


def test_backlog_digests_and_ping() -> None:
    rows = {str(TENANT): {"owed": "3", "parked": "1", "oldest": "2026-11-20 10:00:00"}}
    oldest = datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert wire.backlog({"tenants": rows}) == {TENANT: OdooBacklog(3, 1, oldest)}
    row = {
        "record_id": str(RECORD),
        "version": "1.1",
        "digest": "d",
        "state": "active",
        "opted_out": False,
        "waiting": True,
        "twins": ["7"],
    }
    digest = RecordDigest(RECORD, "1.1", "d", "active", opted_out=False, waiting=True, twins=(7,))
    assert wire.digests({"digests": [row], "more": False}) == ([digest], False)
    ping = dict.fromkeys(("protocol", "addon", "addon_on_disk", "odoo", "instance_uuid", "database", "user"), "x")
    ping |= {"epoch": "1", "newest": "105"}
    assert wire.info({**ping, "key_expires": ""}).key_expires is None
    assert wire.info({**ping, "key_expires": "2026-11-20 10:00:00"}).key_expires == oldest
    assert wire.epochs({"epoch": "2", "applied": "0"}) == (2, 0)


def test_the_people_who_work_in_odoo() -> None:
    row = {"id": "7", "login": "thandi", "name": "Thandi Nkosi", "email": ""}
    assert wire.internal_users({"users": [row], "more": True}) == ([OdooUser(7, "thandi", "Thandi Nkosi", "")], True)


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (wire.internal_users, {"users": [{"id": "7", "login": "thandi", "name": "Thandi"}], "more": False}),
        (wire.internal_users, {"users": [{"id": "x", "login": "", "name": "", "email": ""}], "more": False}),
        (wire.pulled, {"epoch": "1", "changes": []}),
        (wire.pulled, {"epoch": "1", "changes": [{**NAME, "version": "1.1", "op": "drop"}], "more": False}),
        (
            wire.pulled,
            {
                "epoch": "1",
                "changes": [{**NAME, "version": "1.1", "op": "upsert", "at": "soon"}],
                "more": False,
            },
        ),
        (wire.backlog, {"tenants": {"acme": {"owed": "1", "parked": "0", "oldest": ""}}}),
        (wire.backlog, {"tenants": {str(TENANT): {"owed": 1, "parked": "0", "oldest": ""}}}),
        (wire.digests, {"digests": [{"record_id": "x"}], "more": False}),
        (wire.info, {"protocol": "1"}),
    ],
)
def test_other_malformed_answers_are_named(read: Callable[[object], object], answer: object) -> None:
    with pytest.raises(wire.MalformedError, match=r"\w"):
        read(answer)
