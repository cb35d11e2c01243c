"""Users of the app and of Odoo are linked by an admin: assignee and approver arrive as people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo

SELLER = ("base.group_user", "sales_team.group_sale_salesman")
ACCOUNTANT = (*SELLER, "comply360_bridge.group_accountant")
FIELDS = ["x_comply360_external_id", "user_id", "x_comply360_assigned_name", "x_comply360_assigned_user_id", "team_id"]


@dataclass(frozen=True)
class Colleague:
    """One person: a user of the app's tenant, and a user of Odoo with the same e-mail address in other letters."""

    app_id: UUID
    email: str
    odoo_id: int
    login: str
    password: str

    def in_odoo(self, odoo: Odoo) -> Odoo:
        """The person, signed in to Odoo."""
        return Odoo(odoo.settings, self.login, self.password)


def add_app_user(app: App, email: str, name: str = "Thandi") -> UUID:
    identity = uuid4()
    app.run(
        "INSERT INTO {t}.users (id, tenant_id, email, first_name, last_name) VALUES (%s, %s, %s, %s, 'Nkosi')",
        [identity, app.tenant, email, name],
    )
    return identity


def add_odoo_user(odoo: Odoo, login: str, email: str, groups: Sequence[str], **values: object) -> tuple[int, str]:
    """An internal user with a password; gives id and password."""
    password = uuid4().hex
    ids = [odoo.call("ir.model.data", "check_object_reference", *name.split(".", 1))[1] for name in groups]
    person = {
        "name": f"{login} of Odoo",
        "login": login,
        "email": email,
        "password": password,
        "group_ids": [[6, 0, ids]],
        **values,
    }
    created = odoo.call("res.users", "create", person, context={"no_reset_password": True})
    return int(created[0] if isinstance(created, list) else created), password


@pytest.fixture
def hire(odoo: Odoo) -> Callable[..., Colleague]:
    """Gives a maker of people who are in both systems, and in nobody's books yet."""

    def make(app: App, groups: Sequence[str] = SELLER, **values: object) -> Colleague:
        login = f"p{uuid4().hex[:10]}"
        email = f"{login}@staff.example"
        odoo_id, password = add_odoo_user(odoo, login, email.upper(), groups, **values)
        return Colleague(add_app_user(app, email), email, odoo_id, login, password)

    return make


def listed(app: App, expect: int = 0) -> dict[str, dict[str, Any]]:
    """What `c360 user list` says of a tenant's users, by e-mail address."""
    return {item["email"]: item for item in printed("user", "list", "--tenant", app.subdomain, expect=expect)}


def assign(app: App, registration: UUID, user: UUID | None) -> None:
    app.run("UPDATE {t}.registrations SET assigned_to = %s WHERE id = %s", [user, registration])


def lead(app: App, odoo: Odoo, registration: UUID) -> dict[str, Any]:
    [found] = odoo.call("crm.lead", "search_read", [["x_comply360_external_id", "=", str(registration)]], FIELDS)
    return dict(found)


def salesperson(app: App, odoo: Odoo, registration: UUID) -> int | bool:
    user = lead(app, odoo, registration)["user_id"]
    return int(user[0]) if user else False


def approver(app: App, commission: UUID) -> UUID | None:
    found: UUID | None = app.one("SELECT approved_by FROM {t}.commissions WHERE id = %s", [commission])
    return found


