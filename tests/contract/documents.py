"""Documents as the daemon makes them, of every entity, with any values the contract lets through."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st

from sync_daemon.domain.codec import Kind, kind_of
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Document, Scalar, TwoWay
from sync_daemon.domain.keys import Entity, RecordKey, Version

CURRENCIES = ("ZAR", "USD", "ZWL")
COUNTRIES = ("ZA", "ZW", "GB")
PEOPLE = ("2", "7", "2147483647")
_LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")


def documents() -> st.SearchStrategy[Document]:
    """Complete documents: every field of the contract, through the contract's own codecs."""
    return st.sampled_from(sorted(CONTRACTS)).flatmap(lambda entity: documents_of(CONTRACTS[entity]))


@st.composite
def documents_of(draw: st.DrawFn, contract: Contract) -> Document:
    """Complete documents of one entity."""
    tenant = draw(st.uuids())
    key = RecordKey(tenant, contract.entity, tenant if contract.entity is Entity.TENANT else draw(st.uuids()))
    values = {field.name: draw(_canonical(field)) for field in contract.fields}
    two_way = {field.name for field in contract.fields if field.owner is Owner.TWO_WAY}
    return Document(
        key,
        Version(draw(st.integers(1, 9)), draw(st.integers(1, 10**12))),
        fields={name: value for name, value in values.items() if name not in two_way},
        two_way={name: TwoWay(values[name], draw(st.none() | st.just(values[name]))) for name in sorted(two_way)},
        refs={
            item.role: (item.entity, draw(st.uuids()))
            for item in contract.references
            if item.required or draw(st.booleans())
        },
    )


@cache
def _canonical(field: Field) -> st.SearchStrategy[Scalar]:
    """Made once for a field: Hypothesis looks through every new strategy before it draws."""
    kind = kind_of(field.codec)
    return (
        _raw(field, kind)
        .map(lambda raw: field.codec(field.name, raw))
        .filter(lambda value: value != "" or not (field.required or _is_flag(kind)))
    )


def _raw(field: Field, kind: Kind) -> st.SearchStrategy[object]:
    match kind.name:
        case "text":
            return st.text(_LETTERS | st.just("\n"), max_size=min((30, *kind.limits)))
        case "code":
            return st.sampled_from(CURRENCIES if field.name == "currency" else COUNTRIES)
        case "choice":
            return st.sampled_from(sorted(kind.values))
        case "money":
            digits, scale = kind.limits
            most = Decimal(10**digits - 1).scaleb(-scale)
            return st.decimals(-most, most, places=scale)
        case "instant":
            return st.none() | st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(str)
        case "absent":
            return st.none() | st.just("2026-01-01T00:00:00")
        case "person":
            return st.none() | st.sampled_from(PEOPLE)
        case "count":
            return st.integers(0, 10**9 - 1)
        case unknown:
            raise AssertionError(f"no values for the kind {unknown}")


def _is_flag(kind: Kind) -> bool:
    return any(isinstance(value, bool) for value in kind.values.values())
