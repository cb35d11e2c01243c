"""Who of the app may be whom in Odoo: proposed by e-mail address, never guessed, decided by an admin."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.operations.user_links import AppUser, Link, LinkState, OdooUser, Person, Standing, people


def app_user(email: str, link: Link | None = None, active: bool = True, name: str = "") -> AppUser:
    return AppUser(uuid5(NAMESPACE_OID, name or email), email, "Thandi Nkosi", active, link)


def odoo_user(number: int, email: str) -> OdooUser:
    return OdooUser(number, f"login{number}", f"Person {number}", email)


def link(number: int, state: LinkState = LinkState.CONFIRMED) -> Link:
    return Link(number, f"login{number}", state, "admin (c360)", datetime(2026, 11, 1, tzinfo=UTC))


def one(user: AppUser, *odoo_users: OdooUser) -> Person:
    [person] = people([user], odoo_users)
    return person


def test_an_equal_address_is_proposed_whatever_its_case_and_blanks() -> None:
    wanted = odoo_user(7, "thandi@agency.EXAMPLE ")
    person = one(app_user(" Thandi@Agency.example"), wanted, odoo_user(8, "x@y.example"))
    assert (person.standing, person.proposed) == (Standing.PROPOSED, wanted)


def test_two_users_of_odoo_with_one_address_are_named_and_not_proposed() -> None:
    person = one(app_user("a@b.example"), odoo_user(7, "a@b.example"), odoo_user(8, "A@b.example"))
    assert (person.standing, person.proposed) == (Standing.AMBIGUOUS, None)
    assert [match.id for match in person.matches] == [7, 8]


def test_two_users_of_the_app_with_one_address_are_not_proposed_either() -> None:
    both = people([app_user("a@b.example"), app_user("A@B.example")], [odoo_user(7, "a@b.example")])
    assert {person.standing for person in both} == {Standing.AMBIGUOUS}


def test_who_is_linked_already_is_proposed_to_nobody_else() -> None:
    first, second = people([app_user("old@b.example", link(7)), app_user("a@b.example")], [odoo_user(7, "a@b.example")])
    assert (first.standing, second.standing) == (Standing.LINKED, Standing.UNKNOWN)


def test_a_declined_pair_is_not_proposed_again_but_another_one_is() -> None:
    declined = app_user("a@b.example", link(7, LinkState.DECLINED))
    assert one(declined, odoo_user(7, "a@b.example")).standing is Standing.DECLINED
    person = one(declined, odoo_user(7, "a@b.example"), odoo_user(8, "a@b.example"))
    assert (person.standing, person.matches) == (Standing.PROPOSED, (odoo_user(8, "a@b.example"),))


def test_a_link_with_somebody_who_left_odoo_is_said() -> None:
    assert one(app_user("a@b.example", link(7))).standing is Standing.LOST


def test_nobody_is_proposed_for_a_deleted_user_or_for_an_empty_address() -> None:
    assert one(app_user("a@b.example", active=False), odoo_user(7, "a@b.example")).standing is Standing.UNKNOWN
    assert one(app_user(" "), odoo_user(7, "")).standing is Standing.UNKNOWN


_EMAILS = st.sampled_from(["a@b.example", "A@B.example", "c@d.example", ""])
_LINKS = st.none() | st.builds(link, st.integers(1, 4), st.sampled_from(LinkState))


@given(st.lists(st.tuples(_EMAILS, _LINKS, st.booleans()), max_size=5), st.lists(_EMAILS, max_size=4))
def test_nobody_in_odoo_is_proposed_twice_or_is_somebody_else_already(
    users: list[tuple[str, Link | None, bool]], emails: list[str]
) -> None:
    ours = [app_user(email, found, active, str(n)) for n, (email, found, active) in enumerate(users)]
    found = people(ours, [odoo_user(number, email) for number, email in enumerate(emails, 1)])
    assert [person.user for person in found] == ours
    proposed = [person.proposed.id for person in found if person.proposed]
    assert len(proposed) == len(set(proposed))
    assert not set(proposed) & {user.linked.odoo_id for user in ours if user.linked}