@pytest.mark.acceptance("O5")
def test_an_equal_e_mail_address_is_proposed_and_an_admin_makes_the_assignee_the_salesperson(
    transport: str, app: App, odoo: Odoo, hire: Callable[..., Colleague]
) -> None:
    thandi = hire(app)
    [registration] = app.register()
    assign(app, registration, thandi.app_id)
    c360("drain")
    before = lead(app, odoo, registration)
    assert (before["user_id"], before["x_comply360_assigned_name"]) == (False, "Thandi Nkosi")
    said = listed(app)[thandi.email]
    assert (said["state"], said["matches"][0]["odoo_id"], said["decided"]) == ("proposed", thandi.odoo_id, None)

    dry = c360("user", "confirm", "--tenant", app.subdomain, thandi.email, "--dry-run")
    assert f"would link {thandi.email}" in dry.stderr
    c360("drain")
    assert salesperson(app, odoo, registration) is False, "an address alone makes nobody a salesperson"

    c360("user", "confirm", "--tenant", app.subdomain, thandi.email)
    assert listed(app)[thandi.email]["state"] == "linked"
    c360("drain")
    after = lead(app, odoo, registration)
    assert after["user_id"][0] == after["x_comply360_assigned_user_id"][0] == thandi.odoo_id
    assert after["team_id"] == before["team_id"], "the tenant's team keeps its lead"


@pytest.mark.acceptance("O5")
def test_the_salesperson_follows_the_app_and_whom_odoo_chose_stays_until_then(
    app: App, odoo: Odoo, hire: Callable[..., Colleague]
) -> None:
    linked, other, unlinked = hire(app), hire(app), hire(app)
    for person in (linked, other):
        c360("user", "link", "--tenant", app.subdomain, person.email, person.login)
    [registration] = app.register()
    c360("drain")
    [found] = odoo.leads(app)
    odoo.call("crm.lead", "write", [found["id"]], {"user_id": unlinked.odoo_id})
    assign(app, registration, unlinked.app_id)
    app.run("UPDATE {t}.registrations SET company_name = 'Renamed'")
    c360("drain")
    assert salesperson(app, odoo, registration) == unlinked.odoo_id, "nobody is linked: Odoo's choice stays"

    assign(app, registration, linked.app_id)
    c360("drain")
    assert salesperson(app, odoo, registration) == linked.odoo_id
    odoo.call("crm.lead", "write", [found["id"]], {"user_id": other.odoo_id})
    app.run("UPDATE {t}.registrations SET company_name = 'Renamed again'")
    c360("drain")
    assert salesperson(app, odoo, registration) == other.odoo_id, "the app names the same person as before"
    assert printed("reconcile", "--tenant", app.subdomain, expect=0), "what Odoo chose is no drift"

    assign(app, registration, other.app_id)
    c360("drain")
    assign(app, registration, None)
    c360("drain")
    assert salesperson(app, odoo, registration) is False


@pytest.mark.acceptance("O5")
def test_unlinking_takes_the_salesperson_back_and_declines_the_pair(
    app: App, odoo: Odoo, hire: Callable[..., Colleague]
) -> None:
    thandi = hire(app)
    c360("user", "link", "--tenant", app.subdomain, str(thandi.app_id), thandi.login)
    [registration] = app.register()
    assign(app, registration, thandi.app_id)
    c360("drain")
    assert salesperson(app, odoo, registration) == thandi.odoo_id
    c360("user", "unlink", "--tenant", app.subdomain, thandi.email, "--dry-run")
    assert listed(app)[thandi.email]["state"] == "linked"
    c360("user", "unlink", "--tenant", app.subdomain, thandi.email)
    c360("drain")
    after = lead(app, odoo, registration)
    assert (after["user_id"], after["x_comply360_assigned_name"]) == (False, "Thandi Nkosi")
    said = listed(app)[thandi.email]
    assert (said["state"], said["matches"], said["decided"]["state"]) == ("declined", [], "declined")
    nobody = c360("user", "confirm", "--tenant", app.subdomain, "--all")
    assert f"no proposals for {app.subdomain}" in nobody.stderr


