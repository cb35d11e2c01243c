"""The Odoo port: in memory, and a real Odoo with the addon over each transport."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from sync_daemon.config import Settings
from sync_daemon.domain.document import Document, Op, Ruling, Status, TwoWay, Verdict, digest_of
from sync_daemon.domain.drift import AppRecord, range_digest
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.operations.adoption import Finding, Sought
from sync_daemon.domain.operations.claims import Claim
from sync_daemon.domain.snapshot import Binding, BindingState
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import FatalError, RejectedError, TransientError
from sync_daemon.odoo.client import open_odoo
from sync_daemon.odoo.transports.http_post import HttpPost
from sync_daemon.odoo.wire import PROTOCOL
from tests.ports import odoo_side
from tests.ports.odoo_side import Installation, through
from tests.ports.proxy import Proxy

ODD_TEXTS = (
    'Zoë O\'Brien & "Söhne" <b>ümlaut</b>',
    "שלום עולם",
    "🦁 pride ﷽",
    "two\nlines\tand a tab",
    "]]> &amp; %s {{ 7*7 }} \\ \u200f",
    "x" * 255,
)


Begin = Callable[..., Installation]


@pytest.fixture(autouse=True)
def given_back() -> Iterator[None]:
    yield
    odoo_side.give_back()


@pytest.fixture(params=["xmlrpc", "json2"])
def settings(request: pytest.FixtureRequest, stack_settings: Settings) -> Settings:
    return stack_settings.model_copy(update={"odoo_transport": request.param})


@pytest.fixture
def real(settings: Settings) -> Installation:
    """Gives an installation in the real Odoo alone."""
    installation = odoo_side.real(settings)
    installation.register()
    return installation


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what begins an installation in memory, and in the real Odoo over each transport."""
    if "begin" in metafunc.fixturenames:
        sides = [("memory", ""), ("real", "xmlrpc"), ("real", "json2")]
        metafunc.parametrize(("side", "transport"), sides, indirect=True, ids=["memory", "real-xmlrpc", "real-json2"])


@pytest.fixture
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def begin(request: pytest.FixtureRequest, side: str, transport: str) -> Begin:
    """Gives what makes installations in one Odoo."""
    if side == "memory":
        odoo = odoo_side.fresh()
        return lambda selftest=False: odoo_side.in_memory(odoo, selftest)
    stack: Settings = request.getfixturevalue("stack_settings")
    settings = stack.model_copy(update={"odoo_transport": transport})
    return lambda selftest=False: odoo_side.real(settings.of_selftest if selftest else settings)


@pytest.fixture
def here(begin: Begin) -> Installation:
    installation = begin()
    installation.register()
    return installation


@pytest.fixture
def proxy(stack_settings: Settings) -> Iterator[Proxy]:
    address = urlsplit(stack_settings.odoo_url)
    with Proxy((address.hostname or "", address.port or 80)) as proxy:
        yield proxy


def test_ping_says_who_answers(settings: Settings) -> None:
    info = open_odoo(settings, uuid4()).ping()
    assert info.protocol == PROTOCOL
    assert info.odoo.startswith("19.0")
    assert info.database == settings.odoo_database
    assert info.user == settings.odoo_login
    assert UUID(info.instance_uuid)
    assert info.epoch >= 1
    assert info.key_expires is not None
    assert info.key_expires > datetime.now(UTC) + timedelta(days=100)


def test_documents_become_records_once_and_are_recognised_again(here: Installation) -> None:
    documents = here.commission()
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


@pytest.mark.reliability("F44")
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
    assert here.odoo.holdings().entities["client"] == 2
    assert here.stranger().holdings().records == 0


def test_records_that_odoo_has_are_found_by_their_ids(here: Installation) -> None:
    known, unknown = here.client(), here.client()
    [result] = here.odoo.apply_batch(uuid4(), [known])
    sought = [Sought(known.key.record_id), Sought(unknown.key.record_id)]
    tenant = Tenant(here.tenant, "agency", "tenant_agency")
    for dry_run in (True, False):
        found = here.odoo.adopt_records(tenant, Entity.CLIENT, sought, dry_run)
        assert [(half.record_id, half.finding) for half in found] == [
            (known.key.record_id, Finding.MATCHED),
            (unknown.key.record_id, Finding.NEW),
        ]
        assert (found[0].by, found[0].model, found[0].res_id) == ("id", "res.partner", result.res_id)
    stranger = Tenant(uuid4(), "other", "tenant_other")
    assert [half.finding for half in here.odoo.adopt_records(stranger, Entity.CLIENT, sought, dry_run=True)] == [
        Finding.NEW,
        Finding.NEW,
    ], "no tenant adopts another one's records"


