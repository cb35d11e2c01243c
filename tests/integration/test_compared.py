"""A digest that comparing remembers counts only while all that it was computed from is what it was."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db_init.attach import attach
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Status
from sync_daemon.domain.drift import KnownRange, app_records, is_calm, range_digest
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.user_links import LinkState
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.admin.user_links import LinkDecision, UserLinks
from sync_daemon.postgres.reconcile.comparison import AppComparison
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

MODELS = {
    Entity.USER: "res.partner",
    Entity.CLIENT: "res.partner",
    Entity.REGISTRATION: "crm.lead",
    Entity.COMMISSION: "x_commission",
}
OTHER = {
    "client_type": "'company'",
    "country": "'ZW'",
    "jurisdiction": "'ZW'",
    "currency": "'USD'",
    "registration_type": "'business_name'",
    "form_data": "jsonb_build_object('email', 'other@form.example', 'phone', '1')",
}
STATUS = {"users": "'suspended'", "registrations": "'approved'", "commissions": "'approved'"}
BY_TYPE = {"uuid": "{named}", "integer": "7", "numeric": "{column} + 1"}
NAMED = {"client_id": "clients", "registration_id": "registrations"}


class Side:
    """The app's side of comparisons, with two records of each kind: the first ones are looked at."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.comparison = AppComparison(installation.database, INSTANCE)
        tenant = installation.tenant
        self.name = Tenant(tenant.id, tenant.schema, tenant.schema)
        installation.fill(2)
        installation.app(
            "UPDATE {schema}.registrations SET assigned_to = (SELECT min(id::text)::uuid FROM {schema}.users)"
        )
        installation.app(
            "INSERT INTO {schema}.users (tenant_id, email) VALUES (%(tenant)s, 'second@agents.example')",
            tenant=str(tenant.id),
        )
        for number, entity in enumerate(MODELS):
            self.bind(entity, self.ids(entity), 100 * number)
        databases.clear_marks(installation.settings)

    def ids(self, entity: Entity) -> list[UUID]:
        found = self.installation.app(f"SELECT id::text FROM {{schema}}.{CONTRACTS[entity].table}")
        return sorted(UUID(str(row[0])) for row in found)

    def bind(self, entity: Entity, ids: list[UUID], first: int) -> None:
        keys = [self.installation.key(entity, record_id) for record_id in ids]
        self.installation.outbox.owe(keys)
        owed = self.installation.rows.snapshot(keys).owed
        self.installation.ledger.settle(
            uuid4(),
            [
                Applied(owed[key], Status.CREATED, MODELS[entity], first + number, "d", {}, {}, ())
                for number, key in enumerate(keys)
            ],
        )

    def known(self, entity: Entity) -> set[UUID]:
        """Which records are known to be as they were; the others are computed anew and remembered."""
        databases.clear_marks(self.installation.settings)
        ids = self.ids(entity)
        view = self.comparison.view_changed(self.name, entity, None, ids)
        changed = {key.record_id: record for key, record in app_records(view).items()}
        anew = app_records(self.comparison.view(self.name, entity, ids))
        whole = {key.record_id: record.digest for key, record in anew.items()}
        known = {record_id: record.digest for record_id, record in view.known.items()}
        assert {**known, **{record_id: record.digest for record_id, record in changed.items()}} == whole
        [everything] = self.comparison.known_ranges(self.name, entity, [None, None])
        is_all_known = set(known) == set(ids) == set(whole)
        expected = range_digest(view.known[record_id] for record_id in ids) if is_all_known else ""
        assert everything == KnownRange(len(ids), expected)
        self.comparison.remember(
            self.name,
            entity,
            {
                record_id: (record.digest, view.fingerprints[record_id])
                for record_id, record in changed.items()
                if record_id in view.fingerprints and is_calm(record)
            },
        )
        return set(known)

    def change(self, table: str, column: str, record_id: UUID) -> None:
        """Give a column another value that it can hold."""
        [[kind]] = self.installation.app(
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_schema = %(s)s AND table_name = %(t)s AND column_name = %(c)s",
            s=self.installation.tenant.schema,
            t=table,
            c=column,
        )
        value = STATUS[table] if column == "status" else OTHER.get(column) or BY_TYPE.get(str(kind))
        if value is None:
            value = "now()" if "timestamp" in str(kind) else "coalesce({column}, '') || 'x'"
        others = f"{{schema}}.{NAMED.get(column, 'users')}"
        value = value.replace("{named}", f"(SELECT id FROM {others} WHERE id IS DISTINCT FROM {{column}} LIMIT 1)")
        value = value.replace("{column}", column)
        self.installation.app(f"UPDATE {{schema}}.{table} SET {column} = {value} WHERE id = %(id)s", id=str(record_id))