@pytest.mark.acceptance("O5")
def test_who_approves_in_odoo_is_named_in_the_app(
    transport: str, app: App, odoo: Odoo, hire: Callable[..., Colleague]
) -> None:
    linked, unlinked = hire(app, ACCOUNTANT), hire(app, ACCOUNTANT)
    c360("user", "link", "--tenant", app.subdomain, linked.email, linked.login)
    [registration] = app.register(status="approved")
    first, second = app.commission(registration), app.commission(registration)
    c360("drain")
    records = {row["x_comply360_external_id"]: row["id"] for row in odoo.commissions(app)}
    linked.in_odoo(odoo).call("x_commission", "action_approve", [records[str(first)]])
    unlinked.in_odoo(odoo).call("x_commission", "action_approve", [records[str(second)]])
    c360("drain")
    states = app.run("SELECT status, approved_at IS NOT NULL FROM {t}.commissions")
    assert states == [("approved", True)] * 2
    assert (approver(app, first), approver(app, second)) == (linked.app_id, None)

    # a link that comes later names the approver of what was approved before
    c360("user", "link", "--tenant", app.subdomain, unlinked.email, unlinked.login)
    c360("drain")
    assert (approver(app, first), approver(app, second)) == (linked.app_id, unlinked.app_id)
    assert printed("reconcile", "--tenant", app.subdomain, expect=0)
    [why] = printed("why", "commission", str(second), "approved_by")
    assert (why["value"], why["side"], why["by"]) == (str(unlinked.odoo_id), "Odoo", unlinked.login)


@pytest.mark.acceptance("O5")
def test_whom_the_app_names_as_approver_is_shown_in_odoo(app: App, odoo: Odoo, hire: Callable[..., Colleague]) -> None:
    boss = hire(app, ("base.group_user",))
    c360("user", "link", "--tenant", app.subdomain, boss.email, boss.login)
    [registration] = app.register(status="approved")
    commission = app.commission(registration)
    app.run("UPDATE {t}.commissions SET status = 'approved', approved_at = now(), approved_by = %s", [boss.app_id])
    c360("drain")
    domain = [["x_comply360_external_id", "=", str(commission)]]
    [shown] = odoo.call("x_commission", "search_read", domain, ["state", "approved_by_id"])
    assert (shown["state"], shown["approved_by_id"][0]) == ("approved", boss.odoo_id)
    c360("drain")
    assert approver(app, commission) == boss.app_id


@pytest.mark.acceptance("O5")
def test_a_user_of_odoo_who_may_not_have_the_lead_is_said_by_name_and_nothing_else_stays_behind(
    app: App, odoo: Odoo, hire: Callable[..., Colleague]
) -> None:
    clerk = hire(app, ("base.group_user",))
    company = odoo.call("res.company", "create", {"name": f"Company {uuid4().hex[:8]}"})
    company = company[0] if isinstance(company, list) else company
    stranger = hire(app, company_id=company, company_ids=[[6, 0, [company]]])
    reasons = {clerk: "is not a salesperson", stranger: "has no access to the lead's company"}
    for person, reason in reasons.items():
        c360("user", "link", "--tenant", app.subdomain, person.email, person.login)
        [registration] = app.register(name=f"Of {person.login}")
        assign(app, registration, person.app_id)
        c360("drain", expect=None)
        c360("drain", expect=None)
        found = lead(app, odoo, registration)
        assert (found["user_id"], found["x_comply360_assigned_name"]) == (False, "Thandi Nkosi")
        [issue] = [issue for issue in odoo.issues(app) if issue["record_id"] == str(registration)]
        assert (issue["field_name"], issue["code"]) == ("assigned_user", "not_assignable")
        assert person.login in issue["message"] and reason in issue["message"]

    # what was missing is mended in Odoo, and the field goes when it is tried again
    groups = [odoo.call("ir.model.data", "check_object_reference", *name.split(".", 1))[1] for name in SELLER]
    odoo.call("res.users", "write", [clerk.odoo_id], {"group_ids": [[6, 0, groups]]})
    c360("dead", "retry", "--code", "not_assignable", "--tenant", app.subdomain, expect=None)
    c360("drain", expect=None)
    leads = odoo.call("crm.lead", "search_read", [["user_id", "=", clerk.odoo_id]], ["partner_name"])
    assert [found["partner_name"] for found in leads] == [f"Of {clerk.login} 1"]


