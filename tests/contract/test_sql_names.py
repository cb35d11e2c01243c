"""The daemon's statements name every relation with its schema: nobody's table can stand for one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("sync_daemon/postgres", "db_init/migrations/sql", "db_init/tenant", "db_init/app")
    for path in (ROOT / folder).rglob("*.sql")
)
# a text may hold dashes, a comment an apostrophe
TEXT = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
# what a WITH or an AS makes is a name of the statement's own
MADE = re.compile(r"\b(\w+)\s*(?:\([^()]*\))?\s+AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?\(", re.IGNORECASE)
USED = re.compile(
    r"(?<!DISTINCT )\b(?:FROM|JOIN|INTO|TABLE|(?<!FOR )(?<!DO )UPDATE)\s+(?:ONLY\s+|LATERAL\s+)?"
    r"([A-Za-z_]\w*)(?![\w.(]|\s*\()",
    re.IGNORECASE,
)
# what a function of PL/pgSQL declares takes values, no rows
DECLARED = re.compile(r"^DECLARE\n(.*?)^BEGIN", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"^ +(\w+) ", re.MULTILINE)
WORDS = frozenset({"if", "set", "of", "skip", "or", "as", "select", "lateral", "on", "strict", "cascade", "restrict"})


def unqualified(text: str) -> set[str]:
    plain = TEXT.sub("''", text)
    own = {name.lower() for name in MADE.findall(plain)}
    own |= {name.lower() for block in DECLARED.findall(plain) for name in VARIABLE.findall(block)}
    return {name for name in USED.findall(plain) if name.lower() not in own | WORDS}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_relation_is_named_with_its_schema(path: Path) -> None:
    found = unqualified((ROOT / path).read_text(encoding="utf-8"))
    # changed and written are the triggers' transition tables, which no object can shadow; where levels run, the search
    # path is pinned
    is_level = path.parts[0] == "db_init"
    others = {name for name in found if not (is_level and name.startswith("pg_"))}
    assert others - {"changed", "written", "PUBLIC", "comply360_bridge_owner", "comply360_sync"} == set()


def test_a_bare_name_is_found() -> None:
    assert unqualified("SELECT 1 FROM outbox JOIN bridge.tenant ON true") == {"outbox"}
    assert unqualified("WITH outbox AS (SELECT 1) SELECT 1 FROM outbox") == set()
    assert unqualified("SELECT 1 WHERE a IS DISTINCT FROM b -- FROM nowhere\n FOR UPDATE SKIP LOCKED") == set()