@pytest.fixture
def side(installation: Installation) -> Side:
    return Side(installation)


def contributing(entity: Entity) -> list[tuple[str, str, str]]:
    """Every column that a document is made from: role, table, column."""
    contract = CONTRACTS[entity]
    tables = {"row": contract.table, "linked": contract.table}
    tables |= {role: CONTRACTS[related].table for role, (related, _) in contract.related.items()}
    sources = {part for field in contract.fields for source in field.sources for part in source.split("+")}
    sources |= {f"row.{reference.column}" for reference in contract.references}
    named = {(role, column) for role, column, *_ in (source.split(".") for source in sources)}
    return sorted((role, tables[role], column) for role, column in named if role in tables)


@pytest.mark.parametrize("entity", MODELS)
def test_every_column_that_a_document_is_made_from_is_seen_when_it_changes(side: Side, entity: Entity) -> None:
    ids = side.ids(entity)
    side.known(entity)
    assert side.known(entity) == set(ids)
    for role, table, column in contributing(entity):
        target = ids[0]
        if role not in ("row", "linked"):
            [[named]] = side.installation.app(
                f"SELECT {CONTRACTS[entity].related[role][1]}::text FROM {{schema}}.{CONTRACTS[entity].table}"
                " WHERE id = %(id)s",
                id=str(ids[0]),
            )
            target = UUID(str(named))
        side.change(table, column, target)
        assert ids[0] not in side.known(entity), f"{table}.{column}"
        side.known(entity)
        assert ids[0] in side.known(entity), f"{table}.{column} is remembered afterwards"


def test_documents_links_and_agreed_values_are_seen(side: Side) -> None:
    installation, tenant = side.installation, side.installation.tenant
    [registration, *_], [commission, *_] = side.ids(Entity.REGISTRATION), side.ids(Entity.COMMISSION)

    def seen(entity: Entity, record_id: UUID) -> bool:
        is_seen = record_id not in side.known(entity)
        side.known(entity)
        assert record_id in side.known(entity)
        return is_seen

    assert seen(Entity.REGISTRATION, registration)
    assert seen(Entity.COMMISSION, commission)
    installation.app(
        "INSERT INTO {schema}.documents (tenant_id, registration_id, document_type, file_name, file_size, mime_type,"
        " storage_path) VALUES (%(tenant)s, %(id)s, 'id', 'a', 1, 'text/plain', 'a')",
        tenant=str(tenant.id),
        id=str(registration),
    )
    assert seen(Entity.REGISTRATION, registration)
    installation.app("UPDATE {schema}.documents SET status = 'verified'")
    assert seen(Entity.REGISTRATION, registration)
    installation.app("UPDATE {schema}.documents SET deleted_at = now()")
    assert seen(Entity.REGISTRATION, registration)

    [[user]] = installation.app(
        "SELECT assigned_to::text FROM {schema}.registrations WHERE id = %(id)s", id=str(registration)
    )
    UserLinks(installation.database, INSTANCE).decide(
        side.name, LinkDecision(UUID(str(user)), 7, "login7", LinkState.CONFIRMED, "admin (c360)")
    )
    assert seen(Entity.REGISTRATION, registration)

    installation.bridge(
        "INSERT INTO bridge.base_value (instance_id, tenant_id, entity, record_id, field, app_value, odoo_value)"
        " VALUES (%(i)s, %(t)s, 'commission', %(id)s, 'payment_reference', '', 'x')",
        i=INSTANCE,
        t=str(tenant.id),
        id=str(commission),
    )
    assert seen(Entity.COMMISSION, commission)


