"""Keys as dictionaries and orders use them."""

from __future__ import annotations

from uuid import UUID

import pytest

from sync_daemon.domain.keys import Entity, RecordKey, uuid_of

A, B = UUID(int=1), UUID(int=2)


def test_a_key_equals_what_has_the_same_three_parts() -> None:
    key = RecordKey(A, Entity.CLIENT, B)
    assert key == RecordKey(UUID(str(A)), Entity("client"), UUID(str(B)))
    assert {key} == {RecordKey(A, Entity.CLIENT, B)}
    others = [RecordKey(B, Entity.CLIENT, B), RecordKey(A, Entity.USER, B), RecordKey(A, Entity.CLIENT, A)]
    assert all(key != other for other in others)
    assert len({key, *others}) == 4
    assert key != (A, Entity.CLIENT, B)


def test_keys_are_in_the_order_of_tenant_kind_and_record() -> None:
    keys = [RecordKey(t, e, r) for t in (A, B) for e in sorted(Entity) for r in (A, B)]
    assert sorted([*keys[5:], *keys[:5]]) == keys
    assert keys[0] < keys[1] <= keys[1] and keys[1] > keys[0]


def test_a_kind_of_record_is_found_by_its_text() -> None:
    known: dict[str, int] = {Entity.CLIENT: 1}
    assert known["client"] == 1
    assert hash(Entity.CLIENT) == hash("client")


def test_a_uuid_is_read_once_and_no_other_text_is_one() -> None:
    assert uuid_of(str(A)) is uuid_of(str(A)) == A
    with pytest.raises(ValueError):
        uuid_of("no uuid")
