"""What must be true at the end: pure functions over what was asked for and what was read."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.torture.history import Action, History, Side
from tests.torture.reader import Findings, Row
from tests.torture.workload import BAD_CHARACTER, owner

LOST, DOUBLED, UNEXPECTED, DIFFERING = "lost", "doubled", "unexpected", "differing"
MOST_USED = {"bytes of memory": 200_000_000, "open files": 200, "threads": 60}
KINDS = (LOST, DOUBLED, UNEXPECTED, DIFFERING)
PROGRESS = {"pending": 0, "approved": 1, "paid": 2}
DECIDED = ("status", "approved_at", "paid_at", "payment_reference")


@dataclass(frozen=True)
class Fault:
    """Something that must not be, as a sentence."""

    kind: str
    sentence: str


def check(history: History, found: Findings) -> list[Fault]:
    """Everything that is wrong."""
    return [fault for invariant in INVARIANTS for fault in invariant(history, found)]


def nothing_is_lost(history: History, found: Findings) -> Iterator[Fault]:
    """What was acknowledged is in the app, what flows has its counterpart in Odoo."""
    for entity, rows in (("registration", found.registrations), ("commission", found.commissions)):
        gone = history.touched(entity, Action.DELETE, Side.APP)
        for identity in sorted(history.inserted(entity) - gone - {row["id"] for row in rows}):
            yield Fault(LOST, f"{entity} {identity} was committed in the app and is not there")
    leads, records = _ids(found.leads), _ids(found.records)
    bad = _poisoned(found)
    drafts = {row["id"] for row in found.registrations if row["status"] == "draft"}
    for row in found.registrations:
        if row["id"] not in leads | bad | drafts:
            yield Fault(LOST, f"registration {row['id']} ({row['status']}) has no lead")
    deleted_in_odoo = history.touched("commission", Action.DELETE, Side.ODOO)
    for row in found.commissions:
        if row["registration_id"] not in bad | drafts and row["id"] not in records | deleted_in_odoo:
            yield Fault(LOST, f"commission {row['id']} has no x_commission")


def customers_and_agents_are_there(history: History, found: Findings) -> Iterator[Fault]:
    """The client of an approved registration and the agent of a commission are partners."""
    partners = _ids(found.partners)
    bad = _poisoned(found)
    wanted = {row["client_id"]: "client" for row in found.registrations
              if row["status"] == "approved" and row["id"] not in bad}
    agents = {row["agent_id"]: "agent" for row in found.commissions if row["id"] in _ids(found.records)}
    for identity, what in sorted({**wanted, **agents}.items()):
        if identity not in partners:
            yield Fault(LOST, f"{what} {identity} is no partner")


def decisions_arrived(history: History, found: Findings) -> Iterator[Fault]:
    """What people in Odoo decided and were told is done, is so in the app."""
    apart = _apart(history, found)
    commissions = {row["id"]: row for row in found.commissions}
    clients = {row["id"]: row for row in found.clients}
    by_app = history.touched("commission", Action.UPDATE, Side.APP)
    open_conflicts = {(row["id"], row["field"]) for row in found.conflicts}
    for entity, rows in (("commission", commissions), ("client", clients)):
        for identity, fields in history.possible(entity, Side.ODOO).items():
            if identity in apart or identity not in rows:
                continue
            for name, values in fields.items():
                present = _text(rows[identity][name])
                if present in values or (identity, name) in open_conflicts or name == "phone":
                    continue
                if entity == "commission" and owner(identity) == "both" and identity in by_app and "paid" not in values:
                    continue
                yield Fault(LOST, f"{name} of {entity} {identity} was set to {sorted(values)} in Odoo; the app has "
                                  f"{present!r}")


def the_app_keeps_its_own(history: History, found: Findings) -> Iterator[Fault]:
    """What is the app's to decide stands as the app wrote it last."""
    for entity, rows, names in (
        ("registration", found.registrations, ("company_name", "status")),
        ("client", found.clients, ("city",)),
    ):
        possible = history.possible(entity, Side.APP)
        for row in rows:
            for name in names:
                values = possible.get(row["id"], {}).get(name)
                if values is not None and row[name] not in values:
                    yield Fault(LOST, f"{name} of {entity} {row['id']} was set to {sorted(values)} in the app; it has "
                                      f"{row[name]!r}")


def what_is_deleted_is_archived(history: History, found: Findings) -> Iterator[Fault]:
    """The lead of a registration that is gone shows that it is."""
    here = _ids(found.registrations)
    gone = history.touched("registration", Action.DELETE, Side.APP) - here
    for row in found.leads:
        if row["id"] in gone and row["active"]:
            yield Fault(DIFFERING, f"registration {row['id']} was deleted in the app, and its lead does not show it")


