"""What must be true at the end: pure functions over what was asked for and what was read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.torture.aside import apart, disputed, drafts, ids, leads_of, merged, poisoned, without_lead
from tests.torture.breach import DIFFERING, DOUBLED, LOST, UNEXPECTED, Breach
from tests.torture.canon import digits, moment, money, text
from tests.torture.discrepancies import CODES, discrepant, unpaid_by_their_bill
from tests.torture.history import Action, History, Side
from tests.torture.papers import customers_show_documents, documents_are_whole, invoices_are_equal
from tests.torture.reader import Findings, Row
from tests.torture.shares import owner

SHOWN = 700
"""Letters of a log's line: an error stands at its end."""
MOST_USED = {"bytes of memory": 200_000_000, "open files": 200, "threads": 60}
OUTCOMES = {"pending": "open", "won": "won", "lost": "lost"}
REFUSED_A_COPY = 78
"""The exit code of a daemon that ended before it did anything."""

OF_A_COPY = "Of the copy"
"""A name that only a copy of the app's database has."""


def check(history: History, found: Findings) -> list[Breach]:
    """Everything that is wrong."""
    return [breach for invariant in INVARIANTS for breach in invariant(history, found)]


def nothing_is_lost(history: History, found: Findings) -> Iterator[Breach]:
    """What was acknowledged is in the app, what flows has its counterpart in Odoo."""
    for entity, rows in (
        ("registration", found.registrations),
        ("commission", found.commissions),
        ("document", found.documents),
    ):
        gone = history.touched(entity, Action.DELETE, Side.APP)
        for identity in sorted(history.inserted(entity) - gone - {row["id"] for row in rows}):
            yield Breach(LOST, f"{entity} {identity} was committed in the app and is not there")
    excused = poisoned(found) | drafts(found) | without_lead(history, found)
    leads = set(leads_of(history, found))
    for row in found.registrations:
        if row["id"] not in leads | excused:
            yield Breach(LOST, f"registration {row['id']} ({row['status']}) has no lead")
    records, deleted_in_odoo = ids(found.records), history.touched("commission", Action.DELETE, Side.ODOO)
    for row in found.commissions:
        if row["registration_id"] not in excused and row["id"] not in records | deleted_in_odoo:
            yield Breach(LOST, f"commission {row['id']} has no x_commission")


def customers_and_agents_are_there(history: History, found: Findings) -> Iterator[Breach]:
    """The client of an approved registration and the agent of a commission are partners."""
    partners = ids(found.partners)
    bad = poisoned(found)
    wanted = {
        row["client_id"]: "client"
        for row in found.registrations
        if row["status"] == "approved" and row["id"] not in bad
    }
    agents = {row["agent_id"]: "agent" for row in found.commissions if row["id"] in ids(found.records)}
    for identity, what in sorted({**wanted, **agents}.items()):
        if identity not in partners:
            yield Breach(LOST, f"{what} {identity} is no partner")


def decisions_arrived(history: History, found: Findings) -> Iterator[Breach]:
    """What people in Odoo decided and were told is done, is so in the app."""
    aside = apart(history, found)
    commissions = {row["id"]: row for row in found.commissions}
    clients = {row["id"]: row for row in found.clients}
    by_app = history.touched("commission", Action.UPDATE, Side.APP)
    open_conflicts = {(row["id"], row["field"]) for row in found.conflicts}
    aside |= unpaid_by_their_bill(history, found)
    for entity, rows in (("commission", commissions), ("client", clients)):
        for identity, fields in history.possible(entity, Side.ODOO).items():
            if identity in aside or identity not in rows:
                continue
            for name, values in fields.items():
                present = text(rows[identity][name])
                if present in values or (identity, name) in open_conflicts or name == "phone":
                    continue
                if entity == "commission" and owner(identity) == "both" and identity in by_app and "paid" not in values:
                    continue
                yield Breach(
                    LOST, f"{name} of {entity} {identity} was set to {sorted(values)} in Odoo; the app has {present!r}"
                )


