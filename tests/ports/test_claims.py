"""The tokens that a database leaves in Odoo: in memory and on the real database."""

from __future__ import annotations

from tests.ports.platform import Platform


def test_a_next_token_is_drawn_when_it_is_asked_for_and_stays_until_odoo_has_it(platform: Platform) -> None:
    new = platform.claims.present()
    assert (new.following, new.number, new.is_announced, new.odoo) == (None, 0, False, "")
    first = platform.claims.begin()
    assert first.token == new.token != first.following
    assert first == platform.claims.begin() == platform.claims.present()


def test_the_next_token_takes_the_place_of_the_last_once(platform: Platform) -> None:
    first = platform.claims.begin()
    platform.claims.left(first, 4, "uuid 1")
    second = platform.claims.present()
    assert (second.token, second.following, second.number, second.odoo) == (first.following, None, 4, "uuid 1")
    platform.claims.left(first, 3, "uuid 1")
    assert platform.claims.present() == second, "another process has heard of it before"
