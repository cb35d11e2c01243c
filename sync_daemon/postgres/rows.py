"""One consistent view of a batch: what is owed, the rows, the bindings, the bases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contract import free_paths, source_columns
from sync_daemon.domain.contracts import CONTRACTS, FREE, columns_of
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version, uuid_of
from sync_daemon.domain.mapping import Row, UnreadableJson
from sync_daemon.domain.overrides import Contracts
from sync_daemon.domain.renamed import Renamed
from sync_daemon.domain.snapshot import Base, Binding, BindingState, Former, Owed, Snapshot
from sync_daemon.domain.tenant import Tenant, of_replaced_tables, why_stopped
from sync_daemon.errors import BusyError, TransientError
from sync_daemon.postgres.catalog import Catalog, Columns
from sync_daemon.postgres.connection import Cursor, Database, read_json
from sync_daemon.postgres.linked_users import linked_users
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.overrides import ContractsInForce
from sync_daemon.postgres.sight import Sight, sight
from sync_daemon.postgres.statements import statements

TENANT_TABLES = (Entity.USER, Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION, Entity.DOCUMENT)

LARGEST_JSON = 65_536
"""So many characters of one value of free JSON are read; a larger one is parked by its field's name."""

_SQL = statements("rows")


@dataclass(frozen=True)
class _Recorded:
    """The bridge's data about the tenants of a batch: their epochs, why which are stopped, whose tables are others."""

    tenants: Mapping[UUID, Tenant]
    epochs: Mapping[UUID, int]
    stopped: Mapping[UUID, str]
    replaced: frozenset[UUID]


_NUMBERS = sql.SQL(
    "SELECT DISTINCT client_id, registration_number FROM {table} WHERE client_id = ANY(%(ids)s::uuid[])"
    " AND registration_number::text <> '' ORDER BY client_id, registration_number"
)

_DOCUMENTS = sql.SQL("""
    SELECT k.id, count(d.id), count(d.id) > 0 AND bool_and(d.status::text = 'verified')
    FROM unnest(%(ids)s::uuid[]) AS k (id)
    LEFT JOIN {table} AS d ON d.registration_id = k.id AND d.deleted_at IS NULL
    GROUP BY k.id
""")


class Rows:
    """Reads snapshots for one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._catalog = Catalog()
        self._contracts = ContractsInForce()

    def snapshot(self, keys: Collection[RecordKey]) -> Snapshot:
        """Read everything about these records in one snapshot of the database."""
        try:
            with self._database.transaction(snapshot=True) as cursor:
                cursor.execute(_SQL["limit_waiting"])
                found = self._reading(cursor).snapshot(keys)
            return self._proven(found)
        except TransientError:
            # The app may have dropped or renamed a column since the catalog was read.
            self._catalog.forget()
            raise

    def _proven(self, found: Snapshot) -> Snapshot:
        """The same; what has no row is looked for once more, with its table's policies held as they are.

        A snapshot shows the policies of the instant at which it began, while rows are read under those of now.
        """
        unseen = _unseen(found)
        if not unseen:
            return found
        with self._database.transaction() as cursor:
            hidden = self._reading(cursor).hidden_now(unseen)
        return replace(found, hidden={**hidden, **found.hidden}) if hidden else found

    def existing(self, keys: Collection[RecordKey]) -> set[RecordKey]:
        """The keys that are rows of their own tenant, not of another one, or may be for all that is seen."""
        with self._database.transaction(snapshot=True) as cursor:
            return self._reading(cursor).existing(keys)

    def owed(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Owed]:
        """What is owed of these, without a look at the app's rows."""
        with self._database.transaction(snapshot=True) as cursor:
            return self._reading(cursor).owed(keys)

    def snapshot_as_owed(self, cursor: Cursor, keys: Collection[RecordKey]) -> Snapshot:
        """Like `snapshot`, within an open read transaction, as if every key were owed."""
        return self._reading(cursor).snapshot(keys, is_owed=False)

    def _reading(self, cursor: Cursor) -> _Reading:
        return _Reading(cursor, self._instance, self._catalog, self._contracts)


