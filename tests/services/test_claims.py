"""Two databases of one installation: Odoo works with the one that has its last token, and the other one is noticed."""

from __future__ import annotations

import copy

import pytest

from sync_daemon.domain.operations.claims import Claim
from sync_daemon.errors import CopyError, FatalError, TransientError
from sync_daemon.odoo.client import RpcOdoo
from sync_daemon.parts.claims import Claimant
from tests.memory.claims import Claims, Row, new_row
from tests.memory.odoo_transport import Transport, open_odoo
from tests.services.world import World


def odoo(world: World, transport: Transport | None = None) -> RpcOdoo:
    return open_odoo(transport or Transport(world.odoo), world.installation)


def hold(world: World, row: Row, renews: bool = True, name: str = "app at db1") -> None:
    opened = odoo(world)
    Claimant(Claims(row, name), renews).hold(opened, opened.ping())


def test_the_token_changes_with_every_round_and_stays_the_databases_own(world: World) -> None:
    row, tokens = new_row(), set()
    for number in range(1, 4):
        hold(world, row)
        assert row.claim.number == number
        tokens.add(row.claim.token)
    assert len(tokens) == 3


def test_two_daemons_of_one_database_are_no_copies(world: World) -> None:
    row = new_row()
    for _ in range(3):
        hold(world, row, name="app at db1")
        hold(world, row, name="app at db1.internal")


def test_a_copy_is_refused_and_names_the_database_that_works(world: World) -> None:
    row = new_row()
    hold(world, row)
    clone = copy.deepcopy(row)
    hold(world, row, name="app at production")
    with pytest.raises(CopyError, match="app at production") as refused:
        hold(world, clone)
    assert "c360 db adopt-copy" in str(refused.value) and "c360 epoch bump --side app" in str(refused.value)
    hold(world, row)


def test_a_copy_that_comes_first_is_noticed_by_the_original(world: World) -> None:
    row = new_row()
    hold(world, row)
    hold(world, copy.deepcopy(row), name="app at clone")
    with pytest.raises(CopyError, match="app at clone"):
        hold(world, row)


def test_a_command_on_a_copy_takes_nothing_away(world: World) -> None:
    row = new_row()
    hold(world, row)
    clone = copy.deepcopy(row)
    hold(world, clone, renews=False)
    hold(world, row)
    with pytest.raises(CopyError):
        hold(world, clone, renews=False)


def test_an_answer_that_was_lost_makes_no_copy(world: World) -> None:
    row = new_row()
    hold(world, row)
    transport = Transport(world.odoo)
    opened = odoo(world, transport)
    info = opened.ping()
    transport.lost["claim"] = 1
    with pytest.raises(TransientError):
        Claimant(Claims(row), True).hold(opened, info)
    hold(world, row, renews=False)
    hold(world, row)
    assert row.claim.number == 2, "the token that was there already was not counted again"


def test_a_process_that_slept_is_no_copy(world: World) -> None:
    row = new_row()
    hold(world, row)
    opened, asleep = odoo(world), Claims(row)
    before = asleep.begin()

    class Sleepy(Claims):
        """Has read the row before the others went on."""

        reads = 0

        def begin(self) -> Claim:
            self.reads += 1
            return before if self.reads == 1 else super().begin()

    hold(world, row)
    hold(world, row)
    Claimant(Sleepy(row), True).hold(opened, opened.ping())


def test_a_restore_that_was_announced_takes_the_place(world: World) -> None:
    row = new_row()
    hold(world, row)
    backup = copy.deepcopy(row)
    hold(world, row)
    with pytest.raises(CopyError):
        hold(world, backup, renews=False)
    Claims(backup).announce()
    hold(world, backup, renews=False)
    hold(world, backup)
    with pytest.raises(CopyError):
        hold(world, row)


def test_an_odoo_that_was_set_back_is_noticed_until_its_new_epoch(world: World) -> None:
    row = new_row()
    hold(world, row)
    before = dict(world.odoo.state.claims)
    hold(world, row)
    world.odoo.state.claims = before
    with pytest.raises(FatalError, match="c360 epoch bump --side odoo"):
        hold(world, row)
    odoo(world).raise_epoch(1)
    hold(world, row)


def test_an_odoo_without_a_token_takes_any(world: World) -> None:
    row = new_row()
    for _ in range(3):
        hold(world, row)
    world.odoo.state.claims.clear()
    hold(world, row, renews=False)
    hold(world, row)
    assert row.claim.number == 4
