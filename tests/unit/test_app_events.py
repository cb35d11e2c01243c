"""The app's events name a record and nothing else of them is used; no body can break their reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_daemon.domain.keys import Entity
from sync_daemon.errors import RejectedError
from sync_daemon.rabbitmq.events import record_of
from sync_daemon.rabbitmq.topology import COMMISSIONS_EXCHANGE, DOCUMENTS_EXCHANGE, REGISTRATIONS_EXCHANGE
from tests.unit.records import TENANT, is_plain, key_of

RECORD = key_of(Entity.REGISTRATION)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
BODIES = st.dictionaries(st.sampled_from(["id", "registration_id", "tenant_id", "status"]), ANYTHING)


def body(**content: object) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize("name", ["id", "registration_id"])
def test_the_id_may_stand_under_either_name(name: str) -> None:
    event = body(tenant_id=str(TENANT), **{name: str(RECORD.record_id)})
    assert record_of(REGISTRATIONS_EXCHANGE, event) == RECORD


def test_the_exchange_says_what_kind_of_record_it_is() -> None:
    event = body(tenant_id=str(TENANT), id=str(RECORD.record_id), entity="registration")
    found = record_of(COMMISSIONS_EXCHANGE, event)
    assert found is not None and found.entity is Entity.COMMISSION
    assert record_of(DOCUMENTS_EXCHANGE, event) is None


@pytest.mark.reliability("F76")
@given(st.binary(max_size=80) | BODIES.map(lambda content: json.dumps(content).encode()))
@example(b"[" * 100_000)
@example(body(tenant_id="\x00", id="\ud800"))
def test_any_body_is_read_or_refused(event: bytes) -> None:
    try:
        found = record_of(REGISTRATIONS_EXCHANGE, event)
    except RejectedError as problem:
        assert is_plain(problem.value)
    else:
        assert found is not None and found.entity is Entity.REGISTRATION
