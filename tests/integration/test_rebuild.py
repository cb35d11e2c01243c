"""Another Odoo in place of the one that is gone: what was true of the former one only says nothing of the new one."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db_init import tenants
from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.operations.adoption import Adopted, Candidate, Finding, Half
from sync_daemon.domain.operations.user_links import LinkState
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import BindingState
from sync_daemon.domain.tenant import Tenant
from sync_daemon.ports import OdooInfo
from sync_daemon.postgres.admin.bindings import Bindings
from sync_daemon.postgres.admin.rebuild import NOTHING, Rebuilds
from sync_daemon.postgres.admin.user_links import LinkDecision, UserLinks
from tests import databases
from tests.databases import AppTenant
from tests.integration.conftest import INSTANCE, Installation


def odoo() -> OdooInfo:
    """Gives a database that nobody has met."""
    return OdooInfo("1", "19.0.1.0.0", "19.0.1.0.0", "19.0", str(uuid4()), 1, 0, "odoo", "bot", None)


def rebuild(installation: Installation, adopted: Adopted = NOTHING) -> int:
    former = odoo()
    installation.registry.identify_instance(INSTANCE)(former)
    return Rebuilds(installation.database, INSTANCE).rebuild(odoo(), former.instance_uuid, adopted)


def test_a_user_of_the_former_odoo_is_nobody_in_the_new_one(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [[user]] = installation.app("SELECT id::text FROM {schema}.users LIMIT 1")
    installation.app("UPDATE {schema}.registrations SET assigned_to = %(user)s", user=user)
    people = UserLinks(installation.database, INSTANCE)
    tenant = Tenant(installation.tenant.id, installation.tenant.schema, installation.tenant.schema)
    people.decide(tenant, LinkDecision(UUID(str(user)), 7, "sales", LinkState.CONFIRMED, "admin (c360)"))
    assert salesperson(installation, registration) == "7"
    assert rebuild(installation) > 0
    assert salesperson(installation, registration) is None
    assert all(found.link is None for found in people.of(tenant))
    people.decide(tenant, LinkDecision(UUID(str(user)), 9, "sales", LinkState.CONFIRMED, "admin (c360)"))
    assert salesperson(installation, registration) == "9"


def salesperson(installation: Installation, registration: RecordKey) -> object:
    assert registration.entity is Entity.REGISTRATION
    installation.outbox.owe([registration])
    linked = installation.rows.snapshot([registration]).figures[registration]["linked"]
    return linked["assigned_to"]


def test_a_tenant_that_waited_for_an_odoo_to_be_made_still_owes_its_rows_to_the_new_one(
    installation: Installation,
) -> None:
    made = tenants.create_app_side(installation.settings, tenants.NewTenant("waiting", "Waiting"))
    app = databases.as_app(installation.settings)
    databases.fill(app, AppTenant(made.tenant_id, made.schema_name, made.subdomain), 2)
    app.close()
    installation.outbox.collect(1_000)
    before = owed(installation, made.tenant_id)
    assert before
    rebuild(installation)
    assert owed(installation, made.tenant_id) == before


def owed(installation: Installation, tenant: UUID) -> set[str]:
    question = "SELECT record_id::text FROM bridge.delivery WHERE tenant_id = %(tenant)s::uuid"
    return {str(row[0]) for row in installation.bridge(question, tenant=str(tenant))}


def test_what_only_the_former_odoo_had_does_not_count_as_synced(installation: Installation) -> None:
    invoice = installation.key(Entity.INVOICE, uuid4())
    bind(installation, invoice, "account.move")
    shown = "SELECT state FROM {schema}.comply360_sync_state WHERE record_id = %(id)s::uuid"
    assert installation.app(shown, id=str(invoice.record_id)) == [("synced",)]
    rebuild(installation)
    assert installation.app(shown, id=str(invoice.record_id)) == []


def test_a_lead_that_is_won_in_the_new_odoo_is_told_as_won_once_more(installation: Installation) -> None:
    [registration] = installation.fill(1)
    bind(installation, registration, "crm.lead")
    win(installation, registration)
    rebuild(installation)
    bind(installation, registration, "crm.lead")
    win(installation, registration)
    told = installation.bridge("SELECT type FROM bridge.event ORDER BY position")
    assert [str(kind).rpartition("odoo.")[2] for (kind,) in told] == ["lead.won.v1", "lead.won.v1"]


@pytest.mark.parametrize("is_same_database", [True, False])
def test_what_the_new_odoo_has_already_stays_bound(installation: Installation, is_same_database: bool) -> None:
    kept, lost = installation.fill(2)
    for registration in (kept, lost):
        bind(installation, registration, "crm.lead", number=9 + (registration == lost))
        installation.bridge(
            "INSERT INTO bridge.base_value (instance_id, tenant_id, entity, record_id, field, app_value, odoo_value)"
            " VALUES (%(instance)s, %(tenant)s::uuid, 'registration', %(id)s::uuid, 'phone', '1', '1') RETURNING field",
            instance=INSTANCE,
            tenant=str(registration.tenant),
            id=str(registration.record_id),
        )
    link(installation)
    half = Half(kept.record_id, Finding.MATCHED, "id", BindingState.ACTIVE, "crm.lead", 11)
    assert rebuild(installation, Adopted({kept: half}, is_same_database)) > 0
    assert bindings(installation) == [(str(kept.record_id), "crm.lead", 11, "active", "")]
    bases = "SELECT record_id::text FROM bridge.base_value WHERE instance_id = %(instance)s"
    assert installation.bridge(bases, instance=INSTANCE) == [(str(kept.record_id),)]
    people = UserLinks(installation.database, INSTANCE)
    links = [found.link for found in people.of(tenant_of(installation))]
    assert any(links) is is_same_database, "the users of another database are other people"


def test_a_record_that_a_person_must_decide_about_can_be_linked(installation: Installation) -> None:
    [registration] = installation.fill(1)
    first = Candidate("crm.lead", 21, "One", "")
    half = Half(
        registration.record_id, Finding.AMBIGUOUS, "id", candidates=(first, Candidate("crm.lead", 22, "Two", ""))
    )
    rebuild(installation, Adopted({registration: half}))
    assert bindings(installation) == [(str(registration.record_id), "crm.lead", 21, "unlinked", "")]
    Bindings(installation.database, INSTANCE).relink(registration, "crm.lead", 22, "admin (c360)")
    assert bindings(installation) == [(str(registration.record_id), "crm.lead", 22, "active", "")]


def bindings(installation: Installation) -> list[tuple[object, ...]]:
    question = (
        "SELECT record_id::text, res_model, res_id, state, digest FROM bridge.binding"
        " WHERE instance_id = %(instance)s AND entity = 'registration'"
    )
    return list(installation.bridge(question, instance=INSTANCE))


def tenant_of(installation: Installation) -> Tenant:
    return Tenant(installation.tenant.id, installation.tenant.schema, installation.tenant.schema)


def link(installation: Installation) -> None:
    [[user]] = installation.app("SELECT id::text FROM {schema}.users LIMIT 1")
    decision = LinkDecision(UUID(str(user)), 7, "sales", LinkState.CONFIRMED, "admin (c360)")
    UserLinks(installation.database, INSTANCE).decide(tenant_of(installation), decision)


def bind(installation: Installation, key: RecordKey, model: str, number: int = 9) -> None:
    installation.outbox.owe([key])
    waiting = installation.rows.snapshot([key]).owed[key]
    installation.ledger.settle(uuid4(), [Applied(waiting, Status.CREATED, model, number, "d", {}, {}, ())])


def win(installation: Installation, registration: RecordKey) -> None:
    tenant, fields = installation.tenant, {"outcome": "won", "lost_reason": ""}
    told = Change(registration, Version(1, 1), Op.UPSERT, "crm.lead", 9, "2026-02-01 10:00:00", "sales", fields)
    [verdict] = installation.take(tenant.id, tenant.schema, [told])
    assert verdict.ruling is Ruling.APPLIED
