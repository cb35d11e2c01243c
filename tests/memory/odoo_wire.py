"""The addon's methods in memory, by the rules of docs/wire.md; their names and arguments are those of the wire."""

from __future__ import annotations

import base64
import dataclasses
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sync_daemon.domain.codec import INSTANT
from tests.contract import addon
from tests.memory.odoo import MAPPERS, Bound, Key, Mark, Odoo, Values
from tests.memory.odoo_batch import Batch

LATER = timedelta(seconds=5)
LOGIN = "comply360-bridge"
TEXT: Any = addon.text
TYPES = {"Choice": "selection", "Flag": "boolean", "Instant": "datetime", "Amount": "float", "Count": "integer"}


class Wire:
    """What a daemon may ask of one Odoo."""

    def __init__(self, odoo: Odoo) -> None:
        self._odoo = odoo

    def ping(self, protocol: str = "3") -> Values:
        return {
            "protocol": "3",
            "addon": "19.0.0",
            "addon_on_disk": "19.0.0",
            "odoo": "19.0",
            "instance_uuid": self._odoo.instance_uuid,
            "epoch": str(self._odoo.state.epoch),
            "newest": str(self._odoo.newest),
            "database": "memory",
            "user": LOGIN,
            "key_expires": _instant(self._odoo.clock.now + timedelta(days=180)),
            "rpc_deprecated": True,
        }

    def claim(self, installation: str, claim: Mapping[str, Any]) -> Values:
        present = self._odoo.state.claims.get(name := f"{installation} {claim['instance']}")
        shown, following = claim["token"], claim.get("next") or claim["token"]
        is_own = present is None or present[1] in (shown, following)
        if claim.get("renew") and (is_own or claim.get("anyway")):
            number = max(present[0] if present else 0, int(claim["number"]))
            number += present is None or present[1] != following
            self._odoo.state.claims[name] = number, following, claim["holder"], self._odoo.clock.now
            return {"held": True, "number": str(number), "holder": claim["holder"], "at": ""}
        if present is None:
            return {"held": True, "number": claim["number"], "holder": "", "at": ""}
        return {"held": is_own, "number": str(present[0]), "holder": present[2], "at": _instant(present[3])}

    def apply_batch(self, batch: str) -> str:
        given = TEXT.from_text(batch)
        results = Batch(self._odoo, given["installation"], given["documents"], bool(given.get("selftest"))).run()
        return str(TEXT.as_text({"run": given["run"], "results": results}))

    def put_content(self, installation: str, record: Mapping[str, str], sha256: str, offset: str, data: str) -> Values:
        key, piece = _key(installation, record), base64.b64decode(data)
        known, content = self._odoo.state.uploads.get(key, (sha256, b""))
        content = content[: int(offset)] + piece if int(offset) and known == sha256 else piece
        self._odoo.state.uploads[key] = sha256, content
        return {"received": str(len(content))}

    def pull_changes(self, installation: str, limit: str, per_tenant: str) -> str:
        due = [(turn, oldest, mark) for turn, oldest, mark in self._due(installation) if turn < int(per_tenant)]
        due.sort(key=lambda item: item[:2])
        changes = [self._change(mark) for _turn, _oldest, mark in due[: int(limit)]]
        beat = self._odoo.state.beats.get(installation, "")
        epoch, more = str(self._odoo.state.epoch), len(due) > int(limit)
        return str(TEXT.as_text({"epoch": epoch, "changes": changes, "more": more, "beat": beat}))

    def _due(self, installation: str) -> Iterator[tuple[int, int, Mark]]:
        """The newest mark of each record that may be pulled, with its turn within its tenant and its oldest mark."""
        found: dict[Key, list[Mark]] = {}
        for mark in self._odoo.state.marks:
            found.setdefault(mark.key, []).append(mark)
        turns: dict[str, int] = {}
        for key, marks in sorted(found.items(), key=lambda item: item[1][0].number):
            newest, bound = marks[-1], self._odoo.state.bindings[key]
            is_out = bound.state == "active" and bound.opted_out
            if key[0] != installation or is_out or newest.is_parked or newest.due_at > self._odoo.clock.now:
                continue
            if self._odoo.is_served(installation, key[1]):
                yield turns.get(key[1], 0), marks[0].number, newest
                turns[key[1]] = turns.get(key[1], 0) + 1

    def _change(self, mark: Mark) -> Values:
        bound, (_installation, tenant, entity, record_id) = self._odoo.state.bindings[mark.key], mark.key
        mapper = MAPPERS[entity]
        record = self._odoo.state.records.get((bound.model, bound.res_id))
        is_there = mark.op in ("upsert", "ask") and record is not None
        two_way = {rule.name for rule in mapper.rules if rule.two_way}
        present = self._odoo.wire(entity, bound) if is_there and two_way else {}
        reported = mapper.report(self._odoo.row(mapper.reported, bound)) if is_there else {}
        return {
            "tenant": tenant,
            "entity": entity,
            "record_id": record_id,
            "version": f"{self._odoo.state.epoch}.{mark.number}",
            "op": mark.op,
            "model": bound.model,
            "res_id": str(bound.res_id or ""),
            "at": _instant(mark.at),
            "by": mark.by,
            "fields": {**{name: value for name, value in present.items() if name in two_way}, **reported},
            "sent": {name: dict(pair) for name, pair in bound.sent.items() if name in present},
        }

    def ack_changes(self, installation: str, verdicts: str) -> Values:
        acked = 0
        for verdict in TEXT.from_text(verdicts):
            epoch, _, number = verdict["version"].partition(".")
            if int(epoch) == self._odoo.state.epoch:
                acked += self._settle(_key(installation, verdict), int(number), verdict["verdict"])
        return {"acked": str(acked)}

    def _settle(self, key: Key, number: int, verdict: str) -> bool:
        done = [mark for mark in self._odoo.state.marks if mark.key == key and mark.number <= number]
        for mark in done:
            place = self._odoo.state.marks.index(mark)
            if verdict == "later":
                self._odoo.state.marks[place] = dataclasses.replace(mark, due_at=self._odoo.clock.now + LATER)
            elif verdict == "parked":
                self._odoo.state.marks[place] = dataclasses.replace(mark, is_parked=True)
            else:
                del self._odoo.state.marks[place]
        return bool(done)

    def requeue_changes(self, installation: str, records: Sequence[Mapping[str, str]]) -> Values:
        ops = {"active": "upsert", "alias": "alias"}
        keys = [_key(installation, record) for record in records]
        there = [key for key in keys if key in self._odoo.state.bindings]
        marked = sum(
            self._odoo.mark(self._odoo.state, [key], ops.get(self._odoo.state.bindings[key].state, "unlink"))
            for key in there
        )
        return {"requeued": str(marked)}

    def heartbeat(self, installation: str, beat: str, tenants: Sequence[str]) -> Values:
        self._odoo.state.beats[installation] = beat
        return {
            "unserved": sorted(one for one in tenants if not self._odoo.is_served(installation, one)),
            "missing": [],
        }

    def epochs(self, installation: str) -> Values:
        applied = (int(bound.version.partition(".")[0]) for _, bound in self._odoo.of(installation) if bound.version)
        return {"epoch": str(self._odoo.state.epoch), "applied": str(max(applied, default=0))}

    def raise_epoch(self, beyond: str) -> Values:
        self._odoo.state.epoch = max(self._odoo.state.epoch, int(beyond)) + 1
        return {"epoch": str(self._odoo.state.epoch)}

    def report_again(self, installation: str) -> Values:
        leads = [
            key for key, bound in self._odoo.of(installation) if key[2] == "registration" and bound.state == "active"
        ]
        return {"reported": str(self._odoo.mark(self._odoo.state, leads, "upsert"))}

    def show_binding(self, installation: str, record: Mapping[str, str]) -> Values:
        bound = self._odoo.state.bindings.get(_key(installation, record))
        values = self._odoo.state.records.get((bound.model, bound.res_id)) if bound else None
        return {
            "state": bound.state if bound else "",
            "model": bound.model if bound else "",
            "res_id": str(bound.res_id or "") if bound else "",
            "version": bound.version if bound else "",
            "opted_out": bound.opted_out if bound else False,
            "synced_at": _instant(bound.synced_at) if bound and bound.synced_at else "",
            "name": str(values.get("name") or values.get("partner_name") or "") if values else "",
        }

    def relink_binding(self, installation: str, record: Mapping[str, str], res_id: str) -> Values:
        key, model = _key(installation, record), MAPPERS[record["entity"]].model
        other = self._odoo.bound_to(model, int(res_id))
        if (model, int(res_id)) not in self._odoo.state.records:
            return {"model": "", "res_id": "", "refused": f"there is no such record that a {key[2]} could be"}
        if other not in (None, key):
            return {"model": "", "res_id": "", "refused": f"{model} {res_id} is bound already"}
        self._odoo.state.bindings[key] = Bound(model, int(res_id))
        return {"model": model, "res_id": res_id, "refused": ""}

    def rename_binding(self, installation: str, record: Mapping[str, str], record_id: str) -> Values:
        former, present = _key(installation, record), _key(installation, {**record, "record_id": record_id})
        if former in self._odoo.state.bindings and present in self._odoo.state.bindings:
            return {"refused": f"{record['entity']} {record_id} is bound already"}
        if bound := self._odoo.state.bindings.pop(former, None):
            self._odoo.state.bindings[present] = bound
            self._odoo.state.marks = [
                dataclasses.replace(mark, key=present) if mark.key == former else mark
                for mark in self._odoo.state.marks
            ]
        return {"refused": ""}

    def forget_binding(self, installation: str, record: Mapping[str, str]) -> Values:
        key = _key(installation, record)
        bound = self._odoo.state.bindings.get(key)
        if bound and bound.state == "active" and (bound.model, bound.res_id) in self._odoo.state.records:
            return {"refused": f"it is bound to {bound.model} {bound.res_id}, which still exists"}
        self._odoo.forget([key])
        return {"refused": ""}

    def causes(self, installation: str) -> Values:
        tenants: dict[str, dict[str, int]] = {}
        newest = {mark.key: mark for mark in self._odoo.state.marks if mark.key[0] == installation}
        for key, bound in self._odoo.of(installation):
            if cause := self._cause(bound, newest.get(key)):
                found = tenants.setdefault(key[1], {})
                found[cause] = found.get(cause, 0) + 1
        return {
            "tenants": {
                tenant: [{"cause": cause, "records": str(count)} for cause, count in causes.items()]
                for tenant, causes in tenants.items()
            }
        }

    def _cause(self, bound: Bound, mark: Mark | None) -> str:
        if bound.state == "active" and bound.opted_out:
            return "a user stopped syncing the record"
        if mark:
            return "parked" if mark.is_parked else "the change is about to be taken by the app"
        words = {
            "unlinked": "a user deleted the record in Odoo",
            "alias": "a user merged the record into another one in Odoo",
        }
        return words.get(bound.state, "")

    def check_setup(self, installation: str, currencies: Mapping[str, Mapping[str, str]]) -> Values:
        return {"findings": []}

    def backlog(self, installation: str) -> Values:
        newest = {mark.key: mark for mark in self._odoo.state.marks if mark.key[0] == installation}
        tenants: dict[str, list[Mark]] = {}
        for key, mark in newest.items():
            if not (self._odoo.state.bindings[key].state == "active" and self._odoo.state.bindings[key].opted_out):
                tenants.setdefault(key[1], []).append(mark)
        return {"tenants": {tenant: self._owed(marks) for tenant, marks in tenants.items()}}

    def _owed(self, newest: Sequence[Mark]) -> Values:
        waiting = [mark.key for mark in newest if not mark.is_parked]
        oldest = min((mark.at for mark in self._odoo.state.marks if mark.key in waiting), default=None)
        parked = len(newest) - len(waiting)
        return {"owed": str(len(waiting)), "parked": str(parked), "oldest": _instant(oldest) if oldest else ""}

    def holdings(self, installation: str) -> Values:
        counts: dict[str, int] = {}
        for key, bound in self._odoo.of(installation):
            counts[key[2]] = counts.get(key[2], 0) + bool(bound.res_id)
        return {"entities": {entity: str(count) for entity, count in counts.items()}, "former": []}

    def adopt_records(
        self,
        installation: str,
        tenant: Mapping[str, str],
        entity: str,
        records: Sequence[Mapping[str, Any]],
        dry_run: bool,
    ) -> Values:
        return {
            "records": [
                self._adopted((installation, tenant["record_id"], entity, row["record_id"]), dry_run) for row in records
            ]
        }

    def _adopted(self, key: Key, dry_run: bool) -> Values:
        """By id only: a record in memory carries no other sign of the app."""
        bound = self._odoo.state.bindings.get(key)
        if bound is None or (bound.model, bound.res_id) not in self._odoo.state.records:
            verdict = "deleted" if bound and bound.state == "unlinked" else "new"
            return {"record_id": key[3], "verdict": verdict}
        if not dry_run:
            self._odoo.mark(self._odoo.state, [key], "upsert")
        place = {"model": bound.model, "res_id": str(bound.res_id), "state": bound.state}
        return {"record_id": key[3], "verdict": "matched", "by": "id", **place}

    def commission_books(self, installation: str, tenant: str, after: str, limit: str) -> Values:
        found = [
            (key[3], self._odoo.wire("commission", bound))
            for key, bound in self._page(installation, tenant, "commission", after, "")
            if bound.state == "active"
        ]
        rows = [
            {"record_id": name, "currency": row["currency"], "state": row["status"], "amount": row["commission_amount"]}
            for name, row in found[: int(limit)]
        ]
        return {"rows": rows, "more": len(found) > int(limit)}

    def digests(
        self, installation: str, tenant: str, entity: str, after: str, limit: str, fields: Collection[str] = ()
    ) -> Values:
        found = self._page(installation, tenant, entity, after, "")
        return {"digests": [self._digest(*row, fields) for row in found[: int(limit)]], "more": len(found) > int(limit)}

    def digest_ranges(
        self, installation: str, tenant: str, entity: str, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> Values:
        digests = []
        for after, until in itertools.pairwise(bounds):
            rows = [
                (key, self._digest(key, bound, fields))
                for key, bound in self._page(installation, tenant, entity, after, until)
            ]
            self._odoo.state.remembered |= {key: row["digest"] for key, row in rows}
            digests.append(addon.document.range_digest(addon.document.range_line(row) for _, row in rows))
        return {"digests": digests}

    def known_ranges(
        self, installation: str, tenant: str, entity: str, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> Values:
        digests = []
        for after, until in itertools.pairwise(bounds):
            rows = [
                (key, self._digest(key, bound, fields))
                for key, bound in self._page(installation, tenant, entity, after, until)
            ]
            is_known = all(
                self._odoo.state.remembered.get(key) == row["digest"]
                and row["state"] == "active"
                and not row["waiting"]
                for key, row in rows
            )
            lines = (addon.document.range_line(row) for _, row in rows)
            digests.append(addon.document.range_digest(lines) if is_known else "")
        return {"digests": digests}

    def _is_remembered(self, key: Key, row: Values) -> bool:
        is_plain = row["state"] == "active" and not row["waiting"] and not row["opted_out"]
        return is_plain and self._odoo.state.remembered.get(key) == row["digest"]

    def _page(self, installation: str, tenant: str, entity: str, after: str, until: str) -> list[tuple[Key, Bound]]:
        found = sorted(
            (key, bound)
            for key, bound in self._odoo.of(installation)
            if key[1:3] == (tenant, entity) and key not in self._odoo.state.erased
        )
        return [row for row in found if row[0][3] > after and (not until or row[0][3] <= until)]

    def _digest(self, key: Key, bound: Bound, fields: Collection[str]) -> Values:
        record = self._odoo.state.records.get((bound.model, bound.res_id))
        digest = ""
        if bound.state == "alias":
            digest = addon.document.digest_of({"survivor": f"{bound.model} {bound.res_id}"}, {})
        elif record is not None and bound.state == "active":
            digest = addon.document.digest_of(*self._content(key, bound, fields))
        return {
            "record_id": key[3],
            "version": bound.version,
            "digest": digest,
            "state": bound.state,
            "opted_out": bound.opted_out,
            "waiting": any(mark.key == key for mark in self._odoo.state.marks),
            "twins": [],
            "deviations": [],
        }

    def _content(self, key: Key, bound: Bound, fields: Collection[str]) -> tuple[Values, dict[str, str]]:
        """What a record's digest is of: fields and references."""
        mapper, record = MAPPERS[key[2]], self._odoo.state.records[bound.model, bound.res_id]
        present = {**self._odoo.wire(key[2], bound), **mapper.report(self._odoo.row(mapper.reported, bound))}
        refs: dict[str, str] = {}
        shown: frozenset[str] = frozenset()
        for reference in mapper.references:
            active, merged = self._one_in_odoo(key, reference.entity, record.get(reference.target) or 0)
            if active or merged:
                refs[reference.role] = f"{reference.entity}:{min(active or merged)}"
            if merged and key[2] == "registration":
                shown = frozenset({"email", "phone"})
        chosen = {
            name: value for name, value in present.items() if (not fields or name in fields) and name not in shown
        }
        return chosen, refs

    def _one_in_odoo(self, key: Key, entity: str, res_id: int) -> tuple[list[str], list[str]]:
        """The ids of the app's records that are this one in Odoo: bound to it, and merged into it."""
        model = MAPPERS[entity].model
        found = [
            (bound.state, other[3])
            for other, bound in self._odoo.of(key[0])
            if (bound.model, bound.res_id, other[2]) == (model, res_id, entity)
        ]
        return [name for state, name in found if state == "active"], [name for state, name in found if state == "alias"]

    def show_values(
        self, installation: str, tenant: str, entity: str, records: Collection[str], fields: Collection[str] = ()
    ) -> Values:
        rows = []
        for key, bound in self._page(installation, tenant, entity, "", ""):
            if (
                key[3] in records
                and bound.state == "active"
                and (bound.model, bound.res_id) in self._odoo.state.records
            ):
                present, refs = self._content(key, bound, fields)
                rows.append({"record_id": key[3], "fields": present, "refs": refs})
        return {"values": rows}

    def describe_fields(self, installation: str) -> Values:
        entities = {
            entity: {rule.name: _described(mapper.model, rule) for rule in mapper.rules}
            for entity, mapper in MAPPERS.items()
        }
        tenants = [key[1] for key, _ in self._odoo.of(installation) if key[2] == "tenant"]
        return {"entities": entities, "tenants": {tenant: {} for tenant in tenants}, "required": {}}

    def internal_users(self, after: str, limit: str) -> Values:
        found = [(number, login) for number, login in self._odoo.users if number > int(after or 0)]
        rows = [
            {"id": str(number), "login": login, "name": login, "email": ""} for number, login in found[: int(limit)]
        ]
        return {"users": rows, "more": len(found) > int(limit)}

    def erase_client(
        self,
        installation: str,
        erasure: str,
        client: Mapping[str, str],
        records: Collection[Mapping[str, str]],
        dry_run: bool,
    ) -> Values:
        keys = {_key(installation, client), *(_key(installation, record) for record in records)}
        partner = self._odoo.state.bindings.get(_key(installation, client))
        if partner is not None:
            keys |= {
                key
                for key, bound in self._odoo.of(installation)
                if key[1:3] == (client["tenant"], "client") and bound.res_id == partner.res_id
            }
        there = {key: bound for key, bound in self._odoo.of(installation) if key in keys}
        customers = [key for key in there if key[2] == "client" and there[key].state == "active"]
        if not dry_run:
            self._odoo.erase(erasure, keys)
        counts = {"customers": len(customers), "leads": sum(key[2] == "registration" for key in there)}
        return {
            "refused": "",
            "customer": "deleted" if customers else "none",
            "counts": {what: str(number) for what, number in counts.items() if number},
            "kept": [],
            "records": [{"tenant": key[1], "entity": key[2], "record_id": key[3]} for key in sorted(keys)],
        }

    def erasures(self, installation: str) -> Values:
        found: dict[str, list[Values]] = {}
        for key, erasure in sorted(self._odoo.state.erased.items()):
            if key[0] == installation:
                record = {"tenant": key[1], "entity": key[2], "record_id": key[3]}
                found.setdefault(erasure, []).append(record)
        return {"erasures": found}

    def purge_selftest(self, installation: str, tenant: str) -> Values:
        own = (installation, tenant, "tenant", tenant)
        if own not in self._odoo.state.bindings:
            return {"removed": "0", "refused": ""}
        values = self._odoo.state.records[self._odoo.place(own)]
        if not values.get("selftest"):
            return {
                "removed": "0",
                "refused": f"tenant {values['subdomain']} is not a selftest tenant; nothing was changed",
            }
        keys = [key for key, _ in self._odoo.of(installation) if key[1] == tenant]
        removed = [key for key in keys if self._odoo.state.records.pop(self._odoo.place(key), None) and key != own]
        self._odoo.forget(keys)
        return {"removed": str(len(removed)), "refused": ""}


def _key(installation: str, record: Mapping[str, str]) -> Key:
    return installation, record["tenant"], record["entity"], record["record_id"]


def _instant(moment: datetime) -> str:
    return moment.strftime(INSTANT)


def _described(model: str, rule: Any) -> Values:
    codec = rule.codec
    kind = TYPES.get(type(codec).__name__, "char")
    values = list(codec.values) if kind == "selection" else []
    return {"model": model, "field": rule.target, "type": kind, "required": rule.required, "values": values}