def the_app_keeps_its_own(history: History, found: Findings) -> Iterator[Breach]:
    """What is the app's to decide stands as the app wrote it last."""
    for entity, rows, names in (
        ("registration", found.registrations, ("company_name", "status")),
        ("client", found.clients, ("city", "email")),
    ):
        possible = history.possible(entity, Side.APP)
        for row in rows:
            for name in names:
                values = possible.get(row["id"], {}).get(name)
                if values is not None and row[name] not in values:
                    yield Breach(
                        LOST,
                        f"{name} of {entity} {row['id']} was set to {sorted(values)} in the app; it has {row[name]!r}",
                    )


def what_is_deleted_is_archived(history: History, found: Findings) -> Iterator[Breach]:
    """The lead of a registration that is gone shows that it is."""
    here = ids(found.registrations)
    gone = history.touched("registration", Action.DELETE, Side.APP) - here
    for row in found.leads:
        if row["id"] in gone - merged(history) and row["active"]:
            yield Breach(DIFFERING, f"registration {row['id']} was deleted in the app, and its lead does not show it")


def nothing_is_doubled(_history: History, found: Findings) -> Iterator[Breach]:
    """Each record of the app has one counterpart, archived ones counted, and the other way round."""
    for what, rows in (("leads", found.leads), ("x_commissions", found.records), ("partners", found.partners)):
        counts = Counter((row["tenant"], row["id"]) for row in rows if row["id"])
        for (_, identity), count in sorted(counts.items()):
            if count > 1:
                yield Breach(DOUBLED, f"{identity} has {count} {what}")
    bound = Counter((row["res_model"], row["res_id"]) for row in found.bindings if row["state"] == "active")
    for (model, record), count in sorted(bound.items()):
        if count > 1:
            yield Breach(DOUBLED, f"{model} {record} is bound {count} times")


def nothing_came_from_nowhere(history: History, found: Findings) -> Iterator[Breach]:
    """Odoo holds only what was asked for, and nothing that was taken back."""
    for entity, rows in (
        ("registration", found.leads),
        ("commission", found.records),
        ("client", found.partners),
        ("document", found.attachments),
    ):
        known, undone = history.tenants(entity), history.undone(entity)
        if entity == "client":
            known, undone = {**known, **history.tenants("user")}, undone | history.undone("user")
        for row in rows:
            if row["id"] in undone:
                yield Breach(UNEXPECTED, f"{entity} {row['id']} was taken back by the app, and is in Odoo")
            elif row["id"] is not None and row["id"] not in known:
                yield Breach(UNEXPECTED, f"{entity} {row['id']} is in Odoo, and nobody asked for it")


def tenants_stay_apart(history: History, found: Findings) -> Iterator[Breach]:
    """No record of one tenant is at another one, nor refers to one of another."""
    known = {
        **history.tenants("registration"),
        **history.tenants("commission"),
        **history.tenants("client"),
        **history.tenants("user"),
        **history.tenants("document"),
    }
    for row in (
        *found.leads,
        *found.records,
        *found.partners,
        *found.attachments,
        *found.bindings,
        *found.odoo_bindings,
    ):
        if known.get(row["id"], row["tenant"]) != row["tenant"]:
            yield Breach(UNEXPECTED, f"{row['id']} of tenant {known[row['id']]} is at tenant {row['tenant']}")
    partners = {row["odoo_id"]: row["tenant"] for row in found.partners}
    leads = {row["odoo_id"]: row["tenant"] for row in found.leads}
    for row, reference, owners in (
        *((row, row["partner_id"], partners) for row in found.leads),
        *((row, row["agent_id"], partners) for row in found.records),
        *((row, row["lead_id"], leads) for row in found.records),
        *((row, row["lead_id"], leads) for row in found.moves),
    ):
        if reference is not None and owners.get(reference) != row["tenant"]:
            yield Breach(UNEXPECTED, f"{row['id']} of tenant {row['tenant']} refers to a record of another one")


def nothing_is_owed(_history: History, found: Findings) -> Iterator[Breach]:
    """No record waits or is in flight on either side, but what is dead."""
    for row in found.owed:
        if not row["is_dead"]:
            yield Breach(DIFFERING, f"{row['entity']} {row['id']} is still owed: {row['last_error'] or 'not tried'}")
    for row in found.odoo_marks:
        if row["state"] == "pending":
            yield Breach(DIFFERING, f"{row['entity']} {row['id']} still waits in Odoo: {row['op']}")


