"""Links of users: one person within a tenant, marked with what shows them, and nobody of another tenant."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db_init.attach import attach
from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.operations.user_links import LinkState
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import RejectedError
from sync_daemon.postgres.admin.user_links import LinkDecision, UserLinks
from tests import databases
from tests.databases import AppTenant
from tests.integration.conftest import INSTANCE, Installation

PENDING = {"status": "pending", "approved_at": "", "paid_at": "", "payment_reference": ""}
APPROVED = {**PENDING, "status": "approved", "approved_at": "2026-02-01 08:00:00", "approved_by": "7"}


def people(installation: Installation) -> UserLinks:
    return UserLinks(installation.database, INSTANCE)


def name_of(tenant: AppTenant) -> Tenant:
    return Tenant(tenant.id, tenant.schema, tenant.schema)


def decide(
    installation: Installation,
    user: UUID,
    odoo_id: int = 7,
    state: LinkState = LinkState.CONFIRMED,
    tenant: AppTenant | None = None,
) -> None:
    decision = LinkDecision(user, odoo_id, f"login{odoo_id}", state, "admin (c360)")
    people(installation).decide(name_of(tenant or installation.tenant), decision)


def users(installation: Installation) -> list[UUID]:
    return [user.id for user in people(installation).of(name_of(installation.tenant))]


def bind(installation: Installation, key: RecordKey, res_id: int, fields: dict[str, str]) -> None:
    installation.outbox.owe([key])
    owed = installation.rows.snapshot([key]).owed[key]
    agreed = {name: Base(value, value) for name, value in fields.items()}
    model = "x_commission" if key.entity is Entity.COMMISSION else "crm.lead"
    installation.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, model, res_id, "d", agreed, {}, ())])
    databases.clear_marks(installation.settings)


def approve(installation: Installation, key: RecordKey, number: int = 1) -> None:
    told = Change(key, Version(1, number), Op.UPSERT, "x_commission", 5, "2026-02-01 08:00:00", "login7", APPROVED)
    tenant = installation.tenant
    [verdict] = installation.take(tenant.id, tenant.schema, [told])
    assert verdict.ruling is Ruling.APPLIED


@pytest.fixture
def commission(installation: Installation) -> RecordKey:
    """A commission that both sides have agreed on: pending."""
    installation.fill(1)
    [[record_id]] = installation.app("SELECT id::text FROM {schema}.commissions")
    key = installation.key(Entity.COMMISSION, UUID(str(record_id)))
    bind(installation, key, 5, PENDING)
    return key


def approval(installation: Installation) -> tuple[object, ...]:
    [found] = installation.app("SELECT status, approved_at::text, approved_by::text FROM {schema}.commissions")
    return found


def test_a_link_marks_the_leads_that_show_the_person_into_the_bulk_lane_and_no_others(
    installation: Installation,
) -> None:
    assigned, other = installation.fill(2)
    [user] = users(installation)
    installation.app(
        "UPDATE {schema}.registrations SET assigned_to = %(user)s WHERE id = %(id)s",
        user=str(user),
        id=str(assigned.record_id),
    )
    for number, key in enumerate((assigned, other), start=1):
        bind(installation, key, number, {})
    decide(installation, user)
    marks = databases.marks(installation.settings)
    assert {mark[2:] for mark in marks} == {("registration", str(assigned.record_id), "bulk")}
    snapshot = installation.rows.snapshot([assigned])
    assert snapshot.figures == {}, "a mark is no debt before it is collected"
    installation.outbox.collect(10)
    assert installation.rows.snapshot([assigned]).figures[assigned]["linked"] == {"assigned_to": "7"}

    bind(installation, assigned, 1, {})
    decide(installation, user, state=LinkState.DECLINED)
    assert {mark[2:] for mark in databases.marks(installation.settings)} == {
        ("registration", str(assigned.record_id), "bulk")
    }
    installation.outbox.collect(10)
    assert installation.rows.snapshot([assigned]).figures[assigned]["linked"] == {"assigned_to": None}


def test_a_user_of_odoo_is_one_person_within_a_tenant(installation: Installation) -> None:
    installation.fill(1)
    installation.fill(1)
    first, second = users(installation)
    decide(installation, first)
    with pytest.raises(RejectedError, match=r"another user of .* was linked with login7 meanwhile"):
        decide(installation, second)
    found = {user.id: user.linked for user in people(installation).of(name_of(installation.tenant))}
    assert found[first] and not found[second]
    decide(installation, first, 8)
    decide(installation, second)
    logins = {
        user.id: user.linked.login for user in people(installation).of(name_of(installation.tenant)) if user.linked
    }
    assert logins == {first: "login8", second: "login7"}


def test_a_user_of_odoo_may_be_one_person_of_each_tenant_and_each_is_the_tenants_own(
    installation: Installation,
) -> None:
    installation.fill(1)
    [user] = users(installation)
    other = databases.register(installation.settings, f"t{uuid4().hex[:12]}")
    attach(installation.settings)
    app = databases.as_app(installation.settings)
    databases.rows(
        app,
        "INSERT INTO {s}.users (id, tenant_id, email) VALUES (%(id)s, %(tenant)s, 'same@id.example')",
        s=other.schema,
        id=str(user),
        tenant=str(other.id),
    )
    app.close()
    decide(installation, user)
    [namesake] = people(installation).of(name_of(other))
    assert (namesake.id, namesake.link) == (user, None)
    decide(installation, user, tenant=other)
    everybody = [one for tenant in (installation.tenant, other) for one in people(installation).of(name_of(tenant))]
    assert [one.linked is not None for one in everybody] == [True, True]


def test_who_approved_in_odoo_is_written_with_the_approval(installation: Installation, commission: RecordKey) -> None:
    [user] = users(installation)
    decide(installation, user)
    databases.clear_marks(installation.settings)
    approve(installation, commission)
    assert approval(installation) == ("approved", "2026-02-01 08:00:00", str(user))
    marks = {mark[2:] for mark in databases.marks(installation.settings)}
    assert marks == {("commission", str(commission.record_id), "live")}, "Odoo is to show whom the app names"


def test_an_unlinked_approver_is_nobody_until_there_is_a_link(
    installation: Installation, commission: RecordKey
) -> None:
    [user] = users(installation)
    decide(installation, user, state=LinkState.DECLINED)
    approve(installation, commission)
    assert approval(installation) == ("approved", "2026-02-01 08:00:00", None)
    assert people(installation).without_approver(name_of(installation.tenant)) == [commission]
    decide(installation, user)
    approve(installation, commission, 2)
    assert approval(installation) == ("approved", "2026-02-01 08:00:00", str(user))
    assert people(installation).without_approver(name_of(installation.tenant)) == []


def test_a_link_whose_user_is_gone_parks_nothing(installation: Installation, commission: RecordKey) -> None:
    decide(installation, uuid4())
    approve(installation, commission)
    assert approval(installation) == ("approved", "2026-02-01 08:00:00", None)
    assert installation.dead_letters.open() == []