def test_people_who_work_in_odoo_come_in_pages(here: Installation) -> None:
    everybody, no_more = here.odoo.internal_users("", 1000)
    assert not no_more
    assert "admin" in {user.login for user in everybody}
    assert here.odoo.ping().user not in {user.login for user in everybody}, "the bridge is nobody"
    first, more = here.odoo.internal_users("", 1)
    assert (first, more) == (everybody[:1], len(everybody) > 1)
    assert here.odoo.internal_users(str(everybody[0].id), 1000)[0] == everybody[1:]


def test_refusals_are_results_that_name_field_and_value(here: Installation) -> None:
    documents = here.commission()
    bad = replace(documents[-1], fields={**documents[-1].fields, "currency": "XXX"})
    results = here.odoo.apply_batch(uuid4(), [*documents[:-1], bad])
    assert [result.status for result in results] == [Status.CREATED] * 3 + [Status.REJECTED]
    assert results[-1].code == "unknown_currency"
    assert (results[-1].field, results[-1].value) == ("currency", "XXX")
    assert results[-1].message


def test_a_tenant_that_odoo_does_not_know_is_asked_again_later(begin: Begin) -> None:
    stranger = begin()
    [result] = stranger.odoo.apply_batch(uuid4(), [stranger.client()])
    assert (result.status, result.code) == (Status.RETRY, "tenant_missing")


def test_changes_are_pulled_until_they_are_acknowledged(here: Installation) -> None:
    documents = here.commission()
    key = documents[-1].key
    result = here.odoo.apply_batch(uuid4(), documents)[-1]
    assert here.odoo.pull_changes(10, 10).changes == ()
    here.people.approve(key)
    [change] = here.odoo.pull_changes(10, 10).changes
    assert (change.key, change.op, change.res_id) == (key, Op.UPSERT, result.res_id)
    assert change.fields["status"] == "approved"
    assert change.fields["payment_reference"] == ""
    assert here.odoo.backlog()[here.tenant].owed == 1
    assert here.odoo.causes()[here.tenant] == {"the change is about to be taken by the app": 1}

    here.odoo.ack_changes([Verdict(key, change.version, Ruling.PARKED, "odd \x00 message")])
    assert here.odoo.pull_changes(10, 10).changes == ()
    assert here.odoo.backlog()[here.tenant].parked == 1
    assert list(here.odoo.causes()[here.tenant].values()) == [1]

    assert here.odoo.requeue_changes([key]) == 1
    [newer] = here.odoo.pull_changes(10, 10).changes
    assert newer.version > change.version
    here.odoo.ack_changes([Verdict(key, newer.version, Ruling.APPLIED)])
    assert here.odoo.pull_changes(10, 10).changes == ()
    assert here.tenant not in here.odoo.backlog()
    assert here.tenant not in here.odoo.causes()


def test_a_change_in_odoo_raises_the_number_of_the_newest_mark(here: Installation) -> None:
    documents = here.commission()
    here.odoo.apply_batch(uuid4(), documents)
    before = here.odoo.newest()
    assert here.odoo.newest() == before
    here.people.approve(documents[-1].key)
    [change] = here.odoo.pull_changes(10, 10).changes
    assert here.odoo.newest() == change.version.number > before
    here.odoo.ack_changes([Verdict(change.key, change.version, Ruling.APPLIED)])
    assert here.odoo.newest() < change.version.number, "only marks that wait count"


def test_the_newest_mark_is_told_to_the_bridges_own_users_alone(settings: Settings) -> None:
    assert open_odoo(settings, uuid4()).newest() >= 0
    others: list[dict[str, object]] = [
        {"odoo_login": "nobody@example.com"},
        {"odoo_api_key": SecretStr("no key of anybody")},
        {"odoo_login": settings.odoo_admin_login, "odoo_api_key": settings.odoo_admin_password},
    ]
    for changes in others:
        with pytest.raises(FatalError, match="HTTP 403"):
            open_odoo(settings.model_copy(update=changes), uuid4()).newest()
    answer = HttpPost(settings)("/comply360_bridge/newest", b"", {"X-Odoo-Database": settings.odoo_database})
    assert answer.status == 403