class _Reading:
    """One snapshot being read."""

    def __init__(self, cursor: Cursor, instance: str, catalog: Catalog, contracts: ContractsInForce) -> None:
        self._cursor = cursor
        self._instance = instance
        self._catalog = catalog
        self._contracts = contracts
        self._rules = Contracts()

    def snapshot(self, keys: Collection[RecordKey], is_owed: bool = True) -> Snapshot:
        recorded = self._tenants({key.tenant for key in keys})
        tenants = recorded.tenants
        self._rules = self._contracts.read(self._cursor)
        owed = self._owed(keys, recorded) if is_owed else _as_owed(keys, recorded)
        schemas = {tenant.schema for tenant in tenants.values()} | {"public"}
        columns = self._catalog.columns(self._cursor, schemas)
        rows = self._rows(owed, tenants, columns)
        # Two steps reach everything: a commission's registration, and that one's client and people.
        for _ in range(2):
            rows.update(self._rows(_named_by(rows) - rows.keys(), tenants, columns))
        known = sorted({*owed, *rows})
        bindings = self._bindings(known)
        # The app has no index on these columns: ask only for what the batch does not show by itself.
        open_ones = [key for key in owed if key not in bindings]
        seen = sight(self._cursor, tenants.values(), TENANT_TABLES)
        return Snapshot(
            owed,
            rows,
            bindings=bindings,
            bases=self._bases([key for key in known if CONTRACTS[key.entity].two_way]),
            formers=self._formers([key for key in owed if CONTRACTS[key.entity].two_way]),
            conflicts=self._conflicts(list(owed)),
            customers=_customers(rows)
            | self._named(Entity.CLIENT, Entity.REGISTRATION, "client_id", open_ones, tenants, columns),
            agents=_agents(rows) | self._named(Entity.USER, Entity.COMMISSION, "agent_id", open_ones, tenants, columns),
            dead=self._dead(sorted(set(known) - set(owed))),
            unreadable=_unreadable(owed, recorded, columns, seen),
            numbers=self._numbers(open_ones, tenants, columns),
            stopped=recorded.stopped,
            figures=_joined(
                self._figures([key for key in owed if key in rows], tenants, columns),
                self._linked({key: rows[key] for key in owed if key in rows}),
            ),
            contracts=self._rules,
            hidden=seen.hidden,
            renamed=self._renamed(tenants, {*owed, *_named_by(rows)}),
        )

    def _renamed(self, tenants: Collection[UUID], keys: Collection[RecordKey]) -> tuple[Renamed, ...]:
        ids = [key.record_id for key in keys]
        self._cursor.execute(_SQL["renamed"], {"tenants": list(tenants), "ids": ids})
        return tuple(
            Renamed(number, RecordKey(tenant, Entity(entity), former), present)
            for number, tenant, entity, former, present in self._cursor.fetchall()
        )

    def owed(self, keys: Collection[RecordKey]) -> dict[RecordKey, Owed]:
        return self._owed(keys, self._tenants({key.tenant for key in keys}))

    def existing(self, keys: Collection[RecordKey]) -> set[RecordKey]:
        tenants = self._tenants({key.tenant for key in keys}).tenants
        columns = self._catalog.columns(self._cursor, {tenant.schema for tenant in tenants.values()})
        found = set(self._rows(keys, tenants, columns))
        hidden = sight(self._cursor, tenants.values(), {key.entity for key in keys}).hidden
        return found | {key for key in keys if (key.tenant, key.entity) in hidden}

    def hidden_now(self, keys: Collection[RecordKey]) -> dict[tuple[UUID, Entity], str]:
        """The tables of these keys that are not seen wholly, or have a row of theirs after all."""
        tenants = self._tenants({key.tenant for key in keys}).tenants
        columns = self._catalog.columns(self._cursor, {tenant.schema for tenant in tenants.values()})
        # first the rows: the lock of reading them lets no policy change until the end
        found = self._rows(keys, tenants, columns)
        hidden = sight(self._cursor, tenants.values(), {key.entity for key in keys}).hidden
        return {**{(key.tenant, key.entity): f"{key} was written just now" for key in found}, **hidden}

    def _tenants(self, ids: Collection[UUID]) -> _Recorded:
        self._cursor.execute(_SQL["tenants"], {"tenants": list(ids)})
        rows = self._cursor.fetchall()
        return _Recorded(
            {tenant: Tenant(tenant, subdomain, schema) for tenant, subdomain, schema, *_ in rows},
            {tenant: epoch for tenant, _, _, epoch, *_ in rows},
            {tenant: why for tenant, *_, state, is_paused, _ in rows if (why := why_stopped(state, is_paused))},
            frozenset(tenant for tenant, *_, is_replaced in rows if is_replaced),
        )

    def _owed(self, keys: Iterable[RecordKey], recorded: _Recorded) -> dict[RecordKey, Owed]:
        found = {}
        for tenant, entity, record_id, schema, number, attempts, lane, ago in self._all("owed", sorted(set(keys))):
            key = RecordKey(tenant, Entity(entity), record_id)
            version = Version(recorded.epochs.get(tenant, 1), number)
            # the tenant's schema may have been renamed since the record was owed
            known = recorded.tenants.get(tenant)
            found[key] = Owed(key, known.schema if known else schema, version, attempts, Lane(lane), ago)
        return found

    def _rows(
        self, keys: Iterable[RecordKey], tenants: Mapping[UUID, Tenant], columns: Columns
    ) -> dict[RecordKey, Row]:
        groups: defaultdict[tuple[UUID, Entity], list[UUID]] = defaultdict(list)
        for key in keys:
            groups[key.tenant, key.entity].append(key.record_id)
        issues = [record_id for (_, entity), ids in groups.items() if entity is Entity.ISSUE for record_id in ids]
        selects = [
            select
            for (tenant, entity), ids in groups.items()
            if entity is not Entity.ISSUE and tenant in tenants
            if (select := _select(tenants[tenant], entity, ids, columns, self._paths(tenant, entity))) is not None
        ]
        rows: dict[RecordKey, Row] = {}
        if selects:
            self._cursor.execute(sql.SQL(" UNION ALL ").join(selects))
            rows.update(
                {
                    RecordKey(tenant, Entity(entity), record_id): row
                    if free is None
                    else {**row, FREE: _free_json(self._paths(tenant, Entity(entity)), free)}
                    for tenant, entity, record_id, row, free in self._cursor.fetchall()
                }
            )
        if issues:
            self._cursor.execute(_SQL["issues"], {"instance": self._instance, "ids": issues})
            rows.update({RecordKey(t, Entity.ISSUE, i): row for t, i, row in self._cursor.fetchall()})
        return rows

    def _paths(self, tenant: UUID, entity: Entity) -> tuple[tuple[str, ...], ...]:
        """What the tenant's contract names of free JSON; nothing else of it is read."""
        return free_paths(self._rules.of(tenant)[entity])

    def _bindings(self, keys: list[RecordKey]) -> dict[RecordKey, Binding]:
        found = {}
        for row in self._all("bindings", keys):
            tenant, entity, record_id, state, model, res_id, epoch, number, digest, odoo_epoch, odoo_number, known = row
            key = RecordKey(tenant, Entity(entity), record_id)
            versions = Version(epoch, number), Version(odoo_epoch, odoo_number)
            found[key] = Binding(key, BindingState(state), model, res_id, versions[0], digest, versions[1], known)
        return found

    def _bases(self, keys: list[RecordKey]) -> dict[RecordKey, dict[str, Base]]:
        found: defaultdict[RecordKey, dict[str, Base]] = defaultdict(dict)
        for tenant, entity, record_id, field, app, odoo in self._all("bases", keys):
            found[RecordKey(tenant, Entity(entity), record_id)][field] = Base(app, odoo)
        return dict(found)

    def _formers(self, keys: list[RecordKey]) -> dict[RecordKey, dict[str, Former]]:
        found: defaultdict[RecordKey, dict[str, Former]] = defaultdict(dict)
        for tenant, entity, record_id, field, values, taken, age, times in self._all("formers", keys):
            found[RecordKey(tenant, Entity(entity), record_id)][field] = Former(frozenset(values), taken, age, times)
        return dict(found)

    def _conflicts(self, keys: list[RecordKey]) -> dict[RecordKey, frozenset[str]]:
        found: defaultdict[RecordKey, set[str]] = defaultdict(set)
        for tenant, entity, record_id, field in self._all("conflicts", keys):
            found[RecordKey(tenant, Entity(entity), record_id)].add(field)
        return {key: frozenset(fields) for key, fields in found.items()}

    def _dead(self, keys: list[RecordKey]) -> dict[RecordKey, str]:
        return {RecordKey(row[0], Entity(row[1]), row[2]): row[3] for row in self._all("dead", keys)}

    def _named(
        self,
        named: Entity,
        by: Entity,
        column: str,
        keys: Iterable[RecordKey],
        tenants: Mapping[UUID, Tenant],
        columns: Columns,
    ) -> frozenset[RecordKey]:
        """The keys that another record names: clients with an approved registration, agents."""
        groups: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for key in keys:
            if key.entity is named and key.tenant in tenants:
                groups[key.tenant].append(key.record_id)
        selects = [
            _select_named(tenants[tenant], by, column, ids)
            for tenant, ids in groups.items()
            if {column, "status"} <= columns.get((tenants[tenant].schema, CONTRACTS[by].table), frozenset())
        ]
        if not selects:
            return frozenset()
        self._cursor.execute(sql.SQL(" UNION ALL ").join(selects))
        return frozenset(RecordKey(tenant, named, record_id) for tenant, record_id in self._cursor.fetchall())

    def _numbers(
        self, keys: Iterable[RecordKey], tenants: Mapping[UUID, Tenant], columns: Columns
    ) -> dict[RecordKey, tuple[str, ...]]:
        """Registration numbers of unbound clients, so that Odoo creates no second record for one it has under them."""
        groups: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for key in keys:
            if key.entity is Entity.CLIENT and key.tenant in tenants:
                groups[key.tenant].append(key.record_id)
        needed = {"client_id", "registration_number"}
        found: defaultdict[RecordKey, list[str]] = defaultdict(list)
        for tenant, ids in groups.items():
            schema, table = tenants[tenant].schema, CONTRACTS[Entity.REGISTRATION].table
            if needed <= columns.get((schema, table), frozenset()):
                self._cursor.execute(_NUMBERS.format(table=sql.Identifier(schema, table)), {"ids": ids})
                for client, number in self._cursor.fetchall():
                    found[RecordKey(tenant, Entity.CLIENT, client)].append(number)
        return {key: tuple(numbers) for key, numbers in found.items()}

    def _figures(
        self, keys: Iterable[RecordKey], tenants: Mapping[UUID, Tenant], columns: Columns
    ) -> dict[RecordKey, dict[str, Row]]:
        """For registrations: the number of documents, and whether all are verified."""
        groups: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for key in keys:
            if key.entity is Entity.REGISTRATION and key.tenant in tenants:
                groups[key.tenant].append(key.record_id)
        found: dict[RecordKey, dict[str, Row]] = {}
        for tenant, ids in groups.items():
            schema, table = tenants[tenant].schema, CONTRACTS[Entity.DOCUMENT].table
            if not columns.get((schema, table), frozenset()) >= {"registration_id", "deleted_at", "status"}:
                nothing: dict[str, Row] = {"documents": {}}
                found.update({RecordKey(tenant, Entity.REGISTRATION, record_id): nothing for record_id in ids})
                continue
            self._cursor.execute(_DOCUMENTS.format(table=sql.Identifier(schema, table)), {"ids": ids})
            for registration, count, verified in self._cursor.fetchall():
                figures = {"count": str(count), "verified": "all" if verified else "not_all"}
                found[RecordKey(tenant, Entity.REGISTRATION, registration)] = {"documents": figures}
        return found

    def _linked(self, rows: Mapping[RecordKey, Row]) -> dict[RecordKey, dict[str, Row]]:
        """For records: the Odoo users linked to the people that their columns name."""
        named = {
            (key, column): RecordKey(key.tenant, Entity.USER, _id(key, column, row[column]))
            for key, row in rows.items()
            for column in source_columns(CONTRACTS[key.entity], "linked")
            if row.get(column)
        }
        links = linked_users(self._cursor, self._instance, set(named.values()))
        found: defaultdict[RecordKey, dict[str, Row]] = defaultdict(dict)
        for (key, column), user in named.items():
            found[key]["linked"] = {**found[key].get("linked", {}), column: links.get(user)}
        return found

    def _all(self, name: str, keys: list[RecordKey]) -> list[tuple[Any, ...]]:
        if not keys:
            return []
        self._cursor.execute(_SQL[name], {"instance": self._instance, **key_arrays(keys)})
        return self._cursor.fetchall()


