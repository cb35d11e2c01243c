"""People in Odoo: each looks at what is there and acts on it, through public methods; all of it random and noted."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from odoorpc.error import RPCError

from sync_daemon.errors import BridgeError
from tests.acceptance.parties import App, Odoo
from tests.torture.history import Action, History, Intent, Outcome, Side, note
from tests.torture.shares import is_billed, owner

CONTEXT = {"active_test": False, "lang": "en_US"}
NEWEST = 60
SYNCED = ["x_comply360_external_id", "!=", False]


@dataclass
class Person:
    """A person in Odoo, at work for one tenant after the other."""

    odoo: Odoo
    tenants: Sequence[App]
    history: History
    random: random.Random
    pause: float
    work: Callable[[Turn], None]

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; a session that breaks is opened anew."""
        while not stop.is_set():
            try:
                with self.odoo.session() as session:
                    while not stop.wait(self.random.expovariate(1 / self.pause)):
                        self.work(Turn(session, self.random.choice(list(self.tenants)), self.history, self.random))
            except BridgeError:
                stop.wait(1)


@dataclass(frozen=True)
class Turn:
    """What a person does for one tenant in one go."""

    session: Any
    app: App
    history: History
    random: random.Random

    def act(
        self,
        intents: Sequence[Intent],
        model: str,
        method: str,
        *arguments: object,
        context: Mapping[str, object] | None = None,
    ) -> Any:
        """One call's answer, None if it is refused: then nothing happened; after any other error nobody knows."""
        noted = self.history.attempt(intents)
        outcome, answer = Outcome.UNKNOWN, None
        try:
            named = {"context": {**CONTEXT, **(context or {})}}
            answer = self.session.execute_kw(model, method, list(arguments), named)
            outcome = Outcome.ACKNOWLEDGED
        except RPCError as error:
            if not _is_refusal(error):
                raise
            outcome = Outcome.UNDONE
        finally:
            note(noted, outcome)
        return answer

    def find(self, model: str, domain: Sequence[object], fields: Sequence[str]) -> list[dict[str, Any]]:
        """The tenant's newest records, archived ones too."""
        of_tenant = ["x_comply360_tenant_id.uuid", "=", str(self.app.tenant)]
        return self.search(model, [of_tenant, *domain], fields)

    def search(self, model: str, domain: Sequence[object], fields: Sequence[str]) -> list[dict[str, Any]]:
        """The newest records, archived ones too."""
        options = {"limit": NEWEST, "order": "id desc", "context": CONTEXT}
        return list(self.session.execute_kw(model, "search_read", [list(domain), list(fields)], options))

    def intents(self, action: Action, entity: str, identities: Sequence[UUID], **values: str) -> list[Intent]:
        """What is about to be done to these records."""
        return [Intent(Side.ODOO, action, self.app.tenant, entity, identity, values) for identity in identities]


def identity_of(row: Mapping[str, Any]) -> UUID:
    """The app's id of a record that was found with it."""
    return UUID(row["x_comply360_external_id"])


def decide_commissions(turn: Turn) -> None:
    """Approve, pay or cancel some commissions; those that are billed are only approved here."""
    state = turn.random.choice(("pending", "approved"))
    found = turn.find("x_commission", [["state", "=", state], SYNCED], ["x_comply360_external_id"])
    ours = {row["id"]: identity_of(row) for row in found}
    ours = {
        record: identity
        for record, identity in ours.items()
        if owner(identity) != "app" and (state == "pending" or not is_billed(identity))
    }
    if not ours:
        return
    chosen = turn.random.sample(list(ours), min(len(ours), turn.random.randint(1, 4)))
    arguments: list[str] = []
    if turn.random.random() < 0.04:
        chosen = [record for record in chosen if not is_billed(ours[record])]
        how, values = "action_cancel", {"status": "cancelled"}
    elif state == "pending":
        how, values = "action_approve", {"status": "approved"}
    else:
        reference = f"EFT {turn.random.randrange(10**9)}"
        how, values, arguments = "mark_paid", {"status": "paid", "payment_reference": reference}, [reference]
    identities = [ours[record] for record in chosen]
    turn.act(turn.intents(Action.UPDATE, "commission", identities, **values), "x_commission", how, chosen, *arguments)


def edit_customers(turn: Turn) -> None:
    """Edit a customer, delete a commission that is not paid, or save a customer without a change."""
    if turn.random.random() < 0.03:
        delete_commission(turn)
        return
    found = turn.find("res.partner", [SYNCED], ["x_comply360_external_id", "zip"])
    clients = turn.history.tenants("client")
    customers = [row for row in found if identity_of(row) in clients]
    if not customers:
        return
    row = turn.random.choice(customers)
    client = identity_of(row)
    if turn.random.random() < 0.1:
        turn.act([], "res.partner", "write", [row["id"]], {"zip": row["zip"]})
    elif owner(client) == "both" and turn.random.random() < 0.3:
        phone = f"+27 82 {turn.random.randrange(10**7):07d}"
        intents = turn.intents(Action.UPDATE, "client", [client], phone=phone)
        turn.act(intents, "res.partner", "write", [row["id"]], {"phone": phone})
    else:
        code = f"{turn.random.randrange(10**5):05d}"
        intents = turn.intents(Action.UPDATE, "client", [client], postal_code=code)
        turn.act(intents, "res.partner", "write", [row["id"]], {"zip": code})


def delete_commission(turn: Turn) -> None:
    """A person deletes a commission that is not paid: the app is told, and nobody makes it again."""
    if found := turn.find("x_commission", [["state", "=", "pending"], SYNCED], ["x_comply360_external_id"]):
        row = turn.random.choice(found)
        turn.act(turn.intents(Action.DELETE, "commission", [identity_of(row)]), "x_commission", "unlink", [row["id"]])


def _is_refusal(error: RPCError) -> bool:
    """Whether Odoo's own rules refused the call, so that it rolled back."""
    name = error.info.get("data", {}).get("name", "") if isinstance(error.info, dict) else ""
    return str(name).startswith("odoo.exceptions.")