def nothing_is_doubled(_history: History, found: Findings) -> Iterator[Fault]:
    """Each record of the app has one counterpart, archived ones counted, and the other way round."""
    for what, rows in (("leads", found.leads), ("x_commissions", found.records), ("partners", found.partners)):
        counts = Counter((row["tenant"], row["id"]) for row in rows if row["id"])
        for (_, identity), count in sorted(counts.items()):
            if count > 1:
                yield Fault(DOUBLED, f"{identity} has {count} {what}")
    bound = Counter((row["res_model"], row["res_id"]) for row in found.bindings if row["state"] == "active")
    for (model, record), count in sorted(bound.items()):
        if count > 1:
            yield Fault(DOUBLED, f"{model} {record} is bound {count} times")


def nothing_came_from_nowhere(history: History, found: Findings) -> Iterator[Fault]:
    """Odoo holds only what was asked for, and nothing that was taken back."""
    for entity, rows in (("registration", found.leads), ("commission", found.records), ("client", found.partners)):
        known, undone = history.tenants(entity), history.undone(entity)
        if entity == "client":
            known, undone = {**known, **history.tenants("user")}, undone | history.undone("user")
        for row in rows:
            if row["id"] in undone:
                yield Fault(UNEXPECTED, f"{entity} {row['id']} was taken back by the app, and is in Odoo")
            elif row["id"] is not None and row["id"] not in known:
                yield Fault(UNEXPECTED, f"{entity} {row['id']} is in Odoo, and nobody asked for it")


def tenants_stay_apart(history: History, found: Findings) -> Iterator[Fault]:
    """No record of one tenant is at another one, nor refers to one of another."""
    known = {**history.tenants("registration"), **history.tenants("commission"), **history.tenants("client"),
             **history.tenants("user")}
    for row in (*found.leads, *found.records, *found.partners, *found.bindings, *found.odoo_bindings):
        if known.get(row["id"], row["tenant"]) != row["tenant"]:
            yield Fault(UNEXPECTED, f"{row['id']} of tenant {known[row['id']]} is at tenant {row['tenant']}")
    partners = {row["odoo_id"]: row["tenant"] for row in found.partners}
    leads = {row["odoo_id"]: row["tenant"] for row in found.leads}
    for row, reference, owners in (
        *((row, row["partner_id"], partners) for row in found.leads),
        *((row, row["agent_id"], partners) for row in found.records),
        *((row, row["lead_id"], leads) for row in found.records),
    ):
        if reference is not None and owners.get(reference) != row["tenant"]:
            yield Fault(UNEXPECTED, f"{row['id']} of tenant {row['tenant']} refers to a record of another one")


def nothing_is_owed(_history: History, found: Findings) -> Iterator[Fault]:
    """No record waits or is in flight on either side, but what is dead."""
    for row in found.owed:
        if not row["is_dead"]:
            yield Fault(DIFFERING, f"{row['entity']} {row['id']} is still owed: {row['last_error'] or 'not tried'}")
    for row in found.odoo_marks:
        if row["state"] == "pending":
            yield Fault(DIFFERING, f"{row['entity']} {row['id']} still waits in Odoo: {row['op']}")


def causes_are_true(history: History, found: Findings) -> Iterator[Fault]:
    """Each parked record is one that was to be parked, and each one that was to be parked is."""
    poison = {hashlib.sha256(body).hexdigest()[:32] for body in history.messages}
    true = _true_letters(history, found, poison)
    for letter in found.letters:
        if letter["id"] not in true:
            yield Fault(UNEXPECTED, f"{letter['entity']} {letter['record_id']} is parked without a true cause: "
                                    f"{letter['code']}: {letter['message']}")
    named = {letter["record_id"] for letter in found.letters}
    drafts = {row["id"] for row in found.registrations if row["status"] == "draft"}
    for identity in sorted(_poisoned(found) - drafts):
        if str(identity) not in named:
            yield Fault(LOST, f"registration {identity} cannot go, and nobody was told")
    told = {row["id"] for row in found.letters if row["tenant"].int}
    shown = {row["id"] for row in found.issues if row["state"] == "open"}
    for identity in sorted(told ^ shown):
        sides = ("open", "not shown") if identity in told else ("closed", "shown")
        yield Fault(DIFFERING, f"the letter {identity} is {sides[0]} in the app, and {sides[1]} in Odoo")


