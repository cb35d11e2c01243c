"""Whatever a row, a change or an answer holds: it is taken whole, or refused by the name of a field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Change, Document, Op, TwoWay
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.mapping import Row, map_row
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import merge_record
from sync_daemon.domain.reported import reported
from sync_daemon.errors import RejectedError
from sync_daemon.odoo import wire
from tests.unit.records import is_plain, key_of, row

SENT = [entity for entity in Entity if CONTRACTS[entity].fields]
TWO_WAY = [entity for entity in Entity if CONTRACTS[entity].two_way]
TOLD = [entity for entity in Entity if CONTRACTS[entity].reported]

INSTANTS = st.datetimes(timezones=st.none() | st.just(UTC)).map(datetime.isoformat)
# what psycopg2 makes of any column that an app may have turned into another type
COLUMN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.decimals()
    | st.dates()
    | INSTANTS
    | st.uuids()
    | st.binary(max_size=20)
    | st.text(min_size=300, max_size=400)
    | st.integers(0, 5000).map(lambda zeros: Decimal(10) ** zeros)
    | st.sampled_from(["paid", "approved", "on_hold", "ZAR", "active", "", " ", "\r\n", "NaN", "1e9", "-0"])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SCALAR = st.booleans() | st.text(st.characters(), max_size=300) | st.sampled_from(["paid", "1.5", "2026-01-31", ""])
TRASH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


# each strategy is made once: Hypothesis looks through every new one before it draws
@cache
def rows_of(entity: Entity) -> st.SearchStrategy[Row]:
    """Rows of which any column holds anything, or is not there."""
    plain = row(entity)
    changed = st.dictionaries(st.sampled_from(sorted(plain)), COLUMN)
    free = st.dictionaries(st.sampled_from(["email", "phone"]), JSON).map(lambda value: {"form_data": value})
    lost = st.sets(st.sampled_from(sorted(plain)), max_size=2)
    return st.builds(
        lambda one, two, gone: {name: value for name, value in {**plain, **one, **two}.items() if name not in gone},
        changed,
        st.just({}) | free,
        lost,
    )


@cache
def row_or_none(entity: Entity) -> st.SearchStrategy[Row | None]:
    return st.none() | rows_of(entity)


@cache
def fields_named(*names: str) -> st.SearchStrategy[dict[str, str | bool]]:
    return st.dictionaries(st.sampled_from(names), SCALAR)


@pytest.mark.parametrize("entity", SENT)
@given(st.data())
def test_any_row_crosses_or_is_refused_by_name(entity: Entity, data: st.DataObject) -> None:
    contract = CONTRACTS[entity]
    names = {field.name for field in contract.fields}
    rows: dict[str, Row | None] = {"row": data.draw(rows_of(entity))}
    for role, (related, _) in contract.related.items():
        rows[role] = data.draw(row_or_none(related))
    try:
        mapped = map_row(contract, rows)
    except RejectedError as problem:
        assert problem.field in names and is_plain(problem.message) and len(problem.value) <= 120
        return
    assert {problem.field for problem in mapped.parked} | mapped.fields.keys() == names
    assert all(is_plain(problem.message) and len(problem.value) <= 120 for problem in mapped.parked)
    document = Document(
        key_of(entity), Version(1, 1), {}, {name: TwoWay(value, None) for name, value in mapped.fields.items()}
    )
    assert wire.document(document)


@pytest.mark.parametrize("entity", TWO_WAY)
@given(st.data())
def test_any_change_of_odoo_is_taken_or_refused_by_name(entity: Entity, data: st.DataObject) -> None:
    contract = CONTRACTS[entity]
    names = [field.name for field in contract.two_way]
    fields = data.draw(fields_named(*names, "nobody_knows"))
    change = Change(key_of(entity), Version(1, 5), Op.UPSERT, contract.odoo_model, 41, "", "", fields)
    found = merge_record(decode_change(contract, change), data.draw(rows_of(entity)), {})
    told_of = {problem.field for problem in found.problems} | {conflict.field for conflict in found.conflicts}
    assert told_of | found.bases.keys() <= set(names)
    assert all(is_plain(problem.message) for problem in found.problems)
    assert all(value is None or isinstance(value, str) for value in found.writes.values())


@pytest.mark.parametrize("entity", TOLD)
@given(st.data())
def test_whatever_odoo_tells_is_taken_or_refused_by_name(entity: Entity, data: st.DataObject) -> None:
    contract = CONTRACTS[entity]
    names = [field.name for field in contract.reported]
    fields = data.draw(fields_named(*names))
    change = Change(key_of(entity), Version(1, 5), Op.UPSERT, contract.odoo_model, 41, "", "", fields)
    found = reported(contract, change)
    assert {problem.field for problem in found.problems} | found.values.keys() <= set(names)
    assert all(is_plain(problem.message) for problem in found.problems)


READERS: dict[str, Callable[[object], object]] = {
    "info": wire.info,
    "results": lambda answer: wire.results(answer, [Document(key_of(Entity.CLIENT), Version(1, 1), {})]),
    "pulled": wire.pulled,
    "backlog": wire.backlog,
    "bound": wire.bound,
    "relinked": wire.relinked,
    "refusal": wire.refusal,
    "digests": wire.digests,
    "commission_books": wire.commission_books,
}
NAMES = [
    "results",
    "changes",
    "more",
    "epoch",
    "tenants",
    "digests",
    "rows",
    "refused",
    "state",
    "version",
    "record_id",
]


@pytest.mark.parametrize("reader", READERS)
@given(TRASH | st.dictionaries(st.sampled_from(NAMES), TRASH))
@example({"epoch": "9" * 5000, "changes": [], "more": False})
@example({"tenants": {str(uuid4()): {"owed": "1", "parked": "0", "oldest": "9999-99-99"}}})
@example({"changes": [{"tenant": "x", "entity": date(2026, 1, 1)}], "more": True, "epoch": "1"})
def test_any_answer_of_odoo_is_read_or_is_no_answer(reader: str, answer: Any) -> None:
    try:
        READERS[reader](answer)
    except wire.MalformedError as error:
        assert str(error)