def causes_are_true(history: History, found: Findings) -> Iterator[Breach]:
    """Each parked record is one that was to be parked, and each one that was to be parked is."""
    true = _true_letters(history, found)
    for letter in found.letters:
        if letter["id"] not in true:
            yield Breach(
                UNEXPECTED,
                f"{letter['entity']} {letter['record_id']} is parked without a true cause: "
                f"{letter['code']}: {letter['message']}",
            )
    named = {letter["record_id"] for letter in found.letters}
    for identity in sorted(poisoned(found) - drafts(found)):
        if str(identity) not in named:
            yield Breach(LOST, f"registration {identity} cannot go, and nobody was told")
    for identity in sorted(discrepant(history, found)):
        if str(identity) not in named:
            yield Breach(LOST, f"commission {identity} has another amount than was paid, and nobody was told")
    told = {row["id"] for row in found.letters if row["tenant"].int}
    shown = {row["id"] for row in found.issues if row["state"] == "open"}
    for identity in sorted(told ^ shown):
        sides = ("open", "not shown") if identity in told else ("closed", "shown")
        yield Breach(DIFFERING, f"the letter {identity} is {sides[0]} in the app, and {sides[1]} in Odoo")


def values_are_equal(history: History, found: Findings) -> Iterator[Breach]:
    """What is to be equal on both sides is."""
    aside = apart(history, found)
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
            if other is None or row["id"] in aside:
                continue
            for name, (mine, theirs) in pairs.items():
                if (row["id"], name) in in_conflict:
                    continue
                if mine(row) != theirs(other):
                    yield Breach(
                        DIFFERING, f"{name} of {entity} {row['id']}: the app has {mine(row)!r}, Odoo {theirs(other)!r}"
                    )
    yield from _references_are_equal(history, found)


def sums_are_equal(history: History, found: Findings) -> Iterator[Breach]:
    """Per tenant, currency and state the commissions come to the same sum, to the cent."""
    aside = apart(history, found) | {row["id"] for row in found.conflicts}
    there = {row["id"] for row in found.records}
    here = _sums(row for row in found.commissions if row["id"] not in aside and row["id"] in there)
    sums = _sums(row for row in found.records if row["id"] not in aside)
    for key in sorted(here.keys() | sums.keys()):
        if here.get(key) != sums.get(key):
            tenant, currency, status = key
            yield Breach(
                DIFFERING, f"{currency} {status} of {tenant}: {here.get(key)} in the app, {sums.get(key)} in Odoo"
            )


def books_are_equal(_history: History, found: Findings) -> Iterator[Breach]:
    """Both sides name the same pairs of records."""
    here = {(row["entity"], row["id"]): (row["res_model"], row["res_id"], row["state"]) for row in found.bindings}
    there = {(row["entity"], row["id"]): (row["res_model"], row["res_id"], row["state"]) for row in found.odoo_bindings}
    for key in sorted(here.keys() | there.keys()):
        if here.get(key) != there.get(key):
            sides = f"{here.get(key)} in the app, {there.get(key)} in Odoo"
            yield Breach(DIFFERING, f"{key[0]} {key[1]} is bound to {sides}")


def outcomes_are_equal(history: History, found: Findings) -> Iterator[Breach]:
    """The app's readers know which leads are won, lost or open; what nobody ever told them of is open."""
    told = {row["id"]: row["outcome"] for row in found.outcomes}
    for row in found.leads:
        outcome = OUTCOMES[row["won_status"]]
        if row["id"] and row["id"] not in merged(history) and told.get(row["id"], "open") != outcome:
            sides = f"{outcome} in Odoo, the app was told {told.get(row['id'])}"
            yield Breach(DIFFERING, f"the lead of registration {row['id']} is {sides}")


def what_is_hidden_does_not_end(history: History, _found: Findings) -> Iterator[Breach]:
    """What the bridge could not see for a while did not end in Odoo, not even until it was seen again."""
    for identity in sorted(history.witnessed.ended):
        yield Breach(LOST, f"{identity} ended in Odoo while its row was in the app")


