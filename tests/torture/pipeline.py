"""A salesperson in Odoo: moves leads, wins and loses them, saves them unchanged, merges and deletes a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.torture.history import Action
from tests.torture.people import SYNCED, Turn, identity_of

FIELDS = ("x_comply360_external_id", "priority", "active")
Lead = dict[str, Any]


def work_the_pipeline(turn: Turn) -> None:
    """Do something with one of the newest leads."""
    if leads := turn.find("crm.lead", [SYNCED], FIELDS):
        step = turn.random.choices(list(_STEPS), weights=list(_STEPS.values()))[0]
        step(turn, leads)


def _move(turn: Turn, leads: list[Lead]) -> None:
    stages = turn.search("crm.stage", [], [])
    _write(turn, leads, {"stage_id": turn.random.choice(stages)["id"]})


def _rate(turn: Turn, leads: list[Lead]) -> None:
    _write(turn, leads, {"priority": turn.random.choice("0123")})


def _save(turn: Turn, leads: list[Lead]) -> None:
    lead = turn.random.choice(leads)
    turn.act([], "crm.lead", "write", [lead["id"]], {"priority": lead["priority"]})


def _write(turn: Turn, leads: list[Lead], values: dict[str, object]) -> None:
    turn.act([], "crm.lead", "write", [turn.random.choice(leads)["id"]], values)


def _win(turn: Turn, leads: list[Lead]) -> None:
    turn.act([], "crm.lead", "action_set_won", [turn.random.choice(leads)["id"]])


def _lose(turn: Turn, leads: list[Lead]) -> None:
    turn.act([], "crm.lead", "action_set_lost", [turn.random.choice(leads)["id"]])


def _restore(turn: Turn, leads: list[Lead]) -> None:
    if archived := [lead for lead in leads if not lead["active"]]:
        turn.act([], "crm.lead", "action_restore", [turn.random.choice(archived)["id"]])


def _merge(turn: Turn, leads: list[Lead]) -> None:
    chosen = turn.random.sample(leads, min(2, len(leads)))
    intents = turn.intents(Action.MERGE, "registration", [identity_of(lead) for lead in chosen])
    turn.act(intents, "crm.lead", "merge_opportunity", [lead["id"] for lead in chosen])


def _delete(turn: Turn, leads: list[Lead]) -> None:
    lead = turn.random.choice(leads)
    turn.act(turn.intents(Action.DELETE, "registration", [identity_of(lead)]), "crm.lead", "unlink", [lead["id"]])


_STEPS: dict[Callable[[Turn, list[Lead]], None], int] = {
    _move: 35,
    _rate: 10,
    _save: 10,
    _win: 10,
    _lose: 20,
    _restore: 10,
    _merge: 2,
    _delete: 2,
}