def test_the_binding_of_what_is_referred_to_is_seen(side: Side) -> None:
    [commission, *_] = side.ids(Entity.COMMISSION)
    side.known(Entity.COMMISSION)
    assert commission in side.known(Entity.COMMISSION)
    side.installation.bridge("UPDATE bridge.binding SET state = 'alias' WHERE entity = 'registration'")
    assert not side.known(Entity.COMMISSION)


def test_a_record_that_waits_or_that_a_person_was_told_of_is_looked_at(side: Side) -> None:
    [first, second] = side.ids(Entity.REGISTRATION)
    side.known(Entity.REGISTRATION)
    assert side.known(Entity.REGISTRATION) == {first, second}
    side.installation.outbox.owe([side.installation.key(Entity.REGISTRATION, first)])
    assert side.known(Entity.REGISTRATION) == {second}
    side.installation.bridge(
        "INSERT INTO bridge.conflict (instance_id, tenant_id, entity, record_id, field)"
        " VALUES (%(i)s, %(t)s, 'registration', %(id)s, 'email')",
        i=INSTANCE,
        t=str(side.installation.tenant.id),
        id=str(second),
    )
    assert side.known(Entity.REGISTRATION) == set()


def test_what_was_remembered_of_one_tenant_says_nothing_of_another(side: Side) -> None:
    installation, ids = side.installation, side.ids(Entity.CLIENT)
    side.known(Entity.CLIENT)
    assert side.known(Entity.CLIENT) == set(ids)
    other = databases.register(installation.settings, f"t{uuid4().hex[:12]}")
    attach(installation.settings)
    app = databases.as_app(installation.settings)
    databases.rows(
        app, "INSERT INTO {schema}.clients SELECT * FROM " + side.name.schema + ".clients", schema=other.schema
    )
    app.close()
    databases.clear_marks(installation.settings)
    name = Tenant(other.id, other.schema, other.schema)
    assert side.comparison.view_changed(name, Entity.CLIENT, None, ids).known == {}


def test_ranges_end_with_the_last_id_of_each_and_hold_rows_and_bindings(side: Side) -> None:
    installation, entity = side.installation, Entity.REGISTRATION
    installation.fill(5)
    ids = side.ids(entity)
    side.bind(entity, ids, 500)
    gone, never_bound = ids[1], ids[6]
    side.known(entity)
    side.known(entity)
    bounds = [None, *side.comparison.ends(side.name, entity, None, 2, 3)]
    assert bounds == [None, ids[1], ids[3], ids[5]]
    assert side.comparison.ends(side.name, entity, ids[5], 2, 3) == [None]
    whole = [*bounds, None]
    assert [known.count for known in side.comparison.known_ranges(side.name, entity, whole)] == [2, 2, 2, 1]
    assert all(known.digest for known in side.comparison.known_ranges(side.name, entity, whole))

    installation.bridge("DELETE FROM bridge.binding WHERE record_id = %(id)s", id=str(never_bound))
    installation.app("DELETE FROM {schema}.commissions WHERE registration_id = %(id)s", id=str(gone))
    installation.app("DELETE FROM {schema}.registrations WHERE id = %(id)s", id=str(gone))
    databases.clear_marks(installation.settings)
    assert side.comparison.ids(side.name, entity, None, None) == ids
    assert side.comparison.ids(side.name, entity, ids[0], ids[3], 2) == ids[1:3]
    found = side.comparison.known_ranges(side.name, entity, whole)
    assert [(known.count, bool(known.digest)) for known in found] == [(2, False), (2, True), (2, True), (1, False)]
