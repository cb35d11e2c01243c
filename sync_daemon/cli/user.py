"""`c360 user`: links between users of the app and users of Odoo."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.backfill import found, tenant_option
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.operations.user_links import AppUser, LinkState, OdooUser, Person, Standing, people
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import BridgeError
from sync_daemon.postgres.admin.user_links import LinkDecision, UserLinks
from sync_daemon.postgres.backfill import Backfills

PAGE = 1_000

_named_tenant = click.option("--tenant", required=True, help="Tenant of the user (subdomain or UUID).")
_dry_run = click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
_WORDS = {
    Standing.LINKED: "linked",
    Standing.LOST: "linked, but no longer an internal user of Odoo",
    Standing.PROPOSED: "proposed",
    Standing.AMBIGUOUS: "ambiguous: several users share this email address",
    Standing.DECLINED: "declined",
    Standing.UNKNOWN: "",
}


@click.group()
def user() -> None:
    """Link users of the app to users of Odoo."""


@user.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str | None, as_json: bool) -> None:
    """List app users with their linked or proposed Odoo users.

    A single Odoo user with the same email address is proposed. Exit code 3 if someone is linked to a user who is no
    longer an internal user of Odoo.

    Example: c360 user list --tenant agency1
    """
    with open_bridge(load_settings()) as bridge:
        working = _internal_users(bridge)
        listed = [(item, people(_people(bridge).of(item), working)) for item in _tenants(bridge, tenant)]
    if as_json:
        print_json([_json(item, person) for item, persons in listed for person in persons])
    else:
        columns = ("tenant", "app user", "name", "Odoo user", "state", "Odoo users with the same email")
        print_table("Users", columns, [_row(item, person) for item, persons in listed for person in persons])
    lost = any(person.standing is Standing.LOST for _, persons in listed for person in persons)
    sys.exit(3 if lost else 0)


@user.command()
@_named_tenant
@click.argument("app_user", metavar="APP_USER")
@click.argument("login", metavar="ODOO_LOGIN")
@_dry_run
def link(tenant: str, app_user: str, login: str, dry_run: bool) -> None:
    """Link APP_USER to the Odoo user with login ODOO_LOGIN.

    APP_USER is an email address or id. The Odoo user becomes salesperson of the leads assigned to APP_USER, and the app
    names APP_USER as approver of commissions that the Odoo user approves.

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
@click.option("--all", "every", is_flag=True, help="Confirm every proposal.")
@_dry_run
def confirm(tenant: str, app_users: Sequence[str], every: bool, dry_run: bool) -> None:
    """Confirm proposed links of one, several or all users.

    `c360 user list` shows the proposals. APP_USER is an email address or id.

    Example: c360 user confirm --tenant agency1 thandi@agency1.example
    """
    if bool(app_users) == every:
        raise click.UsageError("name at least one APP_USER, or use --all")
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
    """Remove the link of APP_USER, or decline a proposal.

    The same pair is not proposed again. Leads lose the salesperson that the link gave them. Approvers of commissions
    stay named on both sides.

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
            _people(bridge).decide(owner, LinkDecision(one.id, other_id, login, LinkState.DECLINED, actor()))
    say(f"{'would mark' if dry_run else 'marked'} {one.email} of {owner.subdomain} and Odoo user {login} as two people")


def _confirm(bridge: Bridge, tenant: Tenant, pairs: Sequence[tuple[AppUser, OdooUser]], dry_run: bool) -> None:
    for one, other in pairs:
        if not dry_run:
            decision = LinkDecision(one.id, other.id, other.login, LinkState.CONFIRMED, actor())
            _people(bridge).decide(tenant, decision)
        say(f"{'would link' if dry_run else 'linked'} {one.email} of {tenant.subdomain} to Odoo user {other.login}")
    if not pairs:
        say(f"no proposals for {tenant.subdomain}")
    elif not dry_run:
        _ask_for_approvers(bridge, tenant)


def _ask_for_approvers(bridge: Bridge, tenant: Tenant) -> None:
    """Ask Odoo again for approvals whose approver the app did not know. The links stand even if this fails."""
    odoo = bridge.instances[bridge.settings.odoo_instance]
    try:
        keys = _people(bridge).without_approver(tenant)
        for start in range(0, len(keys), PAGE):
            odoo.requeue_changes(keys[start : start + PAGE])
    except BridgeError:
        say("the link is made; to fetch earlier approvals, run the same command again")
        raise


def _check_free(everybody: Sequence[AppUser], one: AppUser, chosen: OdooUser, tenant: Tenant) -> None:
    for other in everybody:
        if other.id != one.id and other.linked and other.linked.odoo_id == chosen.id:
            raise click.UsageError(
                f"Odoo user {chosen.login} is already linked to {other.email} of {tenant.subdomain}; "
                f"to change that, run: c360 user unlink --tenant {tenant.subdomain} {other.email}"
            )


def _proposed(person: Person) -> OdooUser:
    """The proposed Odoo user. Raises UsageError unless there is exactly one."""
    if person.proposed:
        return person.proposed
    email = person.user.email
    if person.standing in (Standing.LINKED, Standing.LOST):
        raise click.UsageError(f"{email} is already linked to {person.user.link.login if person.user.link else ''}")
    if person.standing is Standing.AMBIGUOUS:
        logins = ", ".join(match.login for match in person.matches)
        raise click.UsageError(f"{email} matches several Odoo users ({logins}); choose one with: c360 user link")
    raise click.UsageError(f"no proposal for {email}: no other Odoo user has this email address")


def _one(everybody: Sequence[AppUser], given: str, tenant: Tenant) -> AppUser:
    """The tenant's user that is meant. Raises UsageError if there is none or more than one."""
    tests: tuple[Callable[[AppUser], bool], ...] = (
        lambda item: given in (str(item.id), item.email),
        lambda item: item.email.casefold() == given.casefold(),
    )
    for test in tests:
        if len(meant := [item for item in everybody if test(item)]) == 1:
            return meant[0]
    if meant:
        raise click.UsageError(f"{given} matches several users of {tenant.subdomain}; use the id")
    raise click.UsageError(f"tenant {tenant.subdomain} has no app user {given}; see: c360 user list")


def _tenant(bridge: Bridge, given: str) -> Tenant:
    return _tenants(bridge, given)[0]


def _tenants(bridge: Bridge, given: str | None) -> Sequence[Tenant]:
    return found(Backfills(bridge.database, bridge.settings.odoo_instance).tenants(given), given)


def _people(bridge: Bridge) -> UserLinks:
    return UserLinks(bridge.database, bridge.settings.odoo_instance)


def _internal_user(bridge: Bridge, login: str) -> OdooUser:
    for item in _internal_users(bridge):
        if item.login == login:
            return item
    raise click.UsageError(f"no internal user of Odoo has login {login}; portal and archived users cannot be linked")


def _internal_users(bridge: Bridge) -> list[OdooUser]:
    odoo = bridge.instances[bridge.settings.odoo_instance]
    users, more = odoo.internal_users("", PAGE)
    while more:
        page, more = odoo.internal_users(str(users[-1].id), PAGE)
        users += page
    return users


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