def mass_losses_are_stopped(history: History, _found: Findings) -> Iterator[Breach]:
    """A careless statement reached Odoo with few records before a person decided."""
    for loss in history.witnessed.losses:
        if loss.arrived > loss.most:
            sides = f"{loss.arrived} of {loss.records} records had lost it in Odoo before anybody decided"
            yield Breach(LOST, f"{loss.what}: {sides}")


def copies_are_refused(history: History, found: Findings) -> Iterator[Breach]:
    """A daemon on a copy of the app's database ended at once, and nothing of the copy is in Odoo or in the app."""
    for code in history.witnessed.copies:
        if code != REFUSED_A_COPY:
            ended = "went on" if code is None else f"ended with {code}"
            yield Breach(UNEXPECTED, f"a daemon on a copy of the app's database {ended}")
    for entity, name, rows in (
        ("lead of", "partner_name", found.leads),
        ("registration", "company_name", found.registrations),
    ):
        for row in rows:
            if row[name] == OF_A_COPY:
                yield Breach(UNEXPECTED, f"{entity} {row['id']} has the name that a copy of the app's database has")


def freezes_are_obeyed(history: History, _found: Findings) -> Iterator[Breach]:
    """Nothing was written by the bridge while the app's database was frozen."""
    for freeze in history.witnessed.freezes:
        if freeze.before != freeze.after:
            sides = f"it had written {freeze.before} when it began, {freeze.after} at its end"
            yield Breach(UNEXPECTED, f"the bridge wrote during a freeze of the app's database: {sides}")


def nobody_wrote(before: Mapping[str, str], after: Mapping[str, str], when: str) -> list[Breach]:
    """Nothing changed in either database."""
    return [Breach(UNEXPECTED, f"{table} changed {when}") for table in sorted(before) if before[table] != after[table]]


def daemons_behaved(lines: Iterable[str]) -> list[Breach]:
    """No service died of an error that nobody had foreseen."""
    signs = ("service.crashed", "Traceback (most recent call last)")
    told = [line for line in lines if any(sign in line for sign in signs)]
    return [Breach(UNEXPECTED, f"a daemon's log says: {line[:100]} ... {line[-SHOWN:]}") for line in told]


def nothing_piled_up(memory: int, files: int, threads: int) -> list[Breach]:
    """What the largest daemon used at its peak: bytes, open files, threads."""
    used = {"bytes of memory": memory, "open files": files, "threads": threads}
    return [
        Breach(UNEXPECTED, f"a daemon had {used[what]} {what}, more than {most}")
        for what, most in MOST_USED.items()
        if used[what] > most
    ]


def faults_struck(errors: Iterable[str]) -> list[Breach]:
    """Every fault could be carried out: a test that does less than it says proves less."""
    return [Breach(UNEXPECTED, error) for error in errors]


INVARIANTS: tuple[Callable[[History, Findings], Iterable[Breach]], ...] = (
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
    outcomes_are_equal,
    documents_are_whole,
    customers_show_documents,
    invoices_are_equal,
    what_is_hidden_does_not_end,
    mass_losses_are_stopped,
    copies_are_refused,
    freezes_are_obeyed,
)


