"""Hints carry keys and nothing else, and no message can break their reader."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_daemon.domain.hint import HINT_SIZE, Hint, decode, encode, hints_of, named_tenant, record_key
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.errors import RejectedError
from tests.unit.records import is_plain

KEYS = st.builds(RecordKey, st.uuids(), st.sampled_from(Entity), st.uuids())
HINTS = st.builds(Hint, st.just("main"), st.sampled_from(Lane), st.lists(KEYS, max_size=HINT_SIZE).map(tuple))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HALF_RIGHT = st.fixed_dictionaries(
    {"format": st.just(1) | JSON, "lane": st.sampled_from(["live", "bulk"]) | JSON, "keys": st.lists(JSON) | JSON}
)


def code_of(body: bytes) -> str:
    with pytest.raises(RejectedError) as caught:
        decode("main", body)
    assert is_plain(caught.value.value)
    return caught.value.code


@given(HINTS)
def test_a_hint_arrives_as_it_was_sent(hint: Hint) -> None:
    assert decode("main", encode(hint)) == hint


@given(HINTS)
def test_a_hint_holds_nothing_but_format_lane_and_keys(hint: Hint) -> None:
    content = json.loads(encode(hint))
    assert content.keys() == {"format", "lane", "keys"}
    assert all(UUID(tenant) and Entity(entity) and UUID(record) for tenant, entity, record in content["keys"])


@pytest.mark.reliability("F76")
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"\xff\xfe")
@example(b"[" * 100_000)
@example(b"1" * 5_000)
def test_garbage_is_refused_and_never_breaks_the_reader(body: bytes) -> None:
    code_of(body)


@given(HALF_RIGHT)
@example({"format": 1, "lane": [], "keys": []})
@example({"format": 1, "lane": "live", "keys": [["\x00", "client", "\ud800"]]})
def test_a_message_that_is_almost_a_hint_is_read_or_refused(content: dict[str, object]) -> None:
    try:
        hint = decode("main", json.dumps(content).encode())
    except RejectedError as problem:
        assert is_plain(problem.value)
    else:
        assert decode("main", encode(hint)) == hint


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"format": 2, "lane": "live", "keys": []}, "unknown_format"),
        ({"lane": "live", "keys": []}, "unknown_format"),
        ([], "unknown_format"),
        ({"format": 1, "lane": "fast", "keys": []}, "bad_hint"),
        ({"format": 1, "lane": "live", "keys": {}}, "bad_hint"),
        ({"format": 1, "lane": "live", "keys": [[]] * (HINT_SIZE + 1)}, "bad_hint"),
        ({"format": 1, "lane": "live", "keys": ["abc"]}, "bad_key"),
        ({"format": 1, "lane": "live", "keys": [[str(UUID(int=1)), "client", 3]]}, "bad_key"),
        ({"format": 1, "lane": "live", "keys": [[str(UUID(int=1)), "estimate", str(UUID(int=2))]]}, "unknown_entity"),
        ({"format": 1, "lane": "live", "keys": [["agency1", "client", str(UUID(int=2))]]}, "no_uuid"),
    ],
)
def test_a_refusal_says_what_is_wrong(content: object, code: str) -> None:
    assert code_of(json.dumps(content).encode()) == code


def test_a_refused_id_is_named_with_its_field() -> None:
    with pytest.raises(RejectedError) as caught:
        record_key(str(UUID(int=1)), "client", "client-17")
    assert (caught.value.field, caught.value.value) == ("record_id", "client-17")
    assert "client-17" in caught.value.message


@given(st.lists(KEYS, max_size=450))
def test_keys_are_cut_into_full_hints_in_order(keys: list[RecordKey]) -> None:
    hints = list(hints_of("main", Lane.BULK, keys))
    assert [key for hint in hints for key in hint.keys] == keys
    assert all(len(hint.keys) == HINT_SIZE for hint in hints[:-1])
    assert all(hint.keys for hint in hints)


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18))
def test_a_version_arrives_as_it_was_sent(epoch: int, number: int) -> None:
    assert Version.parse(str(Version(epoch, number))) == Version(epoch, number)


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "1.2.3", "-1.2", "1. 2", "1_0.2", "٣.1", "1.2\n"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        Version.parse(text)


@pytest.mark.reliability("F17")
def test_versions_compare_by_epoch_first() -> None:
    assert Version(1, 999) < Version(2, 1) < Version(2, 2) < Version(2, 10)


def test_a_key_names_its_tenant_in_messages() -> None:
    key = RecordKey(UUID(int=1), Entity.CLIENT, UUID(int=2))
    assert str(key) == f"client {UUID(int=2)} of tenant {UUID(int=1)}"


@pytest.mark.parametrize(
    "body",
    [b'{"tenant_id": "%s", "id": 7', b'{"id": "x", "tenant_id" : "%s"}'],
)
def test_a_message_that_cannot_be_used_is_parked_under_the_tenant_it_names(body: bytes) -> None:
    tenant = UUID("6b8f9a1e-0f5d-4c53-9d53-6f6f2f3f0a01")
    assert named_tenant(body % str(tenant).encode()) == tenant


@given(st.binary(max_size=200))
def test_a_message_that_names_no_tenant_is_parked_under_none(body: bytes) -> None:
    assert named_tenant(body) == UUID(int=0)


@pytest.mark.parametrize("beat", [2**31, 2**63, 10**400, -1, 1.5, True, "7"])
def test_a_heartbeat_that_no_bridge_counts_to_is_no_hint(beat: object) -> None:
    body = json.dumps({"format": 1, "lane": "live", "keys": [], "beat": beat}).encode()
    with pytest.raises(RejectedError) as refused:
        decode("main", body)
    assert refused.value.code == "bad_hint"