def _select(
    tenant: Tenant, entity: Entity, ids: list[UUID], columns: Columns, paths: Sequence[Sequence[str]]
) -> sql.Composable | None:
    """The SELECT of one table's rows as jsonb; None if the table does not exist."""
    schema = "public" if entity is Entity.TENANT else tenant.schema
    present = columns.get((schema, CONTRACTS[entity].table), frozenset())
    if "id" not in present:
        return None
    read = {"id"} | (columns_of(entity) & present)
    free = [
        sql.SQL("left((t.{} #> {}::text[])::text, {})").format(
            sql.Identifier(FREE), sql.Literal(list(path)), sql.Literal(LARGEST_JSON + 1)
        )
        for path in (paths if FREE in read else ())
    ]
    return sql.SQL(
        "SELECT {tenant}::uuid, {entity}, r.id, to_jsonb(r) - {free_name}, r.{free_name_as} FROM "
        "(SELECT {columns} FROM {schema}.{table} AS t WHERE id = ANY({ids}::uuid[])) AS r"
    ).format(
        tenant=sql.Literal(str(tenant.id)),
        entity=sql.Literal(entity.value),
        free_name=sql.Literal(FREE),
        free_name_as=sql.Identifier(FREE),
        columns=sql.SQL(", ").join(
            [
                *map(sql.Identifier, sorted(read - {FREE})),
                sql.SQL("{} AS {}").format(
                    sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(free))
                    if FREE in read
                    else sql.SQL("NULL::text[]"),
                    sql.Identifier(FREE),
                ),
            ]
        ),
        schema=sql.Identifier(schema),
        table=sql.Identifier(CONTRACTS[entity].table),
        ids=sql.Literal([str(record_id) for record_id in ids]),
    )