def test_present_values_are_those_that_the_digests_are_of(here: Installation) -> None:
    documents = here.commission()
    here.odoo.apply_batch(uuid4(), documents)
    for entity in (Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION):
        for row in here.odoo.digests(here.tenant, entity, "", 10)[0]:
            shown = here.odoo.show_values(here.tenant, entity, [row.record_id, uuid4()])
            assert {record: content.digest for record, content in shown.items()} == {row.record_id: row.digest}
            assert row.deviations == ()


def test_nothing_in_a_fresh_odoo_stops_a_tenant_without_records(here: Installation) -> None:
    assert [item for item in here.odoo.check_setup({here.tenant: {}}) if item.tenant == here.tenant] == []


@pytest.mark.parametrize("text", ["nul\x00", "bell\x07", "\ud800 lone", "\ufffe", "carriage\r\nreturn"])
def test_a_text_that_cannot_cross_is_refused_before_anything_is_sent(
    settings: Settings, real: Installation, proxy: Proxy, text: str
) -> None:
    document = real.client(name=text)
    with pytest.raises(RejectedError, match=f"client {document.key.record_id}") as caught:
        open_odoo(through(settings, proxy), uuid4()).apply_batch(uuid4(), [real.client(), document])
    assert (caught.value.code, caught.value.field) == ("forbidden_character", "name")
    assert proxy.connections == 0


@pytest.mark.parametrize("value", [None, 1, 1.5, b"bytes", datetime(2026, 1, 1)])
def test_a_value_that_is_no_text_is_refused_before_anything_is_sent(
    settings: Settings, real: Installation, proxy: Proxy, value: object
) -> None:
    with pytest.raises(RejectedError) as caught:
        open_odoo(through(settings, proxy), uuid4()).apply_batch(uuid4(), [real.client(name=value)])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == ("no_text", "name")
    assert proxy.connections == 0


@pytest.mark.reliability("F37", "F49")
def test_a_lost_answer_costs_one_request_and_the_repeat_finds_the_record(settings: Settings, proxy: Proxy) -> None:
    real = odoo_side.real(through(settings, proxy))
    real.register()
    document, odoo = real.client(), real.odoo
    # signed in and acquainted: from now on a call is one request
    odoo.backlog()
    before = proxy.connections
    proxy.mode = "eat_response"
    with pytest.raises(TransientError, match="no answer from Odoo"):
        odoo.apply_batch(uuid4(), [document])
    assert proxy.connections - before == 1
    proxy.mode = "pass"
    [result] = odoo.apply_batch(uuid4(), [document])
    assert result.status is Status.UNCHANGED
    assert len(odoo.digests(real.tenant, Entity.CLIENT, "", 10)[0]) == 1


@pytest.mark.reliability("F38", "F64")
def test_an_answer_that_does_not_come_ends_with_the_time_out(settings: Settings, proxy: Proxy) -> None:
    proxy.mode = "silent"
    with pytest.raises(TransientError, match="in time"):
        open_odoo(through(settings, proxy, odoo_timeout_seconds=0.5), uuid4()).ping()
    assert proxy.connections == 1


@pytest.mark.reliability("F40")
def test_nobody_listening_is_a_transient_error(settings: Settings) -> None:
    with Proxy(("127.0.0.1", 1)) as gone:
        pass
    with pytest.raises(TransientError, match=f"http://127.0.0.1:{gone.port}"):
        open_odoo(through(settings, gone), uuid4()).ping()


@pytest.mark.reliability("F63")
def test_a_wrong_key_is_fatal_and_not_shown(settings: Settings) -> None:
    wrong = settings.model_copy(update={"odoo_api_key": SecretStr("canary-key")})
    with pytest.raises(FatalError) as caught:
        open_odoo(wrong, uuid4()).ping()
    assert "canary-key" not in str(caught.value)


@pytest.mark.reliability("F42", "F86")
def test_a_missing_database_is_fatal(settings: Settings) -> None:
    with pytest.raises(FatalError):
        open_odoo(settings.model_copy(update={"odoo_database": "no_such_database"}), uuid4()).ping()


@pytest.mark.reliability("F42")
def test_a_method_that_the_addon_does_not_have_is_fatal(settings: Settings) -> None:
    odoo = open_odoo(settings, uuid4())
    for method in ("no_such_method", "_check_service"):
        with pytest.raises(FatalError, match="cannot serve the bridge"):
            odoo._transport.call(method, {})


