"""The Odoo port against a real Odoo with the addon, once per transport."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from sync_daemon.config import Settings
from sync_daemon.domain.document import Document, Op, Ruling, Status, TwoWay, Verdict
from sync_daemon.domain.drift import AppRecord, range_digest
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.snapshot import Binding, BindingState
from sync_daemon.errors import FatalError, RejectedError, TransientError
from sync_daemon.odoo import admin
from sync_daemon.odoo.client import RpcOdoo, open_odoo
from tests.ports.proxy import Proxy

ODD_TEXTS = (
    'Zoë O\'Brien & "Söhne" <b>ümlaut</b>',
    "שלום עולם",
    "🦁 pride ﷽",
    "two\nlines\tand a tab",
    "]]> &amp; %s {{ 7*7 }} \\ \u200f",
    "x" * 255,
)


@pytest.fixture(params=["xmlrpc", "json2"])
def settings(request: pytest.FixtureRequest, stack_settings: Settings) -> Settings:
    return stack_settings.model_copy(update={"odoo_transport": request.param})


class Installation:
    """An app installation of its own, with one tenant."""

    def __init__(self, settings: Settings) -> None:
        self.bridge = uuid4()
        self.settings = settings
        self.odoo = open_odoo(settings, self.bridge)
        self.tenant = uuid4()
        self.number = 0

    def through(self, proxy: Proxy, **changes: object) -> RpcOdoo:
        """The same by way of a proxy."""
        update = {"odoo_url": f"http://127.0.0.1:{proxy.port}", **changes}
        return open_odoo(self.settings.model_copy(update=update), self.bridge)

    def document(self, entity: Entity, record_id: UUID | None = None, **fields: str | bool) -> Document:
        """A document with the next version."""
        self.number += 1
        key = RecordKey(self.tenant, entity, record_id or uuid4())
        return Document(key, Version(1, self.number), fields)

    def client(self, **fields: str | bool) -> Document:
        """A client."""
        return self.document(Entity.CLIENT, **{"name": "A client", "is_company": True, "active": True, **fields})

    def register(self) -> None:
        """Make the tenant known."""
        subdomain = f"t{self.tenant.hex[:12]}"
        document = self.document(
            Entity.TENANT, self.tenant, name=f"Tenant {subdomain}", subdomain=subdomain, status="active"
        )
        [result] = self.odoo.apply_batch(uuid4(), [document])
        assert result.status is Status.CREATED


@pytest.fixture
def here(settings: Settings) -> Installation:
    installation = Installation(settings)
    installation.register()
    return installation


@pytest.fixture
def proxy(stack_settings: Settings) -> Iterator[Proxy]:
    address = urlsplit(stack_settings.odoo_url)
    with Proxy((address.hostname or "", address.port or 80)) as proxy:
        yield proxy


def commission(here: Installation) -> list[Document]:
    """A pending commission with everything it needs, parents first."""
    agent = here.document(Entity.USER, name="An agent", email="agent@example.com", active=True)
    client = here.client()
    registration = here.document(
        Entity.REGISTRATION,
        company_name="A company",
        registration_type="pty_ltd",
        jurisdiction="ZA",
        status="submitted",
        active=True,
    )
    registration = replace(registration, refs={"client": (Entity.CLIENT, client.key.record_id)})
    document = here.document(
        Entity.COMMISSION,
        registration_fee="1000.00",
        commission_rate="12.50",
        commission_amount="125.00",
        currency="ZAR",
    )
    two_way = {"status": TwoWay("pending", None)}
    two_way |= {name: TwoWay("", None) for name in ("approved_at", "paid_at", "payment_reference")}
    refs = {
        "registration": (Entity.REGISTRATION, registration.key.record_id),
        "agent": (Entity.USER, agent.key.record_id),
    }
    return [agent, client, registration, replace(document, two_way=two_way, refs=refs)]


def test_ping_says_who_answers(settings: Settings, here: Installation) -> None:
    info = here.odoo.ping()
    assert info.protocol == "1"
    assert info.odoo.startswith("19.0")
    assert info.database == settings.odoo_database
    assert info.user == settings.odoo_login
    assert UUID(info.instance)
    assert info.epoch >= 1
    assert info.key_expires is not None
    assert info.key_expires > datetime.now(UTC) + timedelta(days=100)


def test_documents_become_records_once_and_are_recognised_again(here: Installation) -> None:
    documents = commission(here)
    first = here.odoo.apply_batch(uuid4(), documents)
    again = here.odoo.apply_batch(uuid4(), documents)
    assert [result.status for result in first] == [Status.CREATED] * 4
    assert [result.model for result in first] == ["res.partner", "res.partner", "crm.lead", "x_commission"]
    assert [result.key for result in first] == [document.key for document in documents]
    assert all(result.res_id > 0 for result in first)
    assert [(result.status, result.res_id) for result in again] == [
        (Status.UNCHANGED, result.res_id) for result in first
    ]


def test_an_older_version_is_stale_and_a_newer_one_updates(here: Installation) -> None:
    old, new = here.client(name="Old"), here.client(name="New")
    new = replace(new, key=old.key)
    [created] = here.odoo.apply_batch(uuid4(), [old])
    [updated] = here.odoo.apply_batch(uuid4(), [new])
    [stale] = here.odoo.apply_batch(uuid4(), [old])
    assert (created.status, updated.status, stale.status) == (Status.CREATED, Status.UPDATED, Status.STALE)
    assert stale.version == new.version


def test_every_text_arrives_as_it_was_sent(here: Installation) -> None:
    documents = [here.client(name=text, city=text, street=text) for text in ODD_TEXTS]
    results = here.odoo.apply_batch(uuid4(), documents)
    assert [(result.status, result.normalised) for result in results] == [(Status.CREATED, {})] * len(documents)
    found, more = here.odoo.digests(here.tenant, Entity.CLIENT, "", 100)
    assert not more
    assert {row.record_id: row.digest for row in found} == {
        document.key.record_id: document.digest for document in documents
    }


def test_digests_come_in_pages(here: Installation) -> None:
    documents = [here.client(name=f"Client {number}") for number in range(5)]
    here.odoo.apply_batch(uuid4(), documents)
    first, more = here.odoo.digests(here.tenant, Entity.CLIENT, "", 3)
    second, no_more = here.odoo.digests(here.tenant, Entity.CLIENT, str(first[-1].record_id), 3)
    assert (more, no_more) == (True, False)
    assert [row.record_id for row in first + second] == sorted(
        (document.key.record_id for document in documents), key=str
    )
    assert {row.state for row in first} == {"active"}


def _bound(document: Document) -> Binding:
    versions = document.version, document.digest, Version(0, 0)
    return Binding(document.key, BindingState.ACTIVE, "res.partner", 1, *versions)


def test_a_range_has_the_digest_that_its_records_have_in_order(here: Installation) -> None:
    documents = [here.client(name=f"Client {number}") for number in range(5)]
    here.odoo.apply_batch(uuid4(), documents)
    records = [
        AppRecord(item.key, True, item.digest, _bound(item))
        for item in sorted(documents, key=lambda document: document.key.record_id)
    ]
    bounds = ["", str(records[1].key.record_id), str(records[2].key.record_id), ""]
    found = here.odoo.digest_ranges(here.tenant, Entity.CLIENT, bounds)
    assert found == [range_digest(part) for part in (records[:2], records[2:3], records[3:])]
    assert here.odoo.known_ranges(here.tenant, Entity.CLIENT, bounds) == found, "Odoo remembers what it has computed"
    foreign = here.odoo.digest_ranges(uuid4(), Entity.CLIENT, ["", ""])
    assert foreign == [range_digest([])], "another tenant's records are not seen"


def test_an_installation_hears_how_much_of_it_is_here(here: Installation) -> None:
    here.odoo.apply_batch(uuid4(), [here.client(), here.client()])
    assert here.odoo.holdings()["client"] == 2
    stranger = open_odoo(here.settings, uuid4())
    assert stranger.holdings() == {}


def test_people_who_work_in_odoo_come_in_pages(here: Installation) -> None:
    everybody, no_more = here.odoo.internal_users("", 1000)
    assert not no_more
    assert here.settings.odoo_admin_login in {user.login for user in everybody}
    assert here.settings.odoo_login not in {user.login for user in everybody}, "the bridge is nobody"
    first, more = here.odoo.internal_users("", 1)
    assert (first, more) == (everybody[:1], len(everybody) > 1)
    assert here.odoo.internal_users(str(everybody[0].id), 1000)[0] == everybody[1:]


def test_refusals_are_results_that_name_field_and_value(here: Installation) -> None:
    documents = commission(here)
    bad = replace(documents[-1], fields={**documents[-1].fields, "currency": "XXX"})
    results = here.odoo.apply_batch(uuid4(), [*documents[:-1], bad])
    assert [result.status for result in results] == [Status.CREATED] * 3 + [Status.REJECTED]
    assert results[-1].code == "unknown_currency"
    assert (results[-1].field, results[-1].value) == ("currency", "XXX")
    assert results[-1].message


def test_a_tenant_that_odoo_does_not_know_is_asked_again_later(settings: Settings) -> None:
    stranger = Installation(settings)
    [result] = stranger.odoo.apply_batch(uuid4(), [stranger.client()])
    assert (result.status, result.code) == (Status.RETRY, "tenant_missing")


def test_changes_are_pulled_until_they_are_acknowledged(settings: Settings, here: Installation) -> None:
    documents = commission(here)
    key = documents[-1].key
    result = here.odoo.apply_batch(uuid4(), documents)[-1]
    assert here.odoo.pull_changes(10, 10).changes == ()
    with admin.as_administrator(settings) as person:
        group = person.env.ref("comply360_bridge.group_accountant").id
        person.execute_kw("res.users", "write", [[person.env.uid], {"group_ids": [(4, group)]}])
        person.execute_kw("x_commission", "action_approve", [[result.res_id]])

    [change] = here.odoo.pull_changes(10, 10).changes
    assert (change.key, change.op, change.res_id) == (key, Op.UPSERT, result.res_id)
    assert change.fields["status"] == "approved"
    assert change.fields["payment_reference"] == ""
    assert here.odoo.backlog()[here.tenant].owed == 1

    here.odoo.ack_changes([Verdict(key, change.version, Ruling.PARKED, "odd \x00 message")])
    assert here.odoo.pull_changes(10, 10).changes == ()
    assert here.odoo.backlog()[here.tenant].parked == 1

    assert here.odoo.requeue_changes([key]) == 1
    [newer] = here.odoo.pull_changes(10, 10).changes
    assert newer.version > change.version
    here.odoo.ack_changes([Verdict(key, newer.version, Ruling.APPLIED)])
    assert here.odoo.pull_changes(10, 10).changes == ()
    assert here.tenant not in here.odoo.backlog()


@pytest.mark.parametrize("text", ["nul\x00", "bell\x07", "\ud800 lone", "\ufffe", "carriage\r\nreturn"])
def test_a_text_that_cannot_cross_is_refused_before_anything_is_sent(
    here: Installation, proxy: Proxy, text: str
) -> None:
    document = here.client(name=text)
    with pytest.raises(RejectedError, match=f"client {document.key.record_id}") as caught:
        here.through(proxy).apply_batch(uuid4(), [here.client(), document])
    assert (caught.value.code, caught.value.field) == ("forbidden_character", "name")
    assert proxy.connections == 0


@pytest.mark.parametrize("value", [None, 1, 1.5, b"bytes", datetime(2026, 1, 1)])
def test_a_value_that_is_no_text_is_refused_before_anything_is_sent(
    here: Installation, proxy: Proxy, value: object
) -> None:
    with pytest.raises(RejectedError) as caught:
        here.through(proxy).apply_batch(uuid4(), [here.client(name=value)])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == ("no_text", "name")
    assert proxy.connections == 0


def test_a_lost_answer_costs_one_request_and_the_repeat_finds_the_record(here: Installation, proxy: Proxy) -> None:
    document = here.client()
    through = here.through(proxy)
    # signed in and acquainted: from now on a call is one request
    through.backlog()
    before = proxy.connections
    proxy.mode = "eat_response"
    with pytest.raises(TransientError, match="no answer from Odoo"):
        through.apply_batch(uuid4(), [document])
    assert proxy.connections - before == 1
    proxy.mode = "pass"
    [result] = through.apply_batch(uuid4(), [document])
    assert result.status is Status.UNCHANGED
    assert len(here.odoo.digests(here.tenant, Entity.CLIENT, "", 10)[0]) == 1


def test_an_answer_that_does_not_come_ends_with_the_time_out(here: Installation, proxy: Proxy) -> None:
    proxy.mode = "silent"
    with pytest.raises(TransientError, match="in time"):
        here.through(proxy, odoo_timeout_seconds=0.5).ping()
    assert proxy.connections == 1


def test_nobody_listening_is_a_transient_error(here: Installation) -> None:
    with Proxy(("127.0.0.1", 1)) as gone:
        pass
    with pytest.raises(TransientError, match=f"http://127.0.0.1:{gone.port}"):
        here.through(gone).ping()


def test_a_wrong_key_is_fatal_and_not_shown(settings: Settings) -> None:
    wrong = settings.model_copy(update={"odoo_api_key": SecretStr("canary-key")})
    with pytest.raises(FatalError) as caught:
        open_odoo(wrong, uuid4()).ping()
    assert "canary-key" not in str(caught.value)


def test_a_missing_database_is_fatal(settings: Settings) -> None:
    with pytest.raises(FatalError):
        open_odoo(settings.model_copy(update={"odoo_database": "no_such_database"}), uuid4()).ping()


def test_a_method_that_the_addon_does_not_have_is_fatal(settings: Settings) -> None:
    odoo = open_odoo(settings, uuid4())
    for method in ("no_such_method", "_check_service"):
        with pytest.raises(FatalError, match="cannot serve the bridge"):
            odoo._transport.call(method, {})


def test_another_protocol_is_fatal(settings: Settings) -> None:
    odoo = open_odoo(settings, uuid4())
    batch = {"protocol": "99", "bridge": str(uuid4()), "run": str(uuid4()), "documents": []}
    with pytest.raises(FatalError, match="speaks protocol 99"):
        odoo._transport.call("apply_batch", {"batch": batch})


def test_an_argument_that_odoo_cannot_read_is_rejected(settings: Settings) -> None:
    odoo = open_odoo(settings, uuid4())
    with pytest.raises(RejectedError, match="ValueError"):
        odoo._transport.call("pull_changes", {"bridge": str(uuid4()), "limit": "many", "per_tenant": "1"})


def test_odoo_says_what_its_fields_are(here: Installation) -> None:
    found = here.odoo.describe_fields()
    status = found.entities[Entity.REGISTRATION]["status"]
    assert (status.model, status.field, status.type) == ("crm.lead", "x_comply360_status", "selection")
    assert "in_review" in status.values
    assert found.listed == {here.tenant: {}}


def test_digests_are_of_the_fields_that_are_named(here: Installation) -> None:
    client = here.client(city="Harare", phone="+263 1")
    here.odoo.apply_batch(uuid4(), [client])
    [named], _ = here.odoo.digests(here.tenant, Entity.CLIENT, "", 10, ["city"])
    assert named.digest == client.digest_over(["city"])
    [whole], _ = here.odoo.digests(here.tenant, Entity.CLIENT, "", 10)
    assert whole.digest == client.digest


def test_threads_share_one_client(here: Installation) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: here.odoo.ping().database, range(40)))
    assert set(answers) == {here.settings.odoo_database}


def test_a_tenant_of_the_selftest_is_removed_and_any_other_one_is_refused(
    settings: Settings, here: Installation
) -> None:
    tried = Installation(settings.of_selftest)
    tried.register()
    tried.odoo.apply_batch(uuid4(), commission(tried))
    assert tried.odoo.purge_selftest(tried.tenant) == 4
    assert tried.odoo.digests(tried.tenant, Entity.REGISTRATION, "", 10) == ([], False)
    assert tried.odoo.purge_selftest(tried.tenant) == 0
    with pytest.raises(RejectedError, match="is not the selftest's"):
        here.odoo.purge_selftest(here.tenant)
    assert here.odoo.show_binding(RecordKey(here.tenant, Entity.TENANT, here.tenant)).state == "active"