def _free_json(paths: Sequence[Sequence[str]], texts: Sequence[str | None]) -> dict[str, object]:
    """Free JSON, as far as it was read; a value that cannot be read costs only its own fields."""
    found: dict[str, object] = {}
    for path, text in sorted(zip(paths, texts, strict=True), key=lambda item: len(item[0])):
        inner = found
        for step in path[:-1]:
            deeper = inner.setdefault(step, {})
            if not isinstance(deeper, dict):
                break
            inner = deeper
        else:
            inner[path[-1]] = _value(text)
    return found


def _value(text: str | None) -> object:
    if text is None:
        return None
    if len(text) > LARGEST_JSON:
        return UnreadableJson(f"holds more than {LARGEST_JSON} characters there")
    try:
        return read_json(text)
    except RecursionError:
        return UnreadableJson("is nested too deeply")
    except ValueError:
        return UnreadableJson("is no JSON")


def _select_named(tenant: Tenant, by: Entity, column: str, ids: list[UUID]) -> sql.Composable:
    approved = sql.SQL(" AND status::text = 'approved'") if by is Entity.REGISTRATION else sql.SQL("")
    return (
        sql.SQL(
            "SELECT DISTINCT {tenant}::uuid, {column} FROM {schema}.{table} WHERE {column} = ANY({ids}::uuid[])"
        ).format(
            tenant=sql.Literal(str(tenant.id)),
            column=sql.Identifier(column),
            schema=sql.Identifier(tenant.schema),
            table=sql.Identifier(CONTRACTS[by].table),
            ids=sql.Literal([str(record_id) for record_id in ids]),
        )
        + approved
    )