@pytest.mark.reliability("F43")
def test_another_protocol_is_fatal(settings: Settings) -> None:
    odoo = open_odoo(settings, uuid4())
    batch = {"protocol": "99", "installation": str(uuid4()), "run": str(uuid4()), "documents": []}
    with pytest.raises(FatalError, match="speaks protocol 99"):
        odoo._transport.call("apply_batch", {"batch": json.dumps(batch)})


@pytest.mark.reliability("F41")
def test_an_argument_that_odoo_cannot_read_is_rejected(settings: Settings) -> None:
    odoo = open_odoo(settings, uuid4())
    with pytest.raises(RejectedError, match="limit must be a whole number from 0 to 2147483647, not many"):
        odoo._transport.call("pull_changes", {"installation": str(uuid4()), "limit": "many", "per_tenant": "1"})


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


def test_threads_share_one_client(settings: Settings, real: Installation) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: real.odoo.ping().database, range(40)))
    assert set(answers) == {settings.odoo_database}


def test_a_tenant_of_the_selftest_is_removed_and_any_other_one_is_refused(begin: Begin, here: Installation) -> None:
    tried = begin(selftest=True)
    tried.register()
    tried.odoo.apply_batch(uuid4(), tried.commission())
    assert tried.odoo.purge_selftest(tried.tenant) == 4
    assert tried.odoo.digests(tried.tenant, Entity.REGISTRATION, "", 10) == ([], False)
    assert tried.odoo.purge_selftest(tried.tenant) == 0
    with pytest.raises(RejectedError, match="is not a selftest tenant"):
        here.odoo.purge_selftest(here.tenant)
    assert here.odoo.show_binding(RecordKey(here.tenant, Entity.TENANT, here.tenant)).state == "active"


def pair(value: str, base: str | None = None) -> TwoWay:
    return TwoWay(value, base)


def test_a_two_way_field_is_written_over_its_base_and_over_nothing_else(here: Installation) -> None:
    document = here.again(here.document(Entity.CLIENT, is_company=True, active=True), name=pair("One"), city=pair(""))
    here.odoo.apply_batch(uuid4(), [document])
    here.people.write(document.key, city="Harare")
    [result] = here.odoo.apply_batch(uuid4(), [here.again(document, name=pair("Two", "One"), city=pair("Cape", ""))])
    assert (result.status, result.diverged, result.replaced) == (Status.UPDATED, {"city": "Harare"}, {"name": "One"})
    assert here.odoo.digests(here.tenant, Entity.CLIENT, "", 1, ["name", "city"])[0][0].digest == digest_of(
        {"name": "Two", "city": "Harare"}, {}
    )
    [result] = here.odoo.apply_batch(
        uuid4(), [here.again(document, name=pair("Two", "Two"), city=pair("Cape", "Harare"))]
    )
    assert (result.status, result.diverged) == (Status.UPDATED, {})


def test_what_the_app_sent_itself_is_written_over_as_long_as_nobody_chose_it(here: Installation) -> None:
    document = here.again(here.document(Entity.CLIENT, is_company=True, active=True), name=pair("One"))
    here.odoo.apply_batch(uuid4(), [document])
    # the answer to this one was lost: the base is still the one before
    here.odoo.apply_batch(uuid4(), [here.again(document, name=pair("Two", "One"))])
    [result] = here.odoo.apply_batch(uuid4(), [here.again(document, name=pair("Three", "One"))])
    assert (result.status, result.diverged) == (Status.UPDATED, {})
    heard = replace(here.again(document, name=pair("Four", "One")), last_seen_version=Version(1, 10**9))
    [result] = here.odoo.apply_batch(uuid4(), [heard])
    assert result.diverged == {"name": "Three"}


def test_an_offer_is_taken_only_where_odoo_has_nothing(here: Installation) -> None:
    document = replace(here.client(), offers={"city": "Harare"})
    here.odoo.apply_batch(uuid4(), [document])
    [result] = here.odoo.apply_batch(
        uuid4(), [replace(here.again(document), offers={"city": "Cape", "street": "Long"})]
    )
    assert (result.status, result.diverged) == (Status.UPDATED, {"city": "Harare"})


