"""`c360 user`: which user of Odoo a user of the app is, so that assignee and approver arrive as people."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from sync_daemon.cli.backfill import found, tenant_option
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.operations.user_links import AppUser, LinkState, OdooUser, Person, Standing, people
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import BridgeError
from sync_daemon.postgres.admin.backfill import Backfills
from sync_daemon.postgres.admin.user_links import Decision, People

PAGE = 1_000

_named_tenant = click.option("--tenant", required=True, help="The user's tenant: its subdomain or uuid.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_WORDS = {
    Standing.LINKED: "linked",
    Standing.LOST: "linked, but does not work in Odoo any more",
    Standing.PROPOSED: "proposed",
    Standing.AMBIGUOUS: "ambiguous: several have this e-mail address",
    Standing.DECLINED: "declined",
    Standing.UNKNOWN: "",
}


@click.group()
def user() -> None:
    """Users of the app and of Odoo: see who may be whom, link them, take a link back."""


@user.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str | None, as_json: bool) -> None:
    """List the app's users and which users of Odoo they are; those with the same e-mail address are proposed.

    Exit code 3 if somebody is linked with a user who does not work in Odoo any more.

    Example: c360 user list --tenant agency1
    """
    with open_bridge(load_settings()) as bridge:
        working = _internal_users(bridge)
        listed = [(item, people(_people(bridge).of(item), working)) for item in _tenants(bridge, tenant)]
    if as_json:
        print_json([_json(item, person) for item, persons in listed for person in persons])
    else:
        columns = ("tenant", "user of the app", "name", "user of Odoo", "state", "same e-mail address in Odoo")
        print_table("Users", columns, [_row(item, person) for item, persons in listed for person in persons])
    lost = any(person.standing is Standing.LOST for _, persons in listed for person in persons)
    sys.exit(3 if lost else 0)


@user.command()
@_named_tenant
@click.argument("app_user", metavar="APP_USER")
@click.argument("login", metavar="ODOO_LOGIN")
@_dry_run
def link(tenant: str, app_user: str, login: str, dry_run: bool) -> None:
    """Link APP_USER, an e-mail address or id of that tenant, with the user of Odoo who signs in as ODOO_LOGIN.

    Leads assigned to the one get the other as salesperson, and who approves commissions in Odoo is named in the app.

    Example: c360 user link --tenant agency1 thandi@agency1.example thandi
    """
    with open_bridge(load_settings()) as bridge:
        owner = _tenant(bridge, tenant)
        everybody = _people(bridge).of(owner)
        one = _one(everybody, app_user, owner)
        chosen = _internal_user(bridge, login)
        _check_free(everybody, one, chosen, owner)
        _confirm(bridge, owner, [(one, chosen)], dry_run)


@user.command()
@_named_tenant
@click.argument("app_users", metavar="[APP_USER]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Confirm all that are proposed.")
@_dry_run
def confirm(tenant: str, app_users: Sequence[str], every: bool, dry_run: bool) -> None:
    """Confirm what `c360 user list` proposes for each APP_USER, or for all of the tenant.

    Example: c360 user confirm --tenant agency1 thandi@agency1.example
    """
    if bool(app_users) == every:
        raise click.UsageError("name users of the app, or --all")
    with open_bridge(load_settings()) as bridge:
        owner = _tenant(bridge, tenant)
        persons = people(_people(bridge).of(owner), _internal_users(bridge))
        by_id = {person.user.id: person for person in persons}
        if every:
            chosen = [person for person in persons if person.proposed]
        else:
            everybody = [person.user for person in persons]
            chosen = [by_id[_one(everybody, given, owner).id] for given in app_users]
        _confirm(bridge, owner, [(person.user, _proposed(person)) for person in chosen], dry_run)


@user.command()
@_named_tenant
@click.argument("app_user", metavar="APP_USER")
@_dry_run
def unlink(tenant: str, app_user: str, dry_run: bool) -> None:
    """Take back the link of APP_USER, or decline what is proposed: that pair is not proposed again.

    Leads lose the salesperson that the link gave them. Who approved a commission stays named on both sides.

    Example: c360 user unlink --tenant agency1 thandi@agency1.example
    """
    with open_bridge(load_settings()) as bridge:
        owner = _tenant(bridge, tenant)
        everybody = _people(bridge).of(owner)
        one = _one(everybody, app_user, owner)
        if one.linked:
            other_id, login = one.linked.odoo_id, one.linked.login
        else:
            [person] = [item for item in people(everybody, _internal_users(bridge)) if item.user.id == one.id]
            proposed = _proposed(person)
            other_id, login = proposed.id, proposed.login
        if not dry_run:
            _people(bridge).decide(owner, Decision(one.id, other_id, login, LinkState.DECLINED, _who()))
    say(f"{'would take' if dry_run else 'took'} {one.email} of {owner.subdomain} and {login} of Odoo for two people")


def _confirm(bridge: Bridge, tenant: Tenant, pairs: Sequence[tuple[AppUser, OdooUser]], dry_run: bool) -> None:
    for one, other in pairs:
        if not dry_run:
            decision = Decision(one.id, other.id, other.login, LinkState.CONFIRMED, _who())
            _people(bridge).decide(tenant, decision)
        say(f"{'would link' if dry_run else 'linked'} {one.email} of {tenant.subdomain} with {other.login} of Odoo")
    if not pairs:
        say(f"nobody of {tenant.subdomain} is proposed")
    elif not dry_run:
        _ask_for_approvers(bridge, tenant)


def _ask_for_approvers(bridge: Bridge, tenant: Tenant) -> None:
    """Odoo tells once more of approvals whose approver the app did not know. The links stand whatever comes of it."""
    odoo = bridge.instances[bridge.settings.odoo_instance]
    try:
        keys = _people(bridge).without_approver(tenant)
        for start in range(0, len(keys), PAGE):
            odoo.requeue_changes(keys[start : start + PAGE])
    except BridgeError:
        say("the link is made; approvals from before follow when the same command is run again")
        raise


def _check_free(everybody: Sequence[AppUser], one: AppUser, chosen: OdooUser, tenant: Tenant) -> None:
    for other in everybody:
        if other.id != one.id and other.linked and other.linked.odoo_id == chosen.id:
            raise click.UsageError(
                f"{chosen.login} of Odoo is {other.email} of {tenant.subdomain} already; "
                f"to change that: c360 user unlink --tenant {tenant.subdomain} {other.email}"
            )


def _proposed(person: Person) -> OdooUser:
    """Whom Odoo has for this user. Raises UsageError where that is not one single person."""
    if person.proposed:
        return person.proposed
    email = person.user.email
    if person.standing in (Standing.LINKED, Standing.LOST):
        raise click.UsageError(f"{email} is linked with {person.user.link.login if person.user.link else ''} already")
    if person.standing is Standing.AMBIGUOUS:
        logins = ", ".join(match.login for match in person.matches)
        raise click.UsageError(f"{email} is ambiguous ({logins}); say which one it is with c360 user link")
    raise click.UsageError(f"nobody is proposed for {email}: no other user of Odoo has this e-mail address")


def _one(everybody: Sequence[AppUser], given: str, tenant: Tenant) -> AppUser:
    """The user of the tenant that is meant. Raises UsageError if there is none or more than one."""
    tests: tuple[Callable[[AppUser], bool], ...] = (
        lambda item: given in (str(item.id), item.email),
        lambda item: item.email.casefold() == given.casefold(),
    )
    for test in tests:
        if len(meant := [item for item in everybody if test(item)]) == 1:
            return meant[0]
    if meant:
        raise click.UsageError(f"{given} is several users of {tenant.subdomain}; name one by its id")
    raise click.UsageError(f"{tenant.subdomain} has no user {given} in the app; see: c360 user list")


def _tenant(bridge: Bridge, given: str) -> Tenant:
    return _tenants(bridge, given)[0]


def _tenants(bridge: Bridge, given: str | None) -> Sequence[Tenant]:
    return found(Backfills(bridge.database, bridge.settings.odoo_instance).tenants(given), given)


def _people(bridge: Bridge) -> People:
    return People(bridge.database, bridge.settings.odoo_instance)


def _internal_user(bridge: Bridge, login: str) -> OdooUser:
    for item in _internal_users(bridge):
        if item.login == login:
            return item
    raise click.UsageError(f"nobody who works in Odoo signs in as {login}; portal users and archived ones do not count")


def _internal_users(bridge: Bridge) -> list[OdooUser]:
    odoo = bridge.instances[bridge.settings.odoo_instance]
    users, more = odoo.internal_users("", PAGE)
    while more:
        page, more = odoo.internal_users(str(users[-1].id), PAGE)
        users += page
    return users


def _who() -> str:
    return f"{getpass.getuser()} (c360)"


def _row(tenant: Tenant, person: Person) -> Sequence[object]:
    login = person.user.linked.login if person.user.linked else ""
    matches = ", ".join(match.login for match in person.matches)
    return tenant.subdomain, person.user.email, person.user.name, login, _WORDS[person.standing], matches


def _json(tenant: Tenant, person: Person) -> dict[str, Any]:
    link = person.user.link
    return {
        "tenant": tenant.subdomain,
        "id": str(person.user.id),
        "email": person.user.email,
        "name": person.user.name,
        "state": person.standing.value,
        "decided": None
        if link is None
        else {
            "odoo_id": link.odoo_id,
            "login": link.login,
            "state": link.state.value,
            "by": link.by,
            "at": link.at,
        },
        "matches": [{"odoo_id": item.id, "login": item.login, "name": item.name} for item in person.matches],
    }
