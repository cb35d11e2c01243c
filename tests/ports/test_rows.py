"""The Rows: one consistent view of a batch; in memory and on the real database."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.domain.plan import plan
from sync_daemon.domain.settlement import Applied, Dead
from sync_daemon.domain.snapshot import Base, Binding, BindingState, Owed, Snapshot
from tests.ports.platform import Platform, fill, named

FILE = {"document_type": "id", "file_name": "id.pdf", "mime_type": "application/pdf", "storage_path": "x"}


def owed(platform: Platform, *keys: RecordKey) -> Snapshot:
    platform.outbox.owe(keys)
    return platform.rows.snapshot(keys)


def settled(platform: Platform, key: RecordKey, model: str, bases: dict[str, Base] | None = None) -> Owed:
    found = owed(platform, key).owed[key]
    platform.ledger.settle(uuid4(), [Applied(found, Status.CREATED, model, 7, "digest", bases or {}, {}, ())])
    return found


def test_a_snapshot_holds_what_is_owed_and_the_rows_that_those_name(platform: Platform) -> None:
    [registration] = fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    [client], [agent] = platform.keys(Entity.CLIENT), platform.keys(Entity.USER)
    snapshot = owed(platform, commission)
    assert set(snapshot.owed) == {commission}
    assert set(snapshot.rows) == {commission, registration, client, agent}
    assert snapshot.rows[registration]["company_name"] == "Firm"
    assert "password_hash" not in snapshot.rows[agent]
    assert snapshot.rows[commission]["registration_fee"] == 1000
    assert snapshot.agents == {agent}
    assert (snapshot.bindings, snapshot.bases, snapshot.dead, snapshot.unreadable) == ({}, {}, {}, {})


def test_what_is_owed_has_its_version_lane_and_schema(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.mark([registration], Lane.BULK)
    platform.outbox.collect(10)
    found = platform.rows.snapshot([registration]).owed[registration]
    assert found.version.epoch == 1
    assert (found.lane, found.attempts, found.sent_ago) == (Lane.BULK, 0, None)
    assert found.schema.startswith("tenant_")


def test_what_is_owed_is_known_without_a_look_at_the_rows(platform: Platform) -> None:
    registration, other = fill(platform, 2)
    found = owed(platform, registration).owed
    assert platform.rows.owed([registration, other]) == found


def test_what_nobody_owes_is_not_read(platform: Platform) -> None:
    [registration] = fill(platform)
    snapshot = platform.rows.snapshot([registration, RecordKey(uuid4(), Entity.CLIENT, uuid4())])
    assert (snapshot.owed, snapshot.rows) == ({}, {})


def test_rows_of_a_table_that_was_made_anew_wait_and_other_tenants_do_not(platform: Platform) -> None:
    [registration] = fill(platform)
    [client] = platform.keys(Entity.CLIENT)
    own = RecordKey(platform.tenant, Entity.TENANT, platform.tenant)
    other = platform.register()
    platform.make_anew("clients")
    snapshot = owed(platform, registration, client, own, RecordKey(other, Entity.TENANT, other))
    assert set(snapshot.unreadable) == {registration, client}
    assert "were restored or recreated" in snapshot.unreadable[client]
    assert "c360 epoch bump --side app --tenant" in snapshot.unreadable[client]


def test_a_row_that_is_gone_is_missing(platform: Platform) -> None:
    [registration] = fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    platform.delete(commission)
    snapshot = owed(platform, commission, registration)
    assert set(snapshot.owed) == {commission, registration}
    assert commission not in snapshot.rows


def test_a_client_is_a_customer_once_a_registration_is_approved(platform: Platform) -> None:
    [registration] = fill(platform)
    client = named(platform, registration, "client_id", Entity.CLIENT)
    assert owed(platform, client).customers == frozenset()
    platform.update(registration, status="approved")
    assert owed(platform, client).customers == {client}
    assert owed(platform, registration).customers == {client}


def test_a_client_that_is_not_bound_has_its_registrations_numbers(platform: Platform) -> None:
    first, second = fill(platform, 2)
    client = named(platform, first, "client_id", Entity.CLIENT)
    platform.update(second, client_id=client.record_id, registration_number="2026/2")
    platform.update(first, registration_number="2026/1")
    assert owed(platform, client).numbers == {client: ("2026/1", "2026/2")}
    settled(platform, client, "res.partner")
    assert owed(platform, client).numbers == {}


def test_a_registration_counts_its_documents_and_says_whether_all_are_verified(platform: Platform) -> None:
    [registration] = fill(platform)
    assert owed(platform, registration).figures[registration] == {"documents": {"count": "0", "verified": "not_all"}}
    one = platform.insert("documents", registration_id=registration.record_id, status="verified", **FILE)
    other = platform.insert("documents", registration_id=registration.record_id, **FILE)
    assert owed(platform, registration).figures[registration]["documents"] == {"count": "2", "verified": "not_all"}
    platform.update(other, deleted_at="2026-02-01 08:00:00")
    assert owed(platform, registration).figures[registration]["documents"] == {"count": "1", "verified": "all"}
    assert owed(platform, one).figures == {}


def test_the_binding_and_the_bases_are_those_that_were_settled(platform: Platform) -> None:
    [registration] = fill(platform)
    client = named(platform, registration, "client_id", Entity.CLIENT)
    bases = {"name": Base("Client 1", "Client One")}
    found = settled(platform, client, "res.partner", bases)
    snapshot = owed(platform, client)
    versions = found.version, "digest", Version(1, 0)
    assert snapshot.bindings == {client: Binding(client, BindingState.ACTIVE, "res.partner", 7, *versions)}
    assert snapshot.bases == {client: bases}
    assert snapshot.bindings[client].last_seen_version == Version(0, 0)


def test_a_dead_parent_is_named_with_its_cause(platform: Platform) -> None:
    [registration] = fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    lead = owed(platform, registration).owed[registration]
    platform.ledger.settle(uuid4(), [Dead(lead, "unknown_value", "status is odd")])
    snapshot = owed(platform, commission, registration)
    assert snapshot.dead == {registration: "status is odd"}
    assert set(snapshot.owed) == {commission}, "what is dead is not owed until it changes"


def test_an_issue_is_a_row_that_shows_its_letter(platform: Platform) -> None:
    [registration] = fill(platform)
    lead = owed(platform, registration).owed[registration]
    platform.ledger.settle(uuid4(), [Dead(lead, "unknown_value", "status is odd", "status", "odd")])
    [letter] = platform.letters()
    issue = RecordKey(platform.tenant, Entity.ISSUE, letter.id)
    row = owed(platform, issue).rows[issue]
    assert (row["kind"], row["state"], row["attempts"], row["direction"]) == ("dead", "open", "1", "app_to_odoo")
    assert (row["entity"], row["record_id"]) == ("registration", str(registration.record_id))
    assert (row["field"], row["value"], row["code"], row["message"]) == (
        "status",
        "odd",
        "unknown_value",
        "status is odd",
    )


def test_only_rows_of_their_own_tenant_exist(platform: Platform) -> None:
    [registration] = fill(platform)
    other = platform.register()
    of_others = [RecordKey(tenant, Entity.REGISTRATION, registration.record_id) for tenant in (other, uuid4())]
    assert platform.rows.existing([registration, *of_others]) == {registration}


def test_how_long_ago_a_record_was_sent_grows(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.owe([registration])
    platform.outbox.begin_attempt("main", [registration])
    first = platform.rows.snapshot([registration]).owed[registration].sent_ago
    platform.passed(timedelta(milliseconds=20))
    second = platform.rows.snapshot([registration]).owed[registration].sent_ago
    assert first is not None and second is not None
    assert second > first


def test_a_row_that_a_policy_hides_is_not_gone(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.hide("registrations")
    hidden = owed(platform, registration)
    assert hidden.rows == {}
    assert "may not see" in hidden.hidden[platform.tenant, Entity.REGISTRATION]
    assert plan(hidden).waiting[0].owed.key == registration
    assert platform.rows.existing([registration]) == {registration}, "for all that is seen it may be there"
    platform.show("registrations")
    shown = platform.rows.snapshot([registration])
    assert set(shown.rows) >= {registration}
    assert shown.hidden == {}


def test_a_record_waits_while_a_row_that_it_names_or_counts_is_hidden(platform: Platform) -> None:
    [registration] = fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    for table in ("clients", "users", "documents"):
        platform.hide(table)
        snapshot = owed(platform, registration, commission)
        waiting = {item.owed.key for item in plan(snapshot).waiting}
        expected = {"clients": {registration}, "users": {commission}, "documents": {registration}}
        assert waiting == expected[table], table
        platform.show(table)
    assert not plan(owed(platform, registration, commission)).waiting


def test_a_record_whose_id_the_app_changed_keeps_its_pair_and_waits_for_odoo(platform: Platform) -> None:
    [former] = fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    settled(platform, former, "crm.lead")
    present = platform.rename_record(former, uuid4())
    snapshot = owed(platform, former, present, commission)
    assert [(item.key, item.present) for item in snapshot.renamed] == [(former, present)]
    assert {item.owed.key for item in plan(snapshot).waiting} == {former, present, commission}
    told = []

    def hand_over(key: RecordKey, record_id: UUID) -> str:
        told.append((key, record_id))
        return ""

    for _ in range(2):
        platform.ledger.rename(snapshot.renamed[0], hand_over)
    assert told == [(former, present.record_id)], "a second pusher has nothing left to hand over"
    after = owed(platform, former, present, commission)
    assert after.renamed == ()
    assert set(after.bindings) == {present}


def test_an_id_that_odoo_refuses_makes_another_record(platform: Platform) -> None:
    [former] = fill(platform)
    settled(platform, former, "crm.lead")
    present = platform.rename_record(former, uuid4())
    [renamed] = owed(platform, present).renamed
    platform.ledger.rename(renamed, lambda _key, _id: "it is bound already")
    after = owed(platform, former, present)
    assert (after.renamed, set(after.bindings)) == ((), {former})
