"""The digest is the identity of a document's content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.document import Document, Scalar, TwoWay, digest_of
from sync_daemon.domain.keys import Entity, Version
from tests.unit.records import CANONICAL_TEXT, key_of

FIELDS = st.dictionaries(st.text("abcdefgh_", min_size=1, max_size=8), CANONICAL_TEXT | st.booleans(), max_size=8)


def test_the_digest_is_the_one_the_wire_contract_describes() -> None:
    agent = UUID(int=5)
    fields: dict[str, Scalar] = {"name": "Zoë", "active": False, "phone": ""}
    expected = f'{{"fields":{{"active":false,"name":"Zoë"}},"refs":{{"agent":"user:{agent}"}}}}'
    assert digest_of(fields, {"agent": (Entity.USER, agent)}) == hashlib.sha256(expected.encode()).hexdigest()


@given(FIELDS, st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_count(fields: Mapping[str, Scalar], random: object) -> None:
    shuffled = list(fields.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert digest_of(dict(shuffled), {}) == digest_of(fields, {})


@pytest.mark.reliability("F47")
@given(FIELDS)
def test_empty_texts_do_not_count_but_false_does(fields: dict[str, Scalar]) -> None:
    assert digest_of({**fields, "Empty": ""}, {}) == digest_of(fields, {})
    assert digest_of({**fields, "Flag": False}, {}) != digest_of(fields, {})


@given(FIELDS, FIELDS)
def test_different_content_has_a_different_digest(left: dict[str, Scalar], right: dict[str, Scalar]) -> None:
    def content(fields: dict[str, Scalar]) -> dict[str, tuple[type, Scalar]]:
        return {name: (type(value), value) for name, value in fields.items() if value != ""}

    assert (digest_of(left, {}) == digest_of(right, {})) == (content(left) == content(right))


def test_a_two_way_field_counts_by_its_value_and_not_by_its_base() -> None:
    def document(fields: dict[str, Scalar], two_way: dict[str, TwoWay]) -> Document:
        return Document(key_of(Entity.COMMISSION), Version(1, 1), fields, two_way)

    first = document({"currency": "ZAR"}, {"status": TwoWay("paid", None)})
    second = document({"currency": "ZAR"}, {"status": TwoWay("paid", "approved")})
    assert first.digest == second.digest == document({"currency": "ZAR", "status": "paid"}, {}).digest


def test_another_parent_is_another_content() -> None:
    one, other = ({"client": (Entity.CLIENT, UUID(int=number))} for number in (1, 2))
    assert digest_of({}, one) != digest_of({}, other) != digest_of({}, {})
