"""What must be true of documents and invoices at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from uuid import UUID

from tests.torture.aside import ids, leads_of, merged, without_lead
from tests.torture.breach import DIFFERING, DOUBLED, LOST, UNEXPECTED, Breach
from tests.torture.canon import text
from tests.torture.history import History
from tests.torture.reader import Findings, Row

KINDS = {"out_invoice": "invoice", "out_refund": "credit_note"}
_SAME = ("sha256", "file_name", "status")
STATES = {"draft": "draft", "posted": "posted", "cancel": "cancelled"}


def documents_are_whole(history: History, found: Findings) -> Iterator[Breach]:
    """Each document is attached once, with the very bytes; what is discarded is not."""
    there: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in found.attachments:
        if row["id"]:
            there[row["id"]].append(row)
    leads, partners = leads_of(history, found), ids(found.partners)
    lost = without_lead(history, found)
    for row in found.documents:
        attached = there.pop(row["id"], [])
        has_place = row["registration_id"] in leads or row["client_id"] in partners
        if len(attached) > 1:
            yield Breach(DOUBLED, f"document {row['id']} has {len(attached)} attachments")
        elif attached and not row["active"]:
            yield Breach(DIFFERING, f"document {row['id']} was discarded in the app, and is attached in Odoo")
        elif attached:
            # Odoo names what it moves in a merge after where it was
            names = ("sha256", "status") if row["registration_id"] in merged(history) else _SAME
            yield from _document_is_equal(row, attached[0], names)
        elif row["active"] and has_place and row["registration_id"] not in lost:
            yield Breach(LOST, f"document {row['id']} is not attached in Odoo")
    for identity in sorted(there):
        yield Breach(DIFFERING, f"document {identity} is gone in the app, and is attached in Odoo")


def customers_show_documents(history: History, found: Findings) -> Iterator[Breach]:
    """What is attached to a lead is shown on the lead's customer too, once, with the same bytes."""
    clients = {row["odoo_id"] for row in found.partners if row["id"] in history.tenants("client")}
    customers = {
        row["odoo_id"]: row["partner_id"]
        for row in found.leads
        if row["partner_id"] in clients and row["id"] not in merged(history)
    }
    copies: defaultdict[int, list[Row]] = defaultdict(list)
    for row in found.attachments:
        if row["original_id"]:
            copies[row["original_id"]].append(row)
    for row in found.attachments:
        customer = customers.get(row["res_id"]) if row["id"] and row["res_model"] == "crm.lead" else None
        if customer is None:
            continue
        shown = [(copy["res_model"], copy["res_id"], copy["sha256"]) for copy in copies[row["odoo_id"]]]
        if shown != [("res.partner", customer, row["sha256"])]:
            yield Breach(DIFFERING, f"document {row['id']} is shown as {shown} and not once on customer {customer}")


def invoices_are_equal(history: History, found: Findings) -> Iterator[Breach]:
    """The app knows each invoice of its customers as it is booked, and which one is a registration's newest."""
    known = {row["odoo_id"]: row for row in found.invoices}
    registrations = {row["odoo_id"]: row["id"] for row in found.leads}
    for move in found.moves:
        invoice = known.pop(move["odoo_id"], None)
        if invoice is None:
            yield Breach(LOST, f"the app does not know invoice {move['odoo_id']} ({move['number']})")
            continue
        booked = {**_booked(move), "registration_id": registrations.get(move["lead_id"])}
        for name, value in booked.items():
            if invoice[name] != value:
                sides = f"the app has {invoice[name]!r}, Odoo {value!r}"
                yield Breach(DIFFERING, f"{name} of invoice {move['odoo_id']} ({move['number']}): {sides}")
    for number, invoice in sorted(known.items()):
        if invoice["state"] != "deleted":
            yield Breach(UNEXPECTED, f"the app knows invoice {number} as {invoice['state']}, and Odoo has none")
    yield from _newest_are_named(history, found)


def _document_is_equal(row: Row, attached: Row, names: Iterable[str]) -> Iterator[Breach]:
    for name in names:
        if text(row[name]) != text(attached[name]):
            sides = f"the app has {row[name]!r}, Odoo {attached[name]!r}"
            yield Breach(DIFFERING, f"{name} of document {row['id']}: {sides}")


def _booked(move: Row) -> Row:
    return {
        "tenant": move["tenant"],
        "kind": KINDS[move["move_type"]],
        "number": move["number"] if move["number"] != "/" else None,
        "state": STATES[move["state"]],
        "payment_state": move["payment_state"],
        "total": Decimal(str(move["total"])),
        "residual": Decimal(str(move["residual"])),
        "currency": move["currency"],
        "invoice_date": move["invoice_date"],
    }


def _newest_are_named(history: History, found: Findings) -> Iterator[Breach]:
    newest: dict[UUID, int] = {}
    for row in sorted(found.invoices, key=lambda row: int(row["odoo_id"])):
        if row["registration_id"] and row["kind"] == "invoice" and row["state"] not in ("cancelled", "deleted"):
            newest[row["registration_id"]] = row["odoo_id"]
    for row in found.registrations:
        expected = newest.get(row["id"])
        if row["id"] not in merged(history) and row["odoo_invoice_id"] != expected:
            sides = f"names invoice {row['odoo_invoice_id']}, its newest is {expected}"
            yield Breach(DIFFERING, f"registration {row['id']} {sides}")