def values_are_equal(history: History, found: Findings) -> Iterator[Fault]:
    """What is to be equal on both sides is."""
    apart = _apart(history, found)
    in_conflict = {(row["id"], row["field"]) for row in found.conflicts}
    for entity, here, there, pairs in (
        ("registration", found.registrations, found.leads, _REGISTRATION),
        ("client", found.clients, found.partners, _CLIENT),
        ("user", found.users, found.partners, _USER),
        ("commission", found.commissions, found.records, _COMMISSION),
    ):
        counterparts = {row["id"]: row for row in there}
        for row in here:
            other = counterparts.get(row["id"])
            if other is None or row["id"] in apart:
                continue
            for name, (mine, theirs) in pairs.items():
                if (row["id"], name) in in_conflict:
                    continue
                if mine(row) != theirs(other):
                    yield Fault(DIFFERING, f"{name} of {entity} {row['id']}: the app has {mine(row)!r}, Odoo "
                                           f"{theirs(other)!r}")
    yield from _references_are_equal(history, found)


def sums_are_equal(history: History, found: Findings) -> Iterator[Fault]:
    """Per tenant, currency and state the commissions come to the same sum, to the cent."""
    apart = _apart(history, found) | {row["id"] for row in found.conflicts}
    there = {row["id"] for row in found.records}
    here = _sums(row for row in found.commissions if row["id"] not in apart and row["id"] in there)
    sums = _sums(row for row in found.records if row["id"] not in apart)
    for key in sorted(here.keys() | sums.keys()):
        if here.get(key) != sums.get(key):
            tenant, currency, status = key
            yield Fault(DIFFERING, f"{currency} {status} of {tenant}: {here.get(key)} in the app, {sums.get(key)} in "
                                   "Odoo")


def books_are_equal(_history: History, found: Findings) -> Iterator[Fault]:
    """Both sides name the same pairs of records."""
    here = {(row["entity"], row["id"]): (row["res_model"], row["res_id"], row["state"]) for row in found.bindings}
    there = {(row["entity"], row["id"]): (row["res_model"], row["res_id"], row["state"]) for row in found.odoo_bindings}
    for key in sorted(here.keys() | there.keys()):
        if here.get(key) != there.get(key):
            sides = f"{here.get(key)} in the app, {there.get(key)} in Odoo"
            yield Fault(DIFFERING, f"{key[0]} {key[1]} is bound to {sides}")


def nobody_wrote(before: Mapping[str, str], after: Mapping[str, str], when: str) -> list[Fault]:
    """Nothing changed in either database."""
    return [Fault(UNEXPECTED, f"{table} changed {when}") for table in sorted(before) if before[table] != after[table]]


def daemons_behaved(lines: Iterable[str]) -> list[Fault]:
    """No service died of an error that nobody had foreseen."""
    signs = ("service.crashed", "Traceback (most recent call last)")
    return [Fault(UNEXPECTED, f"a daemon's log says: {line[:300]}") for line in lines if any(s in line for s in signs)]


def nothing_piled_up(memory: int, files: int, threads: int) -> list[Fault]:
    """What the largest daemon used at its peak: bytes, open files, threads."""
    used = {"bytes of memory": memory, "open files": files, "threads": threads}
    return [Fault(UNEXPECTED, f"a daemon had {used[what]} {what}, more than {most}")
            for what, most in MOST_USED.items() if used[what] > most]


def faults_struck(errors: Iterable[str]) -> list[Fault]:
    """Every fault could be carried out: a test that does less than it says proves less."""
    return [Fault(UNEXPECTED, error) for error in errors]


INVARIANTS: tuple[Callable[[History, Findings], Iterable[Fault]], ...] = (
    nothing_is_lost,
    customers_and_agents_are_there,
    decisions_arrived,
    the_app_keeps_its_own,
    what_is_deleted_is_archived,
    nothing_is_doubled,
    nothing_came_from_nowhere,
    tenants_stay_apart,
    nothing_is_owed,
    causes_are_true,
    values_are_equal,
    sums_are_equal,
    books_are_equal,
)


def _true_letters(history: History, found: Findings, poison: set[str]) -> set[UUID]:
    bad = {str(identity) for identity in _poisoned(found)}
    blocked = {str(row["id"]) for row in found.commissions if str(row["registration_id"]) in bad}
    deleted = {str(identity) for identity in history.touched("commission", Action.DELETE, Side.APP)}
    unlinked = {str(identity) for identity in history.touched("commission", Action.DELETE, Side.ODOO)}
    disputed = {str(identity) for identity in _disputed(history)}
    values = {(row["entity"], str(row["id"]), row["field"]): row for row in found.conflicts}
    present = {str(row["id"]): row for row in found.commissions}
    causes: dict[str, Callable[[Row], bool]] = {
        "forbidden_character": lambda letter: letter["record_id"] in bad,
        "blocked": lambda letter: letter["record_id"] in blocked,
        "deleted_in_app": lambda letter: letter["record_id"] in deleted and letter["record_id"] not in present,
        "no_such_row": lambda letter: letter["record_id"] in deleted and letter["record_id"] not in present,
        "unlinked": lambda letter: letter["record_id"] in unlinked,
        "conflict": lambda letter: letter["record_id"] in disputed
        and (letter["entity"], letter["record_id"], letter["field"]) in values,
    }
    return {
        letter["id"]
        for letter in found.letters
        if (letter["entity"] == "message" and letter["record_id"] in poison)
        or causes.get(letter["code"], lambda _letter: False)(letter)
    }