@pytest.mark.acceptance("O5")
def test_a_link_of_one_tenant_makes_nobody_appear_in_another(
    make_app: Callable[[], App], odoo: Odoo, hire: Callable[..., Colleague]
) -> None:
    ours, theirs = make_app(), make_app()
    thandi = hire(ours, ACCOUNTANT)
    # the other tenant has a user of the very same id and address: a clone of the row, as a restored copy would have
    theirs.run(
        "INSERT INTO {t}.users (id, tenant_id, email, first_name) VALUES (%s, %s, %s, 'Namesake')",
        [thandi.app_id, theirs.tenant, thandi.email],
    )
    c360("user", "link", "--tenant", ours.subdomain, thandi.email, thandi.login)
    assert (listed(ours)[thandi.email]["state"], listed(theirs)[thandi.email]["state"]) == ("linked", "proposed")

    commissions = {}
    for app in (ours, theirs):
        [registration] = app.register(status="approved")
        assign(app, registration, thandi.app_id)
        commissions[app.subdomain] = app.commission(registration)
    c360("drain")
    assert [lead_of["user_id"] for lead_of in _leads(ours, odoo)] == [[thandi.odoo_id, f"{thandi.login} of Odoo"]]
    assert [lead_of["user_id"] for lead_of in _leads(theirs, odoo)] == [False]

    ids = [row["id"] for app in (ours, theirs) for row in odoo.commissions(app)]
    thandi.in_odoo(odoo).call("x_commission", "action_approve", ids)
    c360("drain")
    assert approver(ours, commissions[ours.subdomain]) == thandi.app_id
    assert approver(theirs, commissions[theirs.subdomain]) is None
    assert theirs.one("SELECT status FROM {t}.commissions") == "approved"

    # one person of Odoo may be a user of several tenants, each confirmed by itself
    c360("user", "confirm", "--tenant", theirs.subdomain, "--all")
    c360("drain")
    assert [lead_of["user_id"][0] for lead_of in _leads(theirs, odoo)] == [thandi.odoo_id]
    assert approver(theirs, commissions[theirs.subdomain]) == thandi.app_id


def _leads(app: App, odoo: Odoo) -> list[dict[str, Any]]:
    return list(odoo.call("crm.lead", "search_read", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]], FIELDS))


@pytest.mark.acceptance("O5")
def test_what_cannot_be_linked_is_said_in_plain_words(app: App, odoo: Odoo, hire: Callable[..., Colleague]) -> None:
    thandi, tendai = hire(app), hire(app)
    at = ("--tenant", app.subdomain)
    c360("user", "link", *at, thandi.email, thandi.login)
    add_odoo_user(odoo, f"{tendai.login}b", tendai.email, SELLER)
    said = {
        ("link", *at, "nobody@staff.example", thandi.login): f"{app.subdomain} has no app user nobody@staff.example",
        ("link", *at, tendai.email, "comply360_bridge"): "no internal user of Odoo has login comply360_bridge",
        ("link", *at, tendai.email, thandi.login): f"{thandi.login} is already linked to {thandi.email}",
        ("confirm", *at, tendai.email): f"several Odoo users ({tendai.login}, {tendai.login}b)",
        ("confirm", *at, thandi.email): f"is already linked to {thandi.login}",
        ("confirm", *at): "name at least one APP_USER, or use --all",
        ("link", "--tenant", "no-such", thandi.email, thandi.login): "no attached tenant no-such",
    }
    for arguments, words in said.items():
        assert words in " ".join(c360("user", *arguments, expect=2).stderr.split())

    odoo.call("res.users", "write", [thandi.odoo_id], {"active": False})
    assert listed(app, expect=3)[thandi.email]["state"] == "lost"