def _true_letters(history: History, found: Findings) -> set[UUID]:
    bad = {str(identity) for identity in poisoned(found)}
    no_lead = without_lead(history, found)
    odd = poisoned(found) | no_lead
    children = {str(row["id"]): row["registration_id"] for row in (*found.commissions, *found.documents)}
    blocked = {identity for identity, registration in children.items() if registration in odd}
    deleted = {str(identity) for identity in history.touched("commission", Action.DELETE, Side.APP)}
    unlinked = {str(identity) for identity in history.touched("commission", Action.DELETE, Side.ODOO)}
    unlinked |= {str(identity) for identity in no_lead | merged(history)}
    unlinked |= {identity for identity, registration in children.items() if registration in no_lead}
    at_odds = {str(identity) for identity in disputed(history)}
    values = {(row["entity"], str(row["id"]), row["field"]): row for row in found.conflicts}
    gone = deleted | {str(identity) for identity in history.touched("registration", Action.DELETE, Side.APP)}
    paid_another_sum = {str(identity) for identity in discrepant(history, found)}
    present = {str(row["id"]) for row in (*found.commissions, *found.registrations)}
    causes: dict[str, Callable[[Row], bool]] = {
        "forbidden_character": lambda letter: letter["record_id"] in bad,
        "blocked": lambda letter: letter["record_id"] in blocked,
        "deleted_in_app": lambda letter: letter["record_id"] in deleted - present,
        "no_such_row": lambda letter: letter["record_id"] in gone - present,
        "unlinked": lambda letter: letter["record_id"] in unlinked,
        **dict.fromkeys(CODES, lambda letter: letter["record_id"] in paid_another_sum),
        "conflict": lambda letter: (
            letter["record_id"] in at_odds and (letter["entity"], letter["record_id"], letter["field"]) in values
        ),
    }
    return {
        letter["id"]
        for letter in found.letters
        if (letter["entity"] == "message" and history.messages)
        or causes.get(letter["code"], lambda _letter: False)(letter)
    }


def _references_are_equal(history: History, found: Findings) -> Iterator[Breach]:
    partners = {row["odoo_id"]: row["id"] for row in found.partners}
    leads = {row["odoo_id"]: row["id"] for row in found.leads}
    records = {row["id"]: row for row in found.records}
    by_id = {row["id"]: row for row in found.leads}
    for row in found.registrations:
        if (lead := by_id.get(row["id"])) and row["odoo_lead_id"] != lead["odoo_id"]:
            sides = f"names {row['odoo_lead_id']}, it is {lead['odoo_id']}"
            yield Breach(DIFFERING, f"registration {row['id']} {sides}")
        if row["id"] in merged(history):
            # Odoo gives the lead that stays a customer of one that goes
            continue
        if lead and lead["partner_id"] and partners.get(lead["partner_id"]) != row["client_id"]:
            yield Breach(DIFFERING, f"the lead of registration {row['id']} has another customer")
    gone = apart(history, found)
    for row in found.commissions:
        if (record := records.get(row["id"])) is None or {row["id"], row["registration_id"]} & gone:
            continue
        if row["odoo_commission_id"] != record["odoo_id"]:
            sides = f"names {row['odoo_commission_id']}, it is {record['odoo_id']}"
            yield Breach(DIFFERING, f"commission {row['id']} {sides}")
        parents = leads.get(record["lead_id"]), partners.get(record["agent_id"])
        if parents != (row["registration_id"], row["agent_id"]):
            yield Breach(DIFFERING, f"commission {row['id']} has another registration or agent in Odoo")


def _sums(rows: Iterable[Row]) -> dict[tuple[str, str, str], tuple[int, Decimal]]:
    sums: defaultdict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        sums[str(row["tenant"]), row["currency"], row["status"]].append(money(row["commission_amount"]))
    return {key: (len(amounts), sum(amounts, Decimal())) for key, amounts in sums.items()}


def _of(name: str, how: Callable[[Any], Any]) -> Callable[[Row], Any]:
    return lambda row: how(row[name])


Pairs = Mapping[str, tuple[Callable[[Row], Any], Callable[[Row], Any]]]


def _same(how: Callable[[Any], Any], *names: str) -> dict[str, tuple[Callable[[Row], Any], Callable[[Row], Any]]]:
    return {name: (_of(name, how), _of(name, how)) for name in names}


_REGISTRATION: Pairs = {
    "company_name": (_of("company_name", text), _of("partner_name", text)),
    **_same(text, "status", "registration_type", "jurisdiction"),
    **_same(moment, "submitted_at", "approved_at"),
    **_same(bool, "active"),
}
_CLIENT: Pairs = {
    **_same(text, "name", "email", "tax_number", "street", "city", "postal_code", "country"),
    # Odoo may write a number in another form
    **_same(digits, "phone"),
}
_USER: Pairs = _same(text, "name", "email")
_COMMISSION: Pairs = {
    **_same(money, "registration_fee", "commission_rate", "commission_amount"),
    **_same(text, "currency", "status", "payment_reference"),
    **_same(moment, "approved_at", "paid_at"),
}
