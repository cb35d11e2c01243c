"""The app's database as the tests of its ports see it: in memory, or a scratch database of the real server."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg2.extensions
from psycopg2 import sql

from db_init.attach import attach
from sync_daemon.domain.event import Event
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey, Version
from sync_daemon.domain.operations.heartbeat import Hop
from sync_daemon.parts.claims import Claims
from sync_daemon.ports import (
    Brake,
    ContentMemory,
    Heartbeats,
    Inbound,
    Ledger,
    OdooInfo,
    Outbox,
    OutgoingEvents,
    Rows,
    TenantRegistry,
)
from sync_daemon.postgres import events as postgres_events
from sync_daemon.postgres.admin.flows import Flow, Flows
from sync_daemon.postgres.claims import Claims as PostgresClaims
from sync_daemon.postgres.heartbeats import Heartbeats as PostgresHeartbeats
from sync_daemon.postgres.push.brake import Brake as PostgresBrake
from sync_daemon.postgres.push.contents import ContentMemory as PostgresContents
from tests import databases
from tests.integration.conftest import INSTANCE, Installation
from tests.memory import app as in_memory
from tests.memory import brake, claims, contents, events, heartbeats, inbound, ledger, outbox, registry, rows
from tests.memory.clock import Clock

TABLES = in_memory.TABLES
HOPS = ("published", "arrived", "returned")


@dataclass(frozen=True)
class Pair:
    """A binding as it is written down."""

    state: str
    model: str
    res_id: int
    version: Version
    digest: str


@dataclass(frozen=True)
class Letter:
    """An open dead letter."""

    id: UUID
    tenant: UUID
    direction: str
    entity: str
    record_id: str
    field: str
    code: str
    message: str
    value: str


@dataclass(frozen=True)
class Line:
    """A line of the ledger."""

    run: UUID | None
    key: RecordKey
    action: str
    version: str
    res_id: object


class Open(Protocol):
    """A transaction of the app that is under way."""

    def update(self, key: RecordKey, **columns: object) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


class Platform(Protocol):
    """One tenant of the app, whose marks are cleared, and the ports of its database."""

    @property
    def tenant(self) -> UUID: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def rows(self) -> Rows: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def brake(self) -> Brake: ...
    @property
    def heartbeats(self) -> Heartbeats: ...
    @property
    def events(self) -> OutgoingEvents: ...
    @property
    def contents(self) -> ContentMemory: ...
    @property
    def inbound(self) -> Inbound: ...
    @property
    def registry(self) -> TenantRegistry: ...
    @property
    def claims(self) -> Claims: ...

    def insert(self, table: str, **columns: object) -> RecordKey:
        """The app inserts a row."""
        ...

    def update(self, key: RecordKey, **columns: object) -> None:
        """The app updates a row."""
        ...

    def delete(self, key: RecordKey) -> None:
        """The app deletes a row."""
        ...

    def value(self, key: RecordKey, column: str) -> object: ...

    def keys(self, entity: Entity) -> list[RecordKey]:
        """Every row of the tenant's table."""
        ...

    def begin(self, is_snapshot: bool = False) -> Open: ...

    def register(self, is_attached: bool = True) -> UUID:
        """The app registers another tenant; one that is attached is served."""
        ...

    def rename(self, tenant: UUID, name: str) -> None: ...

    def pause(self, direction: Direction) -> None:
        """A person stops the tenant's flow."""
        ...

    def resume(self, direction: Direction) -> None:
        """A person lets it go on."""
        ...

    def marks(self) -> list[tuple[RecordKey, Lane]]: ...

    def clear_marks(self) -> None: ...

    def pairs(self) -> Mapping[RecordKey, Pair]: ...

    def letters(self, code: str = "") -> list[Letter]: ...

    def lines(self) -> list[Line]: ...

    def hops(self) -> list[str]:
        """The hops that the heartbeat passed, and what Odoo said to it."""
        ...

    def announce(self, written: Sequence[Event]) -> None:
        """Writes events down."""
        ...

    def conflicts(self) -> list[tuple[str, str, str, str]]:
        """Open conflicts: field, the app's value, Odoo's, and the base."""
        ...

    def refuse(self, table: str, column: str, value: str) -> None:
        """The app's table takes this value no longer."""
        ...

    def leave(self, table: str) -> None:
        """A trigger of the app leaves each row of a table as it is, without a word."""
        ...

    def drop(self, table: str, column: str) -> None:
        """The app drops a column."""
        ...

    def make_anew(self, table: str) -> None:
        """The app's table is dropped and made again with its rows, as a restore does."""
        ...

    def rename_record(self, key: RecordKey, record_id: UUID) -> RecordKey:
        """The app changes the id of a row; rows that name it follow."""
        ...

    def hide(self, table: str) -> None:
        """A policy of the app hides the table's rows from the bridge."""
        ...

    def show(self, table: str) -> None:
        """The policy is gone again."""
        ...

    def answers(self, info: OdooInfo) -> None:
        """An Odoo answers for the instance."""
        ...

    def now(self) -> datetime:
        """The database's clock."""
        ...

    def passed(self, time: timedelta) -> None:
        """Lets time pass."""
        ...


