"""Digests of a tenant's records of one entity: one per record, or one per range of ids."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from odoo.tools import SQL

from ..mappers import Mapper
from ..mappers.document import digest_of, known_line, range_digest, range_line
from .fingerprint import fingerprint


class Comparison:
    """The environment is the superuser's; `names` are the fields that are compared."""

    def __init__(self, env: Any, installation: str, tenant: str, mapper: Mapper, names: Collection[str]) -> None:
        self.env = env
        self.installation = installation
        self.tenant = tenant
        self.mapper = mapper
        self.names = names
        self.bindings = env["comply360.binding"]
        self.model = env[mapper.model]
        self.owner = env["comply360.tenant"].search([("installation", "=", installation), ("uuid", "=", tenant)])

    def digests(self, after: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """The next records in the order of their ids, and whether more follow."""
        domain = [
            ("installation", "=", self.installation),
            ("tenant", "=", self.tenant),
            ("entity", "=", self.mapper.entity),
            ("external_id", ">", after),
            ("res_id", "!=", False),
        ]
        found = self.bindings.search(domain, order="external_id", limit=limit + 1)
        return self._digests(found[:limit]), len(found) > limit

    def known_ranges(self, bounds: Sequence[str]) -> list[str]:
        """One digest per range from remembered digests only; empty if one of its records has none."""
        ends = list(bounds[1:-1])
        # a range includes the id that ends it, but width_bucket() starts the next range there
        rows = self.env.execute_query(
            SQL(
                """
            WITH known AS MATERIALIZED (%(known)s), placed AS (
                SELECT external_id, digest, width_bucket(external_id::text, %(ends)s::text[]) AS reached FROM known)
            SELECT reached - coalesce((external_id = (%(ends)s::text[])[reached])::int, 0) AS number,
                   CASE WHEN bool_and(digest IS NOT NULL) THEN
                       encode(sha256(string_agg(convert_to(concat(external_id, ' active ', digest, chr(10)), 'UTF8'), ''
                                                ORDER BY external_id)), 'hex')
                   END
              FROM placed
             GROUP BY number
            """,
                ends=ends,
                known=self._known(self._page(bounds[0], bounds[-1])),
            )
        )
        digests = {number: digest or "" for number, digest in rows}
        return [digests.get(number, range_digest(())) for number in range(len(ends) + 1)]

    def digest_ranges(self, bounds: Sequence[str], most: int) -> list[str]:
        """One digest per range; empty if it ends beyond `most` records. Changed records are computed again."""
        first, *ends = bounds
        found = self._recall(first, ends[-1], most + 1)
        known_to = found[-1][1] if len(found) > most else ""
        lines = self._lines(found[:most])
        digests = []
        for end in ends:
            count = sum(1 for _ in itertools.takewhile(lambda line, end=end: not end or line[0] <= end, lines))
            is_whole = not known_to or (bool(end) and end < known_to)
            digests.append(range_digest(line for _, line in lines[:count]) if is_whole else "")
            del lines[:count]
        return digests

    # -- remembered digests ----------------------------------------------------------------------------------------

    def _page(self, after: str, until: str) -> SQL:
        """The bound records after one id and up to another (empty: no end)."""
        return SQL(
            """
            SELECT * FROM comply360_binding
             WHERE installation = %s AND tenant = %s AND entity = %s AND external_id > %s %s AND res_id IS NOT NULL
               AND erasure IS NULL
            """,
            self.installation,
            self.tenant,
            self.mapper.entity,
            after,
            SQL("AND external_id <= %s", until) if until else SQL(""),
        )

    def _known(self, page: SQL) -> SQL:
        """The bindings of a page, each with its fingerprint and its remembered digest.

        There is a digest only if the record is unchanged since it was computed, is still the app record's own and has
        no other flag to report.
        """
        of_record, joins = fingerprint(self.env, self.mapper, self.names) or (SQL("NULL::text"), SQL(""))
        self.env.flush_all()
        return SQL(
            """
            SELECT f.id, f.external_id, f.fingerprint,
                   CASE WHEN f.fingerprint = f.compared_from AND f.state = 'active' AND f.opted_out IS NOT TRUE
                             AND f.is_own AND NOT f.has_twin
                             AND NOT EXISTS (SELECT FROM comply360_outbox o WHERE o.binding_id = f.id)
                        THEN f.compared_digest END AS digest
              FROM (SELECT p.*, %(of_record)s AS fingerprint, %(is_own)s AS is_own, %(has_twin)s AS has_twin
                      FROM (%(page)s) p
                      LEFT JOIN %(table)s t ON t.id = p.res_id
                      %(joins)s) f
            """,
            of_record=of_record,
            is_own=self.model._comply360_carries_identity(self.owner, self.mapper.entity),
            has_twin=self.model._comply360_has_twin(),
            page=page,
            table=SQL.identifier(self.model._table),
            joins=joins,
        )

    def _recall(self, after: str, until: str, limit: int) -> list[tuple[int, str, str, str | None]]:
        """In the order of the app's ids: binding, app's id, fingerprint, remembered digest."""
        page = SQL("%s ORDER BY external_id LIMIT %s", self._page(after, until), limit)
        return self.env.execute_query(
            SQL("SELECT id, external_id, fingerprint, digest FROM (%s) known ORDER BY external_id", self._known(page))
        )

    def _remember(self, found: Mapping[int, tuple[str, str]]) -> None:
        """Store digests by binding, with the fingerprint each was computed from; no mark, no date of change.

        Bindings locked by another transaction are skipped.
        """
        if not found:
            return
        columns = [list(found), *map(list, zip(*found.values(), strict=True))]
        self.env.cr.execute(
            """
            WITH free AS (
                SELECT b.id, k.digest, k.fingerprint
                  FROM comply360_binding b
                  JOIN unnest(%s::int[], %s::text[], %s::text[]) AS k(id, digest, fingerprint) ON k.id = b.id
                   FOR NO KEY UPDATE OF b SKIP LOCKED)
            UPDATE comply360_binding b SET compared_digest = free.digest, compared_from = free.fingerprint
              FROM free WHERE b.id = free.id
            """,
            columns,
            log_exceptions=False,
        )
        self.bindings.invalidate_model(["compared_digest", "compared_from"])

    # -- current values --------------------------------------------------------------------------------------------

    def _lines(self, found: Sequence[tuple[int, str, str, str | None]]) -> list[tuple[str, str]]:
        """(id, line) of the recalled records; changed ones are computed again and remembered."""
        changed = {binding: text for binding, _, text, digest in found if digest is None}
        anew = dict(zip(changed, self._digests(self.bindings.browse(changed)), strict=True))
        self._remember(
            {
                key: (row["digest"], changed[key])
                for key, row in anew.items()
                if row["digest"] and changed[key] and not row["deviations"]
            }
        )
        return [
            (record_id, range_line(anew[key]) if digest is None else known_line(record_id, digest))
            for key, record_id, _, digest in found
        ]

    def _digests(self, bindings: Any) -> list[dict[str, Any]]:
        alive = bindings.filtered(lambda binding: binding.state == "active")
        records = self.model.browse(alive.mapped("res_id")).exists()
        contents = self._contents(records)
        digests = {res_id: digest_of(*content) for res_id, content in contents.items()}
        waiting = self._waiting(bindings)
        twins = self.model._comply360_twins(bindings)
        deviations = self._deviations(alive.filtered(lambda binding: binding.res_id in contents))
        return [
            {
                "record_id": binding.external_id,
                "version": binding.version or "",
                "digest": self._digest(binding, digests),
                "state": binding.state,
                "opted_out": binding.opted_out,
                "waiting": binding.id in waiting,
                "twins": [str(twin) for twin in twins.get(binding.id, ())],
                "deviations": deviations.get(binding.id, []),
            }
            for binding in bindings
        ]

    def _digest(self, binding: Any, digests: Mapping[int, str]) -> str:
        """Of the record's content; of a merged record, the digest says into which one."""
        if binding.state == "alias":
            return digest_of({"survivor": f"{binding.res_model} {binding.res_id}"}, {})
        return digests.get(binding.res_id, "") if binding.state == "active" else ""

    def values(self, ids: Collection[str]) -> list[dict[str, Any]]:
        """The present values of these records of the app, as far as Odoo has them."""
        bindings = self.bindings.search(
            [
                ("installation", "=", self.installation),
                ("tenant", "=", self.tenant),
                ("entity", "=", self.mapper.entity),
                ("external_id", "in", list(ids)),
                ("state", "=", "active"),
                ("res_id", "!=", False),
            ],
            order="external_id",
        )
        contents = self._contents(self.model.browse(bindings.mapped("res_id")).exists())
        return [
            {"record_id": binding.external_id, "fields": fields, "refs": refs}
            for binding in bindings
            if binding.res_id in contents
            for fields, refs in [contents[binding.res_id]]
        ]

    def _contents(self, records: Any) -> dict[int, tuple[dict[str, Any], dict[str, str]]]:
        """By record, what its digest is of: fields and references."""
        refs = self._references(records)
        merged = self._merged(records)
        return {record.id: (self._content(record, record in merged), refs.get(record.id, {})) for record in records}

    def _content(self, record: Any, is_merged: bool) -> dict[str, Any]:
        """The app's fields, or the reported ones where Odoo owns the entity."""
        if self.mapper.rules:
            present = self.mapper.wire(record._comply360_row(self.mapper))
        else:
            present = self.mapper.report(record._comply360_report(self.mapper))
        shared = record._comply360_shown_of_survivor(self.mapper) if is_merged else ()
        return {name: value for name, value in present.items() if name in self.names and name not in shared}

    def _deviations(self, bindings: Any) -> dict[int, list[dict[str, str]]]:
        """By binding, what documents do not say about a record and is not as the bridge keeps it."""
        if not self.mapper.rules:
            return {}
        found = {}
        for binding in bindings:
            record = self.model.browse(binding.res_id).with_prefetch(bindings.mapped("res_id"))
            key = (binding.tenant, binding.entity, binding.external_id)
            if deviations := record._comply360_deviations(self.owner, key):
                found[binding.id] = deviations
        return found

    def _waiting(self, bindings: Any) -> set[int]:
        """The bindings whose changes the app has not applied yet."""
        self.env.cr.execute(
            "SELECT DISTINCT binding_id FROM comply360_outbox WHERE binding_id = ANY(%s)", [bindings.ids]
        )
        return {row[0] for row in self.env.cr.fetchall()}

    def _references(self, records: Any) -> dict[int, dict[str, str]]:
        """By record, its roles as `entity:id`, where the target is bound; a survivor goes by one name on both sides."""
        found: dict[int, dict[str, str]] = {}
        for reference in self.mapper.references:
            targets = records.mapped(reference.target)
            names = {**self._bound(reference, targets, "alias"), **self._bound(reference, targets, "active")}
            for record in records:
                if name := names.get(record[reference.target].id):
                    found.setdefault(record.id, {})[reference.role] = f"{reference.entity}:{name}"
        return found

    def _merged(self, records: Any) -> Any:
        """The records that refer to one into which others of the app were merged."""
        merged = {
            reference.target: self._bound(reference, records.mapped(reference.target), "alias")
            for reference in self.mapper.references
        }
        return records.filtered(lambda record: any(record[target].id in ids for target, ids in merged.items()))

    def _bound(self, reference: Any, targets: Any, state: str) -> dict[int, str]:
        """By record, the id in the app: the smallest, where several were merged into it."""
        bindings = self.bindings.search(
            [
                ("installation", "=", self.installation),
                ("entity", "=", reference.entity),
                ("res_model", "=", targets._name),
                ("res_id", "in", targets.ids),
                ("state", "=", state),
            ],
            order="external_id DESC",
        )
        return {binding.res_id: binding.external_id for binding in bindings}