def test_what_people_change_is_told_with_what_the_app_sent_last(here: Installation) -> None:
    document = here.again(
        here.document(Entity.CLIENT, is_company=True, active=True), name=pair("One"), city=pair("Cape")
    )
    here.odoo.apply_batch(uuid4(), [document])
    here.people.write(document.key, city="Harare")
    here.people.write(document.key, name="Another")
    [change] = here.odoo.pull_changes(10, 10).changes
    assert (change.key, change.op, change.model) == (document.key, Op.UPSERT, "res.partner")
    assert (change.fields["name"], change.fields["city"], change.fields["phone"]) == ("Another", "Harare", "")
    assert (change.sent["name"].base, change.sent["name"].value) == ("", "One")
    assert change.by == "admin" or change.by


def test_a_change_that_comes_later_is_offered_again_after_a_while(here: Installation) -> None:
    document = here.again(here.client())
    here.odoo.apply_batch(uuid4(), [document])
    here.people.write(document.key, city="Harare")
    [change] = here.odoo.pull_changes(10, 10).changes
    here.odoo.ack_changes([Verdict(change.key, change.version, Ruling.LATER)])
    assert here.odoo.pull_changes(10, 10).changes == ()
    assert here.odoo.backlog()[here.tenant].owed == 1
    here.people.passed(timedelta(seconds=6))
    assert here.odoo.pull_changes(10, 10).changes == (change,)
    here.people.write(document.key, city="Cape")
    [newer] = here.odoo.pull_changes(10, 10).changes
    here.odoo.ack_changes([Verdict(change.key, change.version, Ruling.APPLIED)])
    assert here.odoo.pull_changes(10, 10).changes == (newer,), "a newer mark stays"


def test_tenants_take_turns_and_a_page_has_its_limits(begin: Begin, here: Installation) -> None:
    documents = [here.client() for _ in range(3)]
    here.odoo.apply_batch(uuid4(), documents)
    assert [here.odoo.requeue_changes([document.key]) for document in documents] == [1, 1, 1]
    assert here.odoo.requeue_changes([here.client().key]) == 0, "what is not bound is not marked"
    assert [change.key for change in here.odoo.pull_changes(10, 2).changes] == [item.key for item in documents[:2]]
    page = here.odoo.pull_changes(1, 10)
    assert (len(page.changes), page.more) == (1, True)
    assert begin().odoo.pull_changes(10, 10).changes == (), "another installation's changes are not offered"


def test_a_record_that_a_person_deleted_is_told_and_never_made_again(here: Installation) -> None:
    document = here.client()
    here.odoo.apply_batch(uuid4(), [document])
    here.people.unlink(document.key)
    [change] = here.odoo.pull_changes(10, 10).changes
    assert (change.op, change.fields) == (Op.UNLINK, {})
    [result] = here.odoo.apply_batch(uuid4(), [here.again(document)])
    assert (result.status, result.code) == (Status.REJECTED, "unlinked")
    assert here.odoo.show_binding(document.key).state == "unlinked"
    here.odoo.forget_binding(document.key)
    [result] = here.odoo.apply_batch(uuid4(), [here.again(document)])
    assert result.status is Status.CREATED


def test_a_lead_that_a_salesperson_took_out_of_the_sync_is_left_alone_until_it_is_put_back(here: Installation) -> None:
    document = here.lead()
    here.odoo.apply_batch(uuid4(), [document])
    here.people.leave(document.key)
    [result] = here.odoo.apply_batch(uuid4(), [here.again(document)])
    assert result.status is Status.OPTED_OUT
    assert here.odoo.show_binding(document.key).opted_out
    here.people.join(document.key)
    [change] = here.odoo.pull_changes(10, 10).changes
    assert change.op is Op.ASK
    [result] = here.odoo.apply_batch(
        uuid4(), [replace(here.again(document), fields={**document.fields, "status": "in_review"})]
    )
    assert result.status is Status.UPDATED


def test_a_lead_tells_what_it_begins_with(here: Installation) -> None:
    won, open_one = here.lead(status="approved"), here.lead()
    here.odoo.apply_batch(uuid4(), [won, open_one])
    [change] = here.odoo.pull_changes(10, 10).changes
    assert (change.key, change.fields) == (won.key, {"outcome": "won", "lost_reason": ""})


def test_a_paid_commission_diverges_whatever_the_base_says(here: Installation) -> None:
    documents = here.commission()
    paid = here.again(documents[-1], status=pair("paid"), paid_at=pair("2026-02-03 09:30:00"))
    here.odoo.apply_batch(uuid4(), [*documents[:-1], paid])
    [result] = here.odoo.apply_batch(uuid4(), [here.again(paid, status=pair("approved", "paid"))])
    assert result.diverged == {"status": "paid"}