def key(platform: Platform, entity: Entity, record_id: object) -> RecordKey:
    """A record of the platform's first tenant."""
    return RecordKey(platform.tenant, entity, UUID(str(record_id)))


def fill(platform: Platform, number: int = 1) -> list[RecordKey]:
    """An agent, and registrations each with a client and a commission; nothing is marked. Gives the registrations."""
    agent = platform.insert("users", email=f"{uuid4().hex}@example.org")
    made = []
    for place in range(1, number + 1):
        client = platform.insert("clients", email=f"client{place}@example.org", full_name=f"Client {place}")
        registration = platform.insert(
            "registrations",
            client_id=client.record_id,
            registration_type="pty_ltd",
            company_name="Firm",
            jurisdiction="ZA",
            status="submitted",
        )
        amounts = {"registration_fee": 1000, "commission_rate": 12.5, "commission_amount": 125}
        platform.insert("commissions", registration_id=registration.record_id, agent_id=agent.record_id, **amounts)
        made.append(registration)
    platform.clear_marks()
    return made


def named(platform: Platform, record: RecordKey, column: str, entity: Entity) -> RecordKey:
    """The record that a column names."""
    return key(platform, entity, platform.value(record, column))


class InMemory:
    """The database in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.server = in_memory.Server(self.clock)
        self.app = in_memory.App(self.server)
        self.tenant = self.register()
        database = in_memory.Database(self.server)
        self.database = database
        self.outbox = outbox.Outbox(database)
        self.rows = rows.Rows(database)
        self.ledger = ledger.Ledger(database)
        self.brake = brake.Brake(database)
        self.heartbeats = heartbeats.Heartbeats(database)
        self.events = events.OutgoingEvents(database)
        self.contents = contents.ContentMemory(database)
        self.inbound = inbound.Inbound(database)
        self.registry = registry.Registry(database)
        self.claims = claims.Claims(claims.new_row())

    def insert(self, table: str, **columns: object) -> RecordKey:
        tenant = self.server.state.tenants[self.tenant]
        return RecordKey(self.tenant, in_memory.ENTITIES[table], self.app.insert(tenant, table, **columns))

    def update(self, key: RecordKey, **columns: object) -> None:
        self.app.update(key, **columns)

    def delete(self, key: RecordKey) -> None:
        self.app.delete(key)

    def value(self, key: RecordKey, column: str) -> object:
        value = self.server.state.rows[key][column]
        return value.replace("T", " ") if column.endswith("_at") and isinstance(value, str) else value

    def keys(self, entity: Entity) -> list[RecordKey]:
        return [key for key in self.server.state.rows if key.entity is entity]

    def begin(self, is_snapshot: bool = False) -> Open:
        return self.app.begin(is_snapshot)

    def register(self, is_attached: bool = True) -> UUID:
        tenant = self.app.register(f"t{uuid4().hex[:12]}")
        if is_attached:
            in_memory.serve(self.server, tenant.id)
        return tenant.id

    def rename(self, tenant: UUID, name: str) -> None:
        self.app.change_tenant(tenant, name=name)

    def pause(self, direction: Direction) -> None:
        self.server.state.paused.add((self.tenant, direction))

    def resume(self, direction: Direction) -> None:
        self.server.state.paused.remove((self.tenant, direction))

    def marks(self) -> list[tuple[RecordKey, Lane]]:
        found = self.server.state.marks
        return [(RecordKey(mark.tenant, mark.entity, one), mark.lane) for mark in found for one in mark.ids]

    def clear_marks(self) -> None:
        self.server.state.marks.clear()

    def pairs(self) -> Mapping[RecordKey, Pair]:
        return {
            key: Pair(bound.state.value, bound.model, bound.res_id, bound.version, bound.digest)
            for key, bound in self.server.state.bindings.items()
        }

    def letters(self, code: str = "") -> list[Letter]:
        return [
            Letter(
                item.id,
                item.tenant,
                item.direction.value,
                item.entity,
                item.record_id,
                item.field,
                item.code,
                item.message,
                item.value,
            )
            for item in self.server.state.letters.values()
            if item.resolved_at is None and code in ("", item.code)
        ]

    def lines(self) -> list[Line]:
        found = self.server.state.lines
        return [Line(item.run, item.key, item.action, item.version, item.detail.get("res_id")) for item in found]

    def hops(self) -> list[str]:
        return [
            found
            for beat in self.server.state.beats.values()
            for found in (
                *(hop for hop in HOPS if getattr(beat, f"{hop}_at") is not None),
                *map(str, beat.unserved),
                *beat.missing,
            )
        ]

    def announce(self, written: Sequence[Event]) -> None:
        with self.database.transaction() as state:
            events.announce(self.database, state, self.tenant, written)

    def conflicts(self) -> list[tuple[str, str, str, str]]:
        found = self.server.state.conflicts.items()
        return [(field, str(item.app), str(item.odoo), str(item.base)) for (_key, field), item in found]

    def refuse(self, table: str, column: str, value: str) -> None:
        self.server.state.refused.add((in_memory.ENTITIES[table], column, value))

    def leave(self, table: str) -> None:
        self.server.state.left.add(in_memory.ENTITIES[table])

    def drop(self, table: str, column: str) -> None:
        for key, row in self.server.state.rows.items():
            if key.entity is in_memory.ENTITIES[table]:
                self.server.state.rows[key] = {name: value for name, value in row.items() if name != column}

    def make_anew(self, table: str) -> None:
        self.app.replace_tables(self.tenant)

    def rename_record(self, key: RecordKey, record_id: UUID) -> RecordKey:
        return self.app.rename(key, record_id)

    def hide(self, table: str) -> None:
        self.server.state.hidden.add((self.tenant, in_memory.ENTITIES[table]))

    def show(self, table: str) -> None:
        self.server.state.hidden.remove((self.tenant, in_memory.ENTITIES[table]))

    def answers(self, info: OdooInfo) -> None:
        self.registry.verify_instance()(info)

    def now(self) -> datetime:
        return self.clock.tick()

    def passed(self, time: timedelta) -> None:
        self.clock.advance(time)


class Real:
    """A scratch database of the real server."""

    def __init__(self, installation: Installation) -> None:
        self._here = installation
        self.tenant = installation.tenant.id
        self.outbox: Outbox = installation.outbox
        self.rows: Rows = installation.rows
        self.ledger: Ledger = installation.ledger
        self.brake: Brake = PostgresBrake(installation.database, INSTANCE)
        self._heartbeats = PostgresHeartbeats(installation.database)
        self.heartbeats: Heartbeats = self._heartbeats
        self.events: OutgoingEvents = postgres_events.OutgoingEvents(installation.database)
        self.contents: ContentMemory = PostgresContents(installation.database)
        self.inbound: Inbound = installation.inbound
        self.registry: TenantRegistry = installation.registry
        self._flows = Flows(installation.database)
        self.claims: Claims = PostgresClaims(installation.database, INSTANCE, uuid4(), "app at db")

    def insert(self, table: str, **columns: object) -> RecordKey:
        values = {"tenant_id": self.tenant, **_unseen(table), **columns}
        statement = "INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING id"
        [[record_id]] = self._app(statement, table, values)
        return RecordKey(self.tenant, in_memory.ENTITIES[table], UUID(str(record_id)))

    def update(self, key: RecordKey, **columns: object) -> None:
        self._app(
            f"UPDATE {{table}} SET ({{columns}}) = ROW({{values}}) WHERE id = '{key.record_id}'",
            TABLES[key.entity],
            columns,
        )

    def delete(self, key: RecordKey) -> None:
        self._app(f"DELETE FROM {{table}} WHERE id = '{key.record_id}'", TABLES[key.entity], {})

    def value(self, key: RecordKey, column: str) -> object:
        statement = f"SELECT {{columns}} FROM {{table}} WHERE id = '{key.record_id}'"
        value = self._app(statement, TABLES[key.entity], {column: None})[0][0]
        return str(value) if isinstance(value, datetime) else value

    def keys(self, entity: Entity) -> list[RecordKey]:
        found = self._app("SELECT id FROM {table}", TABLES[entity], {})
        return [RecordKey(self.tenant, entity, UUID(str(record_id))) for (record_id,) in found]

    def begin(self, is_snapshot: bool = False) -> Open:
        return _Open(self._here, is_snapshot)

    def register(self, is_attached: bool = True) -> UUID:
        other = databases.register(self._here.settings, f"t{uuid4().hex[:12]}")
        if is_attached:
            attach(self._here.settings)
            self._here.registry.set_state(other.id, "active")
        return other.id

    def rename(self, tenant: UUID, name: str) -> None:
        self._here.app(
            "UPDATE public.tenants SET name = %(value)s WHERE id = %(tenant)s", value=name, tenant=str(tenant)
        )

    def pause(self, direction: Direction) -> None:
        self._flows.pause(self._flow(direction), "a test", "pytest")

    def resume(self, direction: Direction) -> None:
        self._flows.resume(self._flow(direction), "pytest")

    def _flow(self, direction: Direction) -> list[Flow]:
        return [flow for flow in self._flows.all() if (flow.tenant, flow.direction) == (self.tenant, direction)]

    def marks(self) -> list[tuple[RecordKey, Lane]]:
        found = databases.marks(self._here.settings)
        return [(_key(tenant, entity, record), Lane(str(lane))) for tenant, _schema, entity, record, lane in found]

    def clear_marks(self) -> None:
        databases.clear_marks(self._here.settings)

    def pairs(self) -> Mapping[RecordKey, Pair]:
        rows = self._here.bridge(
            "SELECT tenant_id, entity, record_id, state, res_model, res_id, epoch, version, digest FROM bridge.binding"
        )
        return {
            _key(*name): Pair(str(state), str(model), _int(res_id), Version(_int(epoch), _int(number)), str(digest))
            for *name, state, model, res_id, epoch, number, digest in rows
        }

    def letters(self, code: str = "") -> list[Letter]:
        return [
            Letter(
                item.id,
                item.tenant,
                item.direction,
                item.entity,
                item.record_id,
                item.field,
                item.code,
                item.message,
                item.value,
            )
            for item in self._here.dead_letters.open(code=code or None)
        ]

    def lines(self) -> list[Line]:
        rows = self._here.bridge(
            "SELECT run_id, tenant_id, entity, record_id, action, version, detail->'res_id'"
            " FROM bridge.ledger ORDER BY at, id"
        )
        return [
            Line(None if run is None else UUID(str(run)), _key(*name), str(action), str(version), res_id)
            for run, *name, action, version, res_id in rows
        ]

    def hops(self) -> list[str]:
        names = dict(zip(Hop, HOPS, strict=True))
        return [
            found
            for beat in self._heartbeats.newest()
            for found in (*(names[hop] for hop in beat.passed), *map(str, beat.unserved), *beat.missing)
        ]

    def announce(self, written: Sequence[Event]) -> None:
        with self._here.database.transaction() as cursor:
            postgres_events.announce(cursor, INSTANCE, self.tenant, written)

    def conflicts(self) -> list[tuple[str, str, str, str]]:
        rows = self._here.bridge(
            "SELECT field, app_value, odoo_value, base_value FROM bridge.conflict WHERE state = 'open'"
        )
        return [(str(field), str(app), str(odoo), str(base)) for field, app, odoo, base in rows]

    def refuse(self, table: str, column: str, value: str) -> None:
        self._app(f"ALTER TABLE {{table}} ADD CHECK ({column} <> '{value}') NOT VALID", table, {})

    def leave(self, table: str) -> None:
        self._here.app("CREATE FUNCTION {schema}.leave() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        trigger = "CREATE TRIGGER leave BEFORE UPDATE ON {{table}} FOR EACH ROW EXECUTE FUNCTION {schema}.leave()"
        self._app(trigger.format(schema=self._here.tenant.schema), table, {})

    def drop(self, table: str, column: str) -> None:
        self._app(f"ALTER TABLE {{table}} DROP COLUMN {column}", table, {})

    def make_anew(self, table: str) -> None:
        for statement in (
            "CREATE TABLE {schema}.anew (LIKE {schema}.{table} INCLUDING ALL)",
            "INSERT INTO {schema}.anew SELECT * FROM {schema}.{table}",
            "DROP TABLE {schema}.{table} CASCADE",
            "ALTER TABLE {schema}.anew RENAME TO {table}",
        ):
            self._here.app(statement, table=table)

    def rename_record(self, key: RecordKey, record_id: UUID) -> RecordKey:
        # as an app would whose references do not follow by themselves
        self._app("ALTER TABLE {table} ALTER CONSTRAINT commissions_registration_id_fkey DEFERRABLE", "commissions", {})
        schema = self._here.tenant.schema
        with databases.as_app(self._here.settings) as app:
            app.autocommit = False
            with app.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                named = {"former": str(key.record_id), "present": str(record_id)}
                table = TABLES[key.entity]
                cursor.execute(f'UPDATE "{schema}".{table} SET id = %(present)s WHERE id = %(former)s', named)
                cursor.execute(
                    f'UPDATE "{schema}".commissions SET registration_id = %(present)s'
                    " WHERE registration_id = %(former)s",
                    named,
                )
            app.commit()
        return RecordKey(key.tenant, key.entity, record_id)

    def hide(self, table: str) -> None:
        self._app("CREATE POLICY nothing ON {table} AS RESTRICTIVE USING (false)", table, {})

    def show(self, table: str) -> None:
        self._app("DROP POLICY nothing ON {table}", table, {})

    def answers(self, info: OdooInfo) -> None:
        self._here.registry.verify_instance(INSTANCE)(info)

    def now(self) -> datetime:
        return self._here.registry.now()

    def passed(self, time_: timedelta) -> None:
        time.sleep(time_.total_seconds())

    def _app(self, statement: str, table: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        connection = databases.as_app(self._here.settings)
        try:
            with connection.cursor() as cursor:
                cursor.execute(_statement(statement, self._here, table, values), _plain(values))
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


class _Open:
    def __init__(self, here: Installation, is_snapshot: bool) -> None:
        self._here = here
        self._connection = databases.as_app(here.settings)
        self._connection.autocommit = False
        if is_snapshot:
            level = psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
            self._connection.set_session(isolation_level=level)

    def update(self, key: RecordKey, **columns: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(_statement(_update_of(key), self._here, TABLES[key.entity], columns), _plain(columns))

    def commit(self) -> None:
        self._connection.commit()
        self._connection.close()

    def rollback(self) -> None:
        self._connection.rollback()
        self._connection.close()


def _statement(text: str, here: Installation, table: str, columns: Mapping[str, object]) -> sql.Composed:
    return sql.SQL(text).format(
        table=sql.Identifier(here.tenant.schema, table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )


def _update_of(key: RecordKey) -> str:
    return f"UPDATE {{table}} SET ({{columns}}) = ROW({{values}}) WHERE id = '{key.record_id}'"


def _plain(columns: Mapping[str, object]) -> dict[str, object]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in columns.items()}


def _unseen(table: str) -> Mapping[str, object]:
    """Columns that the app needs and the bridge never sees."""
    return {"file_size": 1} if table == "documents" else {}


def _key(tenant: object, entity: object, record_id: object) -> RecordKey:
    return RecordKey(UUID(str(tenant)), Entity(str(entity)), UUID(str(record_id)))


def _int(value: object) -> int:
    return int(str(value))