def _as_owed(keys: Iterable[RecordKey], recorded: _Recorded) -> dict[RecordKey, Owed]:
    known = ((key, recorded.tenants[key.tenant].schema) for key in keys if key.tenant in recorded.tenants)
    return {key: Owed(key, schema, Version(recorded.epochs[key.tenant], 0), 0, Lane.BULK) for key, schema in known}


def _joined(*parts: Mapping[RecordKey, Mapping[str, Row]]) -> dict[RecordKey, dict[str, Row]]:
    found: defaultdict[RecordKey, dict[str, Row]] = defaultdict(dict)
    for part in parts:
        for key, rows in part.items():
            found[key].update(rows)
    return dict(found)


def _customers(rows: Mapping[RecordKey, Row]) -> frozenset[RecordKey]:
    return frozenset(
        RecordKey(key.tenant, Entity.CLIENT, uuid_of(str(row["client_id"])))
        for key, row in rows.items()
        if key.entity is Entity.REGISTRATION and row.get("status") == "approved" and row.get("client_id")
    )


def _agents(rows: Mapping[RecordKey, Row]) -> frozenset[RecordKey]:
    return frozenset(
        RecordKey(key.tenant, Entity.USER, uuid_of(str(row["agent_id"])))
        for key, row in rows.items()
        if key.entity is Entity.COMMISSION and row.get("agent_id")
    )


