"""Whatever a field holds survives the round trip or is parked by name, and a second sync of it writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.acceptance import sides, values
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo

CLIENT = {
    "full_name": 255,
    "email": 255,
    "phone": 50,
    "mobile": 50,
    "tax_number": 50,
    "street_address": 2000,
    "city": 100,
    "state_province": 100,
    "postal_code": 20,
}
REGISTRATION = {"company_name": 255, "registration_number": 100, "rejection_reason": 2000, "cipc_reference": 100}
USER = {"first_name": 100, "last_name": 100, "email": 255, "phone": 50, "mobile": 50}
"""Columns of the contract, and how many characters the app has for each."""

LONGEST = "ж" * 2000
EVERY = tuple(dict.fromkeys((*values.STRANGE, *values.EMAILS, *values.PHONES, *values.TAX_NUMBERS, LONGEST)))


@pytest.fixture(autouse=True)
def content(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file in the app's storage, which every document names."""
    (tmp_path / str(app.tenant)).mkdir()
    (tmp_path / str(app.tenant) / "one").write_bytes(b"the content of every document")
    monkeypatch.setenv("C360_STORAGE_ROOT", f"file://{tmp_path}")


def filled(app: App, value: str) -> UUID:
    """One record of each kind whose every text is this value, as far as it is long enough for it."""
    [registration] = app.register(status="approved")
    commission = app.commission(registration)
    agent = uuid4()
    app.run("INSERT INTO {t}.users (id, tenant_id, email) VALUES (%s, %s, %s)", [agent, app.tenant, agent.hex])
    app.run(
        "UPDATE {t}.commissions SET agent_id = %s, status = 'paid', paid_at = now(), payment_reference = %s"
        " WHERE id = %s",
        [agent, value[:255], commission],
    )
    app.run(
        "INSERT INTO {t}.documents (tenant_id, registration_id, document_type, file_name, file_size, mime_type,"
        " storage_path) VALUES (%s, %s, %s, %s, 1, %s, %s)",
        [app.tenant, registration, value[:100], value[:255], value[:100], f"{app.tenant}/one"],
    )
    # two people of one tenant cannot have one e-mail
    own = {**dict.fromkeys(USER, value), "email": f"{value[:200]}{agent.hex}"}
    _set(app, "users", {name: own[name][:longest] for name, longest in USER.items()}, "id = %s", agent)
    client = {name: value[:longest] for name, longest in CLIENT.items()}
    _set(app, "clients", client, "id = (SELECT client_id FROM {t}.registrations WHERE id = %s)", registration)
    _set(
        app, "registrations", {name: value[:longest] for name, longest in REGISTRATION.items()}, "id = %s", registration
    )
    return registration


def _set(app: App, table: str, columns: dict[str, str], which: str, identity: UUID) -> None:
    assigned = ", ".join(f"{column} = %s" for column in columns)
    app.run(f"UPDATE {{t}}.{table} SET {assigned} WHERE {which}", [*columns.values(), identity])


def told(app: App) -> dict[tuple[str, UUID], dict[str, dict[str, Any]]]:
    """What people have been told, by record and field."""
    found: dict[tuple[str, UUID], dict[str, dict[str, Any]]] = {}
    for letter in printed("dead", "list", "--tenant", app.subdomain):
        found.setdefault((letter["entity"], UUID(letter["record_id"])), {})[letter["field"]] = letter
    return found


def differing(app: App) -> dict[tuple[str, UUID], dict[str, tuple[Any, Any]]]:
    """The fields that differ, of records that both sides have."""
    found = sides.read(app)
    return {
        (entity, identity): different
        for entity in ("user", "client", "registration", "commission", "document")
        for identity, here, there in found.pairs(entity)
        if (different := {name: (here[name], there[name]) for name in there if here[name] != there[name]})
    }


def writes_nothing_again(app: App) -> None:
    before = sides.fingerprint(app)
    c360("backfill", "--tenant", app.subdomain, "--restart")
    c360("drain", expect=None)
    assert sides.fingerprint(app) == before, "a second sync writes nothing on either side"


@pytest.mark.acceptance("C2", "A1")
def test_the_longest_the_emptiest_and_the_strangest_survive_the_round_trip_and_go_once(app: App) -> None:
    made = {value: filled(app, value) for value in EVERY}
    c360("drain", expect=None)
    found, letters = sides.read(app), told(app)
    assert differing(app) == {}
    for value, registration in made.items():
        if sides.plain(value):
            assert found.odoo["registration", registration]["company_name"] == sides.plain(value[:255])
        else:
            assert letters["registration", registration]["company_name"]["code"] == "required"
    blank = {made[value] for value in EVERY if not sides.plain(value)}
    missing = {key for key, fields in found.app.items() if fields["is_due"]} - found.odoo.keys()
    assert missing == missing & letters.keys(), "what is not there is named"
    assert {key[1] for key in missing if key[0] == "registration"} == blank
    writes_nothing_again(app)


@pytest.mark.acceptance("C2", "A1")
@pytest.mark.parametrize("value", values.FORBIDDEN, ids=ascii)
def test_what_cannot_cross_is_parked_by_the_name_of_its_field(app: App, odoo: Odoo, value: str) -> None:
    registration = filled(app, "as before")
    c360("drain")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    _set(app, "clients", {name: value[:longest] for name, longest in CLIENT.items()}, "id = %s", client)
    c360("drain", expect=3)
    letters = told(app)["client", client]
    assert letters["name"]["code"] == "forbidden_character", "a required field parks its record"
    assert "U+" in letters["name"]["message"]
    _set(app, "clients", {"full_name": "A name"}, "id = %s", client)
    c360("drain", expect=3)
    letters = told(app)["client", client]
    shown = {"street_address": "street"}
    assert set(letters) == {shown.get(name, name) for name in CLIENT} - {"full_name"}
    assert {letter["code"] for letter in letters.values()} == {"forbidden_character"}
    assert set(differing(app)["client", client]) == set(letters), "the values stay where they are"
    writes_nothing_again(app)


@pytest.mark.acceptance("C2", "O3")
def test_what_people_type_in_odoo_survives_the_way_back_and_goes_once(app: App, odoo: Odoo) -> None:
    registrations = app.register(len(EVERY), status="approved")
    c360("drain")
    clients = dict(app.run("SELECT id, client_id FROM {t}.registrations"))
    ids = sides.read(app).ids
    limits = {"name": 255, "email": 255, "phone": 50, "vat": 50, "street": 2000, "city": 100, "zip": 20}
    for value, registration in zip(EVERY, registrations, strict=True):
        [partner] = ids["client", clients[registration]]
        typed = {name: value[:longest] or False for name, longest in limits.items()}
        if not sides.plain(value):
            # what the app needs cannot be emptied, and another test says so
            typed = {name: value for name, value in typed.items() if name not in ("name", "email")}
        odoo.call("res.partner", "write", [partner], typed)
    c360("drain")
    assert differing(app) == {}
    writes_nothing_again(app)
