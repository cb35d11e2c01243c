"""Which database is the installation's own, which one a copy, and what was restored alone."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from sync_daemon.domain.operations.claims import Claim, Refusal, refusal
from sync_daemon.domain.operations.known_database import DatabaseIdentity, Standing, differences, standing

NOTED = DatabaseIdentity("app", "7300000000000000001", 16_400, 20_000)
CLAIM = Claim(UUID(int=1), UUID(int=2), 5, odoo="uuid 1")


def test_the_noted_database_is_the_same() -> None:
    assert standing(NOTED, NOTED) is Standing.SAME
    assert list(differences(NOTED, NOTED)) == []


@pytest.mark.parametrize(
    ("present", "named"),
    [
        (replace(NOTED, name="copy"), "the installation lives in app"),
        (replace(NOTED, server="7300000000000000002"), "7300000000000000002"),
        (replace(NOTED, oid=16_401), "16401"),
    ],
)
def test_another_name_server_or_oid_is_a_copy(present: DatabaseIdentity, named: str) -> None:
    assert standing(NOTED, present) is Standing.COPY
    [words] = differences(NOTED, present)
    assert named in words


def test_a_server_whose_identifier_may_not_be_read_is_known_by_the_oid() -> None:
    assert standing(NOTED, replace(NOTED, server="")) is Standing.SAME
    assert standing(NOTED, replace(NOTED, server="", oid=1)) is Standing.COPY


def test_a_database_that_nobody_noted_yet_is_taken() -> None:
    assert standing(DatabaseIdentity("", "", 0, 0), NOTED) is Standing.SAME


def test_a_schema_that_was_made_anew_in_the_same_database_was_restored_alone() -> None:
    assert standing(NOTED, replace(NOTED, schema_oid=20_001)) is Standing.SCHEMA_RESTORED
    assert standing(NOTED, replace(NOTED, name="copy", schema_oid=20_001)) is Standing.COPY


def test_whose_token_is_older_was_set_back_or_is_a_copy() -> None:
    assert refusal(CLAIM, 6, "uuid 1") is Refusal.ANOTHER
    assert refusal(CLAIM, 5, "uuid 1") is Refusal.ANOTHER
    assert refusal(CLAIM, 4, "uuid 1") is Refusal.ODOO_SET_BACK


def test_another_odoo_or_a_new_epoch_of_it_gets_the_token_anew() -> None:
    assert refusal(CLAIM, 4, "uuid 2") is Refusal.ODOO_IS_ANOTHER
    assert refusal(CLAIM, 4, "another 1") is Refusal.ODOO_IS_ANOTHER
    assert refusal(CLAIM, 9, "another 1") is Refusal.ANOTHER
