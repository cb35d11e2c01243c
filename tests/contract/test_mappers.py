"""The addon's mappers and the daemon's contracts, which share no code, mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Document
from sync_daemon.odoo import wire
from tests.contract.addon import codec, document, mappers
from tests.contract.documents import COUNTRIES, CURRENCIES, PEOPLE, documents

LOOKUPS = {
    "currency": {code: number for number, code in enumerate(CURRENCIES, 1)},
    "country": {code: number for number, code in enumerate(COUNTRIES, 1)},
    "salesperson": {user: int(user) for user in PEOPLE},
    "user": {user: int(user) for user in PEOPLE},
}
PAIRS = [(contract, field) for contract in CONTRACTS.values() for field in contract.fields]
TOLD = [(contract, field) for contract in CONTRACTS.values() for field in contract.reported]
NAMES = [f"{contract.entity}.{field.name}" for contract, field in PAIRS]


def stored(mapper: Any, translation: Any) -> dict[str, Any]:
    """The record as Odoo would hold it; a record named by a code is given as its code."""
    by_id = {kind: {number: name for name, number in ids.items()} for kind, ids in LOOKUPS.items()}
    row: dict[str, Any] = {}
    for rule in mapper.rules:
        value = translation.values[rule.name]
        row[rule.target] = by_id[rule.codec.lookup][value] if isinstance(rule.codec, codec.Code) and value else value
    return row


def received(sent: Document) -> Any:
    """The document as the addon reads it."""
    return document.parse_document(wire.document(sent))


def test_both_know_the_same_entities_in_the_same_order() -> None:
    assert list(mappers.MAPPERS) == [entity.value for entity in CONTRACTS]


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_both_name_the_same_fields_model_and_references(contract: Contract) -> None:
    mapper = mappers.MAPPERS[contract.entity]
    assert mapper.model == contract.odoo_model
    assert {rule.name for rule in mapper.rules} == {field.name for field in contract.fields}
    assert [(item.role, item.entity, item.required) for item in mapper.references] == [
        (item.role, item.entity.value, item.required) for item in contract.references
    ]


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_both_name_the_same_fields_that_odoo_tells(contract: Contract) -> None:
    told = [(rule.name, rule.required) for rule in mappers.MAPPERS[contract.entity].reported]
    assert told == [(field.name, field.required) for field in contract.reported]


@pytest.mark.parametrize(("contract", "field"), TOLD, ids=[f"{one.entity}.{field.name}" for one, field in TOLD])
def test_both_mean_the_same_by_what_odoo_tells(contract: Contract, field: Field) -> None:
    (theirs,) = [rule.codec for rule in mappers.MAPPERS[contract.entity].reported if rule.name == field.name]
    ours = kind_of(field.codec)
    names = {
        "Choice": "choice",
        "Reported": "choice",
        "Text": "text",
        "Exact": "exact",
        "Day": "day",
        "RecordId": "record_id",
        "Code": "code",
        "Person": "person",
    }
    assert names[type(theirs).__name__] == ours.name
    words = theirs.words.values() if isinstance(theirs, codec.Reported) else getattr(theirs, "values", ())
    assert set(words) == set(ours.values.values())
    assert getattr(theirs, "digits", None) == (ours.limits[0] if ours.name == "exact" else None)


@pytest.mark.parametrize(("contract", "field"), PAIRS, ids=NAMES)
def test_both_agree_on_what_is_required_and_who_may_write(contract: Contract, field: Field) -> None:
    rule = mappers.MAPPERS[contract.entity].by_name[field.name]
    assert rule.required == field.required
    assert rule.two_way == (field in contract.two_way)


@pytest.mark.parametrize(("contract", "field"), PAIRS, ids=NAMES)
def test_both_let_the_same_values_through(contract: Contract, field: Field) -> None:
    theirs = mappers.MAPPERS[contract.entity].by_name[field.name].codec
    ours = kind_of(field.codec)
    match theirs:
        case codec.Choice():
            assert set(theirs.values) == set(ours.values.values()) and ours.name == "choice"
        case codec.Flag():
            assert ours.name == "absent" or set(ours.values.values()) == {True, False}
        case codec.Amount():
            assert (ours.name, ours.limits) == ("money", (theirs.digits, 2))
        case codec.Instant():
            assert ours.name == "instant"
        case codec.Count():
            assert ours.name == "count"
        case codec.Code():
            assert ours.name == "code"
        case codec.Person():
            assert ours.name == "person"
        case codec.Text():
            assert ours.name == "text"
        case unknown:
            raise AssertionError(f"the addon has a codec this test does not know: {unknown}")


@given(documents())
@settings(max_examples=200)
def test_what_the_daemon_sends_is_what_the_addon_reads(sent: Document) -> None:
    read = received(sent)
    assert read.key == (str(sent.key.tenant), sent.key.entity.value, str(sent.key.record_id))
    assert read.version == (sent.version.epoch, sent.version.number)
    assert read.fields == sent.fields
    assert {name: (item.value, item.base) for name, item in read.two_way.items()} == {
        name: (item.value, item.base) for name, item in sent.two_way.items()
    }
    assert read.refs == {
        role: (str(sent.key.tenant), entity.value, str(record)) for role, (entity, record) in sent.refs.items()
    }


@given(documents())
@settings(max_examples=400)
def test_the_digest_of_the_stored_record_is_the_digest_of_the_document(sent: Document) -> None:
    mapper = mappers.MAPPERS[sent.key.entity]
    translation = mapper.translate(received(sent), LOOKUPS, creating=True)
    assert translation.problems == []
    shown = mapper.wire(stored(mapper, translation))
    refs = {role: f"{entity}:{record}" for role, (entity, record) in sent.refs.items()}
    assert document.digest_of(shown, refs) == sent.digest == received(sent).digest
