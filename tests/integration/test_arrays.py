"""How lists cross to the database: as literals of our own making."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.conftest import Installation

TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    "a,b",
    "{x}",
    '"quoted"',
    "it's",
    "back\\slash",
    "\\",
    "line\nend",
    "Zoë 🙂",
    "%s",
    "\t",
]
ID = uuid4()


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("text", TEXTS),
        ("text", [None, "a", None]),
        ("text", [None]),
        ("text", []),
        ("uuid", [ID, UUID(int=0), UUID(int=2**128 - 1)]),
        ("uuid", [None, ID]),
        ("uuid", []),
        ("int", [1, None, -7]),
        ("boolean", [True, False]),
        ("float", [0.5, 1e300]),
    ],
)
def test_a_list_comes_back_as_it_was(installation: Installation, kind: str, items: list[Any]) -> None:
    with installation.database.transaction() as cursor:
        cursor.execute(f"SELECT %s::{kind}[], ARRAY(SELECT k FROM unnest(%s::{kind}[]) AS k)", [items, items])
        assert cursor.fetchall() == [(items, items)]
        cursor.execute("SELECT pg_typeof(%s)::text", [items or ["x"]])
        assert cursor.fetchall()[0][0].endswith("[]")


def test_texts_of_json_and_texts_of_uuids_are_cast_item_by_item(installation: Installation) -> None:
    with installation.database.transaction() as cursor:
        cursor.execute("SELECT %s::jsonb[]::text[], %s::uuid[]", [['{"a": "it\'s \\\\ so"}', "null"], [str(ID)]])
        assert cursor.fetchall() == [(['{"a": "it\'s \\\\ so"}', "null"], [ID])]


def test_a_text_that_no_text_can_hold_is_refused_here(installation: Installation) -> None:
    with installation.database.transaction() as cursor, pytest.raises(ValueError, match="NUL"):
        cursor.execute("SELECT %s", [["a\x00b"]])