def _named_by(rows: Mapping[RecordKey, Row]) -> set[RecordKey]:
    return set(_names(rows))


def _names(rows: Mapping[RecordKey, Row]) -> Iterator[RecordKey]:
    for key, row in rows.items():
        contract = CONTRACTS[key.entity]
        columns = [(reference.entity, reference.column) for reference in contract.references]
        for entity, column in {*columns, *contract.related.values()}:
            if value := row.get(column):
                yield RecordKey(key.tenant, entity, _id(key, column, value))


def _id(key: RecordKey, column: str, value: object) -> UUID:
    """Raises: BusyError if the column has got another type since the catalog was read."""
    try:
        return uuid_of(str(value))
    except ValueError:
        raise BusyError(f"the app has just changed the type of {column}, of {key.entity} {key.record_id}") from None


def _unseen(found: Snapshot) -> set[RecordKey]:
    """What is owed or named, should be a row of a table that is seen wholly, and is none."""
    wanted = {*found.owed, *_named_by(found.rows)} - found.rows.keys() - found.unreadable.keys()
    return {key for key in wanted if key.entity in TENANT_TABLES and (key.tenant, key.entity) not in found.hidden}


def _unreadable(owed: Iterable[RecordKey], recorded: _Recorded, columns: Columns, seen: Sight) -> dict[RecordKey, str]:
    found = {}
    for key in owed:
        tenant = recorded.tenants.get(key.tenant)
        if tenant is None:
            found[key] = f"the bridge does not know tenant {key.tenant}"
        elif key.entity in TENANT_TABLES and key.tenant in recorded.replaced:
            # what was the base of the former rows says nothing about these
            found[key] = of_replaced_tables(tenant.subdomain)
        elif key.entity in TENANT_TABLES and "id" not in columns.get(
            (tenant.schema, CONTRACTS[key.entity].table), frozenset()
        ):
            found[key] = f"the table {tenant.schema}.{CONTRACTS[key.entity].table} does not exist or cannot be read"
        elif cause := seen.blind.get((key.tenant, key.entity)):
            found[key] = cause
    return found