def _disputed(history: History) -> set[UUID]:
    """Records that both sides really changed, and that they were to change."""
    return {
        identity
        for entity in ("commission", "client")
        for identity in history.touched(entity, Action.UPDATE, Side.APP)
        & history.touched(entity, Action.UPDATE, Side.ODOO)
        if owner(identity) == "both"
    }


def _apart(history: History, found: Findings) -> set[UUID]:
    """Records that a person has to look at before both sides can be equal again."""
    gone = history.touched("commission", Action.DELETE, Side.ODOO) | history.touched(
        "commission", Action.DELETE, Side.APP
    )
    return gone | _poisoned(found)


def _poisoned(found: Findings) -> set[UUID]:
    return {row["id"] for row in found.registrations if BAD_CHARACTER in row["company_name"]}


def _references_are_equal(history: History, found: Findings) -> Iterator[Fault]:
    partners = {row["odoo_id"]: row["id"] for row in found.partners}
    leads = {row["odoo_id"]: row["id"] for row in found.leads}
    records = {row["id"]: row for row in found.records}
    by_id = {row["id"]: row for row in found.leads}
    for row in found.registrations:
        if (lead := by_id.get(row["id"])) and row["odoo_lead_id"] != lead["odoo_id"]:
            sides = f"names {row['odoo_lead_id']}, it is {lead['odoo_id']}"
            yield Fault(DIFFERING, f"registration {row['id']} {sides}")
        if lead and lead["partner_id"] and partners.get(lead["partner_id"]) != row["client_id"]:
            yield Fault(DIFFERING, f"the lead of registration {row['id']} has another customer")
    gone = _apart(history, found)
    for row in found.commissions:
        if (record := records.get(row["id"])) is None or row["id"] in gone:
            continue
        if row["odoo_commission_id"] != record["odoo_id"]:
            sides = f"names {row['odoo_commission_id']}, it is {record['odoo_id']}"
            yield Fault(DIFFERING, f"commission {row['id']} {sides}")
        parents = leads.get(record["lead_id"]), partners.get(record["agent_id"])
        if parents != (row["registration_id"], row["agent_id"]):
            yield Fault(DIFFERING, f"commission {row['id']} has another registration or agent in Odoo")


def _sums(rows: Iterable[Row]) -> dict[tuple[str, str, str], tuple[int, Decimal]]:
    sums: defaultdict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        sums[str(row["tenant"]), row["currency"], row["status"]].append(_money(row["commission_amount"]))
    return {key: (len(amounts), sum(amounts, Decimal())) for key, amounts in sums.items()}


def _ids(rows: Iterable[Row]) -> set[UUID]:
    return {row["id"] for row in rows if row["id"]}


def _text(value: Any) -> str:
    """A text in the form both sides agree on: one kind of line end, no blanks at the ends, nothing is empty."""
    return str(value or "").replace("\r\n", "\n").replace("\r", "\n").strip()


def _money(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _moment(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if value else ""


def _digits(value: Any) -> str:
    return "".join(letter for letter in str(value or "") if letter.isdigit())


def _of(name: str, how: Callable[[Any], Any]) -> Callable[[Row], Any]:
    return lambda row: how(row[name])


Pairs = Mapping[str, tuple[Callable[[Row], Any], Callable[[Row], Any]]]


def _same(how: Callable[[Any], Any], *names: str) -> dict[str, tuple[Callable[[Row], Any], Callable[[Row], Any]]]:
    return {name: (_of(name, how), _of(name, how)) for name in names}


_REGISTRATION: Pairs = {
    "company_name": (_of("company_name", _text), _of("partner_name", _text)),
    **_same(_text, "status", "registration_type", "jurisdiction"),
    **_same(_moment, "submitted_at", "approved_at"),
    **_same(bool, "active"),
}
_CLIENT: Pairs = {
    **_same(_text, "name", "email", "tax_number", "street", "city", "postal_code", "country"),
    # Odoo may write a number in another form
    **_same(_digits, "phone"),
}
_USER: Pairs = _same(_text, "name", "email")
_COMMISSION: Pairs = {
    **_same(_money, "registration_fee", "commission_rate", "commission_amount"),
    **_same(_text, "currency", "status", "payment_reference"),
    **_same(_moment, "approved_at", "paid_at"),
}
