"""Applies a batch of documents to Odoo's records, in one transaction."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg2
from odoo.exceptions import ConcurrencyError, UserError
from odoo.tools.misc import groupby

from ..mappers import MAPPERS, Document, Refused, parse_document
from ..mappers.document import Key, parse_version, show_version
from . import work as results
from .entity import EntityWriter
from .work import Absent, Applied, Bound, Outcome, Turned, Work

_logger = logging.getLogger(__name__)

MOST_DOCUMENTS = 1000
# these end the transaction: Odoo retries the call, or the caller does later
_TRANSACTION_ENDS = (psycopg2.OperationalError, psycopg2.InterfaceError, ConcurrencyError)


class Batch:
    """Applies documents; the environment is the superuser's, with the bridge's own context."""

    def __init__(self, env: Any, installation: str, raws: Sequence[Mapping[str, Any]]) -> None:
        self.env = env
        self.installation = installation
        self.raws = raws
        self.bindings = env["comply360.binding"]
        self.answers: list[dict[str, Any] | None] = [None] * len(raws)
        self.positions: dict[Key, int] = {}
        self.bound: dict[Key, Bound] = {}
        self.turned: dict[Key, Refused] = {}
        self.applied: list[tuple[int, int, int, str, str, str, str]] = []
        self.unbound: list[tuple[Work, tuple[int, int, str, str, str]]] = []
        self.created: list[Work] = []

    def run(self) -> list[dict[str, Any]]:
        """Apply everything that can be applied; one answer per document, in the same order."""
        documents = self._parse()
        works = self._bind(documents)
        self._restore(works)
        newest = self.env["comply360.bridge"]._newest_version()
        self.bound.update(
            self.bindings._find(self.installation, {key for work in works for key in work.document.refs.values()})
        )
        for mapper in MAPPERS.values():
            of_entity = [work for work in works if work.document.entity == mapper.entity]
            ready = self._with_tenants(of_entity)
            for company, group in groupby(ready, key=_company):
                writer = EntityWriter(self.env, self.installation, mapper, company, self.bound, self.turned, newest)
                self._attempt(writer, group)
        self.bindings._settle(self.applied)
        self._bind_new()
        self._report_new()
        done = {row[0] for row in self.applied}
        self.bindings._release({work.binding_id for work in works if work.binding_id} - done)
        return [entry for entry in self.answers if entry is not None]

    # -- before writing --------------------------------------------------------------------------------------------

    def _parse(self) -> list[Document]:
        documents = []
        for position, raw in enumerate(self.raws):
            try:
                document = parse_document(raw)
                if document.entity not in MAPPERS:
                    raise Refused(
                        "unknown_entity",
                        f"this addon does not support the entity {document.entity!r}",
                        "entity",
                        document.entity,
                    )
                if not MAPPERS[document.entity].rules:
                    raise Refused("read_only", f"Odoo owns every {document.entity} and accepts none from the app")
            except Refused as refused:
                self.answers[position] = results.refusal(raw, "rejected", refused)
                continue
            if document.key in self.positions:
                again = Refused("busy", "the batch contains the record twice")
                self.answers[position] = results.refusal(raw, "retry", again)
                continue
            self.positions[document.key] = position
            documents.append(document)
        return documents

    def _bind(self, documents: Iterable[Document]) -> list[Work]:
        by_key = {document.key: document for document in documents}
        found = self.bindings._lock(self.installation, by_key)
        new = by_key.keys() - found.keys()
        late = {key for key in new if self.env[MAPPERS[key[1]].model]._comply360_is_bound_late}
        works = [Work(by_key[key]) for key in late]
        claimed = self.bindings._claim(self.installation, new - late)
        works += [Work(by_key[key], binding_id) for key, binding_id in claimed.items()]
        for key, binding in found.items():
            # a record deleted on both sides that reappears in the app is created again
            res_id = 0 if binding["state"] == "tombstone" else binding["res_id"] or 0
            work = Work(
                by_key[key],
                binding["id"],
                res_id,
                is_relinked=not binding["version"],
                sent_before=binding["sent"] or {},
            )
            if self._is_due(work, binding):
                works.append(work)
            if binding["res_id"]:
                self.bound[key] = (binding["res_model"], binding["res_id"], binding["state"])
        return sorted(works, key=lambda work: self.positions[work.document.key])

    def _restore(self, works: Iterable[Work]) -> None:
        """Give records back their identity in the app before anything is written: walls are judged by it."""
        for entity, group in groupby([work for work in works if not work.creating], lambda work: work.document.entity):
            model = self.env[MAPPERS[entity].model]
            restored = set(model._comply360_restore_identities(self.installation, entity, group))
            for work in group:
                work.is_restored = work.res_id in restored

    def _is_due(self, work: Work, binding: Mapping[str, Any]) -> bool:
        if binding["erasure"]:
            is_there = binding["state"] == "active"
            ids = {"model": binding["res_model"], "res_id": str(binding["res_id"] or 0)}
            self._answer(work, results.answer(self._raw(work), "opted_out" if is_there else "removed", **ids))
            return False
        if binding["state"] != "active" and MAPPERS[work.document.entity].removes(work.document):
            ids = {"model": binding["res_model"], "res_id": str(binding["res_id"] or 0)}
            self._answer(work, results.answer(self._raw(work), "removed", **ids))
            return False
        if binding["state"] == "ambiguous":
            self._note(Turned(work, "rejected", self.bindings.browse(binding["id"])._why_ambiguous()))
            return False
        if binding["state"] not in ("active", "tombstone"):
            words = "was merged into another record" if binding["state"] == "alias" else "was deleted"
            refused = Refused("unlinked", f"the record {words} in Odoo; a user must decide what happens to it")
            self._note(Turned(work, "rejected", refused))
            return False
        if binding["opted_out"]:
            ids = {"model": binding["res_model"], "res_id": str(binding["res_id"])}
            self._answer(work, results.answer(self._raw(work), "opted_out", **ids))
            return False
        if not binding["version"]:
            return True
        version = parse_version(binding["version"])
        if version > work.document.version:
            self._answer(work, results.stale(self._raw(work), version, binding["res_model"], binding["res_id"]))
            return False
        is_same = version == work.document.version and binding["state"] == "active"
        if is_same and binding["digest"] and binding["digest"] == work.document.digest:
            ids = {"model": binding["res_model"], "res_id": str(binding["res_id"])}
            self._answer(work, results.answer(self._raw(work), "unchanged", **ids))
            return False
        return True

    def _with_tenants(self, works: list[Work]) -> list[Work]:
        uuids = {work.document.tenant for work in works}
        tenants = self.env["comply360.tenant"].search(
            [("installation", "=", self.installation), ("uuid", "in", list(uuids))]
        )
        by_uuid = {tenant.uuid: tenant for tenant in tenants}
        ready = []
        for work in works:
            work.tenant = by_uuid.get(work.document.tenant, tenants.browse())
            if work.tenant or work.document.entity == "tenant":
                ready.append(work)
            else:
                message = f"tenant {work.document.tenant} is not in Odoo yet"
                self._note(Turned(work, "retry", Refused("tenant_missing", message)))
        return ready

    # -- writing ---------------------------------------------------------------------------------------------------

    def _attempt(self, writer: EntityWriter, works: list[Work]) -> None:
        """Apply all at once; if that fails, halve until the bad record is isolated."""
        try:
            with self.env.cr.savepoint():
                outcomes = writer.apply(works)
        except _TRANSACTION_ENDS:
            raise
        except Exception as error:
            if len(works) > 1:
                middle = len(works) // 2
                self._attempt(writer, works[:middle])
                self._attempt(writer, works[middle:])
                return
            self._end_if_bound_meanwhile(works[0])
            outcomes = [Turned(works[0], "rejected", _as_refusal(error, works[0]))]
        for outcome in outcomes:
            self._note(outcome)

    def _end_if_bound_meanwhile(self, work: Work) -> None:
        """Another transaction may have created the record, and this failure may come from that: then the claim ends
        this transaction, and Odoo's retry finds the other's record."""
        if not work.binding_id:
            claimed = self.bindings._claim(self.installation, {work.document.key})
            self.bindings._release(list(claimed.values()))

    def _bind_new(self) -> None:
        """Bind the new records that were not claimed: one INSERT each, and no UPDATE after it."""
        rows = [
            (work.document.key, (work.record._name, *values), work)
            for work, values in sorted(self.unbound, key=lambda item: item[0].document.key)
        ]
        ids = self.bindings._insert(self.installation, [(*key, *values) for key, values, _work in rows])
        for key, _values, work in rows:
            work.binding_id = ids[key]

    # -- answers ---------------------------------------------------------------------------------------------------

    def _note(self, outcome: Outcome) -> None:
        match outcome:
            case Applied(work, status):
                self._accept(work, status)
            case Turned(work, status, refused):
                self.turned[work.document.key] = refused
                self._answer(work, results.refusal(self._raw(work), status, refused))
            case Absent(work, model):
                self._answer(work, results.answer(self._raw(work), "removed", model=model, res_id="0"))

    def _answer(self, work: Work, result: dict[str, Any]) -> None:
        self.answers[self.positions[work.document.key]] = result

    def _raw(self, work: Work) -> Mapping[str, Any]:
        return self.raws[self.positions[work.document.key]]

    def _accept(self, work: Work, status: str) -> None:
        document = work.document
        state = "tombstone" if status == "removed" else "active"
        self.bound[document.key] = (work.record._name, work.record.id, state)
        tenant_id = work.record.id if document.entity == "tenant" else work.tenant.id
        digest = document.digest if work.is_whole else ""
        version, sent = show_version(document.version), json.dumps(work.sent, sort_keys=True)
        if work.binding_id:
            self.applied.append((work.binding_id, tenant_id, work.record.id, version, digest, state, sent))
        else:
            self.unbound.append((work, (tenant_id, work.record.id, version, digest, sent)))
        self._answer(work, results.success(self._raw(work), status, work))
        if status == "created":
            self.created.append(work)

    def _report_new(self) -> None:
        """Mark new records that have something to report: triggers see only later changes."""
        for model, works in groupby(self.created, key=lambda work: work.record._name):
            self.env[model].browse([work.record.id for work in works])._comply360_recall()
        self.env.flush_all()
        news = [work.binding_id for work in self.created if work.record._comply360_has_news()]
        self.env["comply360.outbox"]._append(news, "upsert")


def _company(work: Work) -> int:
    return work.tenant.company_id.id if work.tenant else 0


def _as_refusal(error: Exception, work: Work) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, UserError):
        return Refused("refused", f"Odoo rejected the record: {' '.join(str(error).split())}")
    if isinstance(error, psycopg2.Error):
        column = getattr(error.diag, "column_name", None) or ""
        reason = (error.diag.message_primary or str(error)).strip()
        return Refused("refused", f"Odoo's database rejected the record: {reason}", column)
    # values are personal data, and an error's words may repeat them: log the key, the kind and the place alone
    places = "".join(traceback.format_tb(error.__traceback__))
    key = (work.document.entity, work.document.record_id)
    _logger.warning("%s %s could not be applied: %s at\n%s", *key, type(error).__name__, places)
    return Refused("failed", f"Odoo failed on this record ({type(error).__name__}); see Odoo's log")
