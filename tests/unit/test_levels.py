"""The files of the schema's levels, and of what attaching makes."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from db_init import schema_level, tenant_objects
from sync_daemon.postgres import registry

MIGRATIONS = Path(schema_level.__file__).parent / "migrations"
TENANT = Path(tenant_objects.__file__).parent / "tenant"
# tenants follow a change of these files only if the level goes up with it
ATTACHED = {16: "732aed0bd9ca"}


def test_a_level_is_named_by_what_it_does() -> None:
    names = sorted(path.stem for path in (MIGRATIONS / "sql").glob("*.sql"))
    versions = sorted(path.stem for path in (MIGRATIONS / "versions").glob("*.py") if path.stem != "__init__")
    assert versions == [f"level_{name}" for name in names]
    assert [name[:4] for name in names] == schema_level.levels()
    assert [name for name in names if not re.fullmatch(r"\d{4}(_[a-z]+)+", name)] == []


def test_the_daemon_asks_for_the_newest_level() -> None:
    assert schema_level.levels()[-1] == registry.SCHEMA_LEVEL


def test_what_attaching_makes_is_named_by_what_it_does() -> None:
    assert [path.stem for path in TENANT.glob("*.sql") if not re.fullmatch(r"[a-z]+(_[a-z]+)*", path.stem)] == []


def test_the_first_level_is_the_one_that_new_schemas_begin_with() -> None:
    assert schema_level.levels()[0] == schema_level.FIRST


def test_a_change_of_what_attaching_makes_raises_its_level() -> None:
    found = sha256(b"".join(path.read_bytes() for path in sorted(TENANT.glob("*.sql")))).hexdigest()[:12]
    assert {tenant_objects.ATTACH_LEVEL: found} == ATTACHED