def test_a_parent_that_is_missing_is_waited_for_or_left_out(here: Installation) -> None:
    documents = here.commission()
    [lead, waiting] = here.odoo.apply_batch(uuid4(), [documents[2], documents[3]])
    assert [problem.code for problem in lead.skipped] == ["parent_missing"]
    assert (waiting.status, waiting.code) == (Status.RETRY, "parent_missing")
    assert [result.status for result in here.odoo.apply_batch(uuid4(), [documents[0], documents[3]])] == [
        Status.CREATED,
        Status.CREATED,
    ]


def test_a_parent_of_another_tenant_is_refused(begin: Begin, here: Installation) -> None:
    other = replace(here, tenant=uuid4())
    other.register()
    client = other.client()
    other.odoo.apply_batch(uuid4(), [client])
    lead = replace(here.lead(), refs={"client": (Entity.CLIENT, client.key.record_id)})
    [result] = here.odoo.apply_batch(uuid4(), [lead])
    assert [problem.code for problem in result.skipped] == ["foreign_tenant"]


def test_a_parent_that_only_the_clone_of_a_tenant_has_yet_is_waited_for(here: Installation) -> None:
    clone = replace(here, tenant=uuid4())
    clone.register()
    client = clone.client()
    lead = replace(clone.lead(), refs={"client": (Entity.CLIENT, client.key.record_id)})
    clone.odoo.apply_batch(uuid4(), [client, lead])
    own = replace(lead, key=replace(lead.key, tenant=here.tenant))
    [result] = here.odoo.apply_batch(uuid4(), [own])
    assert [problem.code for problem in result.skipped] == ["parent_missing"]


def test_a_document_waits_for_its_content_and_goes_when_the_app_deletes_it(here: Installation) -> None:
    content = b"a scan" * 1000
    sha256 = hashlib.sha256(content).hexdigest()
    lead = here.lead()
    given = {"file_name": "id.pdf", "mime_type": "application/pdf", "status": "pending", "sha256": sha256}
    refs = {"registration": (Entity.REGISTRATION, lead.key.record_id)}
    file = replace(here.document(Entity.DOCUMENT, **given, active=True), refs=refs)
    [placeless] = here.odoo.apply_batch(uuid4(), [replace(file, refs={})])
    assert (placeless.status, placeless.code) == (Status.RETRY, "parent_missing")
    [_, lacking] = here.odoo.apply_batch(uuid4(), [lead, file])
    assert (lacking.status, lacking.code) == (Status.RETRY, "content_lacking")
    here.odoo.put_content(file.key, sha256, iter([content[:100], content[100:]]))
    [result] = here.odoo.apply_batch(uuid4(), [file])
    assert (result.status, result.model, result.normalised) == (Status.CREATED, "ir.attachment", {})
    [verified] = here.odoo.apply_batch(
        uuid4(), [replace(here.again(file), fields={**file.fields, "status": "verified"})]
    )
    assert verified.status is Status.UPDATED, "a content that is there is not asked for again"
    gone = replace(here.again(file), fields={"active": False}, refs={})
    assert [here.odoo.apply_batch(uuid4(), [gone])[0].status for _ in range(2)] == [Status.REMOVED] * 2
    assert here.odoo.show_binding(file.key).state == "tombstone"
    [back] = here.odoo.apply_batch(uuid4(), [here.again(file)])
    assert back.code == "content_lacking", "it is made anew"


def test_a_record_that_is_named_twice_in_a_batch_is_taken_once(here: Installation) -> None:
    document = here.client()
    results = here.odoo.apply_batch(uuid4(), [document, document])
    assert [(result.status, result.code) for result in results] == [(Status.CREATED, ""), (Status.RETRY, "busy")]


def test_a_field_that_odoo_does_not_know_stays_behind_by_name(here: Installation) -> None:
    [result] = here.odoo.apply_batch(uuid4(), [here.client(shoe_size="43", country="XX")])
    assert result.status is Status.CREATED
    assert {problem.field: problem.code for problem in result.skipped} == {
        "shoe_size": "unknown_field",
        "country": "unknown_country",
    }


def test_a_lead_shows_its_customers_address(here: Installation) -> None:
    client = here.client(email="client@example.com")
    lead = replace(here.lead(email="lead@example.com"), refs={"client": (Entity.CLIENT, client.key.record_id)})
    results = here.odoo.apply_batch(uuid4(), [client, lead])
    assert results[1].normalised == {"email": "client@example.com"}


def test_a_heartbeat_comes_back_with_the_next_page(here: Installation) -> None:
    unknown = uuid4()
    assert here.odoo.pull_changes(10, 10).beat == 0
    pulse = here.odoo.heartbeat(7, [here.tenant, unknown])
    assert (pulse.unserved, pulse.missing) == ((unknown,), ())
    assert here.odoo.pull_changes(10, 10).beat == 7


def test_what_an_operator_asks_of_a_binding(here: Installation) -> None:
    one, other = here.client(name="One"), here.client(name="Other")
    [first, second] = here.odoo.apply_batch(uuid4(), [one, other])
    shown = here.odoo.show_binding(one.key)
    assert (shown.state, shown.model, shown.res_id, shown.opted_out) == (
        "active",
        "res.partner",
        str(first.res_id),
        False,
    )
    assert (shown.version, shown.name) == (str(one.version), "One")
    assert here.odoo.show_binding(here.client().key).state == ""
    with pytest.raises(RejectedError, match="which still exists"):
        here.odoo.forget_binding(one.key)
    with pytest.raises(RejectedError):
        here.odoo.relink_binding(one.key, second.res_id)
    here.people.unlink(one.key)
    here.people.unlink(other.key)
    here.odoo.forget_binding(other.key)
    [made] = here.odoo.apply_batch(uuid4(), [here.again(other)])
    here.people.passed(timedelta(0))
    third = here.client()
    [spare] = here.odoo.apply_batch(uuid4(), [third])
    assert spare.res_id not in (first.res_id, second.res_id, made.res_id), "no number is given twice"


def test_the_newest_epoch_that_was_applied_is_known(here: Installation) -> None:
    own, _applied = here.odoo.epochs()
    assert own == here.odoo.pull_changes(10, 10).epoch
    here.odoo.apply_batch(uuid4(), [replace(here.client(), version=Version(7, 1))])
    assert here.odoo.epochs() == (own, 7)


def test_a_database_is_known_by_the_token_that_it_left_last(here: Installation) -> None:
    tokens = [uuid4() for _ in range(4)]
    assert here.odoo.claim("main", Claim(tokens[0], tokens[1]), "app at db1", renew=False).is_held
    first = here.odoo.claim("main", Claim(tokens[0], tokens[1]), "app at db1", renew=True)
    again = here.odoo.claim("main", Claim(tokens[0], tokens[1]), "app at db1", renew=True)
    assert (first.is_held, again.is_held, again.number) == (True, True, first.number)
    second = here.odoo.claim("main", Claim(tokens[1], tokens[2], first.number), "app at db1", renew=True)
    assert second.number == first.number + 1
    for renew in (True, False):
        copy = here.odoo.claim("main", Claim(tokens[1], tokens[3], first.number), "copy at db2", renew)
        assert (copy.is_held, copy.number, copy.holder) == (False, second.number, "app at db1")
        assert copy.at is not None
    announced = Claim(tokens[1], tokens[3], first.number, is_announced=True)
    assert here.odoo.claim("main", announced, "copy at db2", renew=True).number == second.number + 1
    assert not here.odoo.claim("main", Claim(tokens[2], tokens[0], second.number), "app at db1", renew=True).is_held


def test_every_lead_is_reported_again_on_request(here: Installation) -> None:
    lead = here.lead()
    here.odoo.apply_batch(uuid4(), [lead, here.client()])
    assert here.odoo.report_again() == 1
    assert [change.key for change in here.odoo.pull_changes(10, 10).changes] == [lead.key]


def test_a_suspended_tenants_changes_wait(here: Installation) -> None:
    document = here.client()
    here.odoo.apply_batch(uuid4(), [document])
    here.odoo.requeue_changes([document.key])
    status = {"name": "Tenant", "subdomain": f"t{here.tenant.hex[:12]}"}
    here.odoo.apply_batch(uuid4(), [here.document(Entity.TENANT, here.tenant, **status, status="suspended")])
    assert here.odoo.pull_changes(10, 10).changes == ()
    here.odoo.apply_batch(uuid4(), [here.document(Entity.TENANT, here.tenant, **status, status="active")])
    assert len(here.odoo.pull_changes(10, 10).changes) == 1
