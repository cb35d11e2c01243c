"""Documents become records, in memory: versions, bases, references and contents by the rules of docs/wire.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.contract import addon
from tests.memory.odoo import MAPPERS, Bound, Key, Odoo, State, Values, sha256_of

Refused: Any = addon.mappers.Refused
COMES_LATER = ("parent_missing", "content_lacking")
NOTHING = sha256_of(b"")
CURRENCIES = {code: code for code in ("ZAR", "USD", "EUR", "GBP")}
COUNTRIES = {code: code for code in ("ZA", "ZW", "GB", "DE")}
ENDINGS = {"won": "won", "rejected": "lost", "cancelled": "lost"}


@dataclass
class Work:
    """One document, its binding, and what has become of it."""

    raw: Mapping[str, Any]
    document: Any
    bound: Bound
    translated: Any = None
    links: dict[str, int] = field(default_factory=dict)
    wanted: Values = field(default_factory=dict)
    skipped: list[Any] = field(default_factory=list)
    diverged: Values = field(default_factory=dict)
    normalised: Values = field(default_factory=dict)
    replaced: Values = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether the record is to be made; what was taken away on both sides is made anew."""
        return not self.bound.res_id or self.bound.state == "tombstone"


class Batch:
    """One call of `apply_batch`."""

    def __init__(self, odoo: Odoo, installation: str, raws: Sequence[Mapping[str, Any]], selftest: bool) -> None:
        self._odoo = odoo
        self._installation = installation
        self._raws = raws
        self._selftest = selftest
        self._newest = f"{odoo.state.epoch}.{odoo.newest}"

    @property
    def _state(self) -> State:
        return self._odoo.state

    def run(self) -> list[Values]:
        """Parents first; one answer per document, in the order of the documents."""
        answers: dict[int, Values] = {}
        parsed: dict[int, Any] = {}
        for place, raw in enumerate(self._raws):
            try:
                parsed[place] = self._parsed(raw, [document.key for document in parsed.values()])
            except Refused as refused:
                answers[place] = _refusal(raw, "retry" if refused.code == "busy" else "rejected", refused)
        order = {entity: number for number, entity in enumerate(MAPPERS)}
        for place in sorted(parsed, key=lambda place: (order[parsed[place].entity], place)):
            answers[place] = self._answer(self._raws[place], parsed[place])
        return [answers[place] for place in range(len(self._raws))]

    def _parsed(self, raw: Mapping[str, Any], known: Sequence[Any]) -> Any:
        document = addon.mappers.parse_document(raw)
        if document.entity not in MAPPERS:
            raise Refused("unknown_entity", f"this addon does not know {document.entity!r}", "entity", document.entity)
        if not MAPPERS[document.entity].rules:
            raise Refused("read_only", f"Odoo reports each {document.entity} to the app and takes none from it")
        if document.key in known:
            raise Refused("busy", "the record is named twice in this batch")
        return document

    def _answer(self, raw: Mapping[str, Any], document: Any) -> Values:
        key = (self._installation, *document.key)
        bound = self._state.bindings.get(key, Bound(MAPPERS[document.entity].model, 0))
        work = Work(raw, document, bound)
        if (bound.res_id or key in self._state.erased) and (answer := self._settled_before(work)):
            return answer
        if document.entity != "tenant" and not self._tenant(document.tenant):
            message = f"tenant {document.tenant} is not known in Odoo yet"
            return _refusal(raw, "retry", Refused("tenant_missing", message))
        try:
            return self._apply(key, work)
        except Refused as refused:
            return _refusal(raw, "retry" if refused.code in COMES_LATER else "rejected", refused)

    def _settled_before(self, work: Work) -> Values | None:
        """The answer where the binding alone says it."""
        bound, document = work.bound, work.document
        ids = {"model": bound.model, "res_id": str(bound.res_id)}
        if (self._installation, *document.key) in self._state.erased:
            return _answer(work.raw, "opted_out" if bound.state == "active" else "removed", **ids)
        if bound.state != "active" and MAPPERS[document.entity].removes(document):
            return _answer(work.raw, "removed", **ids)
        if bound.state in ("unlinked", "alias"):
            words = "was merged into another record" if bound.state == "alias" else "was deleted"
            refused = Refused("unlinked", f"the record {words} in Odoo; a person has to decide what becomes of it")
            return _refusal(work.raw, "rejected", refused)
        if bound.opted_out:
            return _answer(work.raw, "opted_out", **ids)
        if not bound.version:
            return None
        version = addon.document.parse_version(bound.version)
        if version > document.version:
            return {**_answer(work.raw, "stale", **ids), "version": bound.version}
        is_same = version == document.version and bound.state == "active"
        return _answer(work.raw, "unchanged", **ids) if is_same and bound.digest == document.digest else None

    def _tenant(self, tenant: str) -> Values | None:
        bound = self._state.bindings.get((self._installation, tenant, "tenant", tenant))
        return self._state.records.get((bound.model, bound.res_id)) if bound else None

    def _apply(self, key: Key, work: Work) -> Values:
        mapper = MAPPERS[work.document.entity]
        if mapper.removes(work.document):
            return self._remove(key, work)
        if not work.is_new and (work.bound.model, work.bound.res_id) not in self._state.records:
            self._state.bindings[key] = dataclasses.replace(work.bound, state="unlinked")
            raise Refused("unlinked", "the record was deleted in Odoo; a person has to decide")
        lookups = {"currency": CURRENCIES, "country": COUNTRIES, "user": self._people, "salesperson": self._people}
        work.translated = mapper.translate(work.document, lookups, work.is_new)
        work.skipped = list(work.translated.problems)
        work.links = self._links(mapper, work)
        given, rules = work.document.values(work.is_new), mapper.by_name
        codecs = {name: rules[name].codec for name in work.translated.values}
        work.wanted = {name: codec.decode(codec.encode(name, given[name])) for name, codec in codecs.items()}
        if work.document.entity == "document":
            self._check_place(work)
            self._check_content(key, work)
        status = self._create(key, work) if work.is_new else self._update(key, work)
        self._compare(key, work, status)
        return _success(work, status, self._state.bindings[key])

    @property
    def _people(self) -> dict[str, int]:
        return {str(number): number for number, _login in self._odoo.users}

    def _links(self, mapper: Any, work: Work) -> dict[str, int]:
        links = {}
        for reference in mapper.references:
            named = work.document.refs.get(reference.role)
            if named is None:
                if work.is_new and reference.required:
                    message = f"{reference.role} is missing, but Odoo needs it"
                    raise Refused("required", message, reference.role)
                continue
            try:
                links[reference.target] = self._resolved(reference, named, work.document.key)
            except Refused as refused:
                if reference.required:
                    raise
                work.skipped.append(addon.mappers.Problem(refused.field, refused.value, refused.code, refused.message))
        return links

    def _resolved(self, reference: Any, named: tuple[str, str, str], referrer: tuple[str, str, str]) -> int:
        bound = self._state.bindings.get((self._installation, *named))
        if bound is None or not bound.res_id:
            if self._tenants_with(named) - self._tenants_with(referrer):
                message = f"{reference.role} {named[2]} belongs to another tenant"
                raise Refused("foreign_tenant", message, reference.role, named[2])
            raise Refused("parent_missing", f"{reference.role} {named[2]} is not in Odoo yet", reference.role, named[2])
        if bound.state not in ("active", "alias"):
            raise Refused("unlinked", f"{reference.role} {named[2]} was deleted in Odoo", reference.role, named[2])
        return bound.res_id

    def _tenants_with(self, key: tuple[str, str, str]) -> set[str]:
        return {bound[1] for bound in self._state.bindings if bound[0] == self._installation and bound[2:] == key[1:]}

    # -- documents -------------------------------------------------------------------------------------------------

    def _check_place(self, work: Work) -> None:
        record = {} if work.is_new else self._state.records[work.bound.model, work.bound.res_id]
        if any((*work.links.values(), record.get("x_comply360_lead_id"), record.get("x_comply360_partner_id"))):
            return
        for problem in work.skipped:
            if problem.code == "unlinked":
                raise Refused(problem.code, problem.message, problem.field, problem.value)
        message = "neither the registration nor the customer of this document is in Odoo yet"
        raise Refused("parent_missing", message, "registration")

    def _check_content(self, key: Key, work: Work) -> None:
        sha256 = work.document.fields.get("sha256")
        stored = "" if work.is_new else sha256_of(self._state.files.get(work.bound.res_id, b""))
        handed_over = sha256_of(self._state.uploads.get(key, ("", b""))[1])
        if sha256 and sha256 not in (NOTHING, stored, handed_over):
            raise Refused("content_lacking", "Odoo does not have the content of this document yet", "sha256")

    def _take_content(self, key: Key, work: Work, res_id: int) -> None:
        sha256, content = self._state.uploads.get(key, ("", b""))
        if content and sha256 == work.document.fields.get("sha256"):
            self._state.files[res_id] = self._state.uploads.pop(key)[1]
        elif not work.document.fields.get("sha256", True):
            self._state.files.pop(res_id, None)

    def _remove(self, key: Key, work: Work) -> Values:
        if work.is_new:
            return _answer(work.raw, "removed", model=work.bound.model, res_id="0")
        self._state.records.pop((work.bound.model, work.bound.res_id), None)
        self._state.files.pop(work.bound.res_id, None)
        self._accept(key, work, work.bound.res_id, "tombstone", work.bound.sent)
        return _success(work, "removed", self._state.bindings[key])

    # -- writing ---------------------------------------------------------------------------------------------------

    def _create(self, key: Key, work: Work) -> str:
        mapper, res_id = MAPPERS[work.document.entity], self._odoo.new_id()
        values = {mapper.by_name[name].target: value for name, value in work.translated.values.items()}
        if work.document.entity == "registration":
            values["won_status"] = _outcome(work.wanted)
        if work.document.entity == "tenant" and self._selftest:
            values["selftest"] = True
        self._state.records[mapper.model, res_id] = {**values, **work.links}
        self._accept(key, work, res_id, "active", {})
        if work.document.entity == "document":
            self._take_content(key, work, res_id)
        if values.get("won_status") in ("won", "lost"):
            self._odoo.mark(self._state, [key], "upsert")
        return "created"

    def _update(self, key: Key, work: Work) -> str:
        place, rules = (work.bound.model, work.bound.res_id), MAPPERS[work.document.entity].by_name
        present = self._odoo.wire(work.document.entity, work.bound)
        values: Values = {}
        for name, wanted in work.wanted.items():
            if wanted == present[name]:
                continue
            if name in work.document.two_way and not self._may_write(work, name, present[name]):
                work.diverged[name] = present[name]
                continue
            values[rules[name].target] = work.translated.values[name]
            work.replaced[name] = present[name]
        record = self._state.records[place]
        values |= {target: res_id for target, res_id in work.links.items() if record.get(target) != res_id}
        outcome = record.get("won_status")
        if work.document.entity == "registration" and "status" in work.replaced:
            outcome = values["won_status"] = _outcome(work.wanted, str(outcome))
        self._state.records[place] = {**record, **values}
        if outcome != record.get("won_status"):
            self._odoo.mark(self._state, [key], "upsert")
        if work.document.entity == "document":
            self._take_content(key, work, work.bound.res_id)
        return "updated" if values or not work.bound.version else "unchanged"

    def _may_write(self, work: Work, name: str, present: Any) -> bool:
        """Over the base, and over what the app sent itself and does not know to be there; nothing else."""
        if present and present == MAPPERS[work.document.entity].by_name[name].final:
            return False
        if work.document.two_way[name].is_offer:
            return not present
        base, sent = _base(work, name), work.bound.sent.get(name)
        if present == base:
            return True
        if not sent or sent["base"] != base or sent["value"] != present:
            return False
        is_unseen: bool = addon.document.parse_version(sent["version"]) >= work.document.last_seen_version
        return is_unseen

    def _compare(self, key: Key, work: Work, status: str) -> None:
        """Note where Odoo shows something else than was sent, and what the app has sent."""
        present = self._odoo.wire(work.document.entity, self._state.bindings.get(key, work.bound))
        sent = {} if work.is_new else dict(work.bound.sent)
        for name, wanted in work.wanted.items():
            if name in work.diverged:
                continue
            if present[name] != wanted:
                work.normalised[name] = present[name]
            if name in work.document.two_way and not work.document.two_way[name].is_offer:
                sent[name] = {"base": _base(work, name), "value": present[name], "version": self._newest}
        res_id = self._state.bindings[key].res_id if status == "created" else work.bound.res_id
        self._accept(key, work, res_id, "active", sent)

    def _accept(self, key: Key, work: Work, res_id: int, state: str, sent: Mapping[str, Any]) -> None:
        is_whole = not (work.skipped or work.diverged or work.normalised)
        self._state.bindings[key] = Bound(
            work.bound.model,
            res_id,
            state,
            addon.document.show_version(work.document.version),
            work.document.digest if is_whole else "",
            False,
            sent,
            self._odoo.clock.now,
        )


def _base(work: Work, name: str) -> Any:
    base = work.document.two_way[name].base
    return "" if base is None else base


def _outcome(wanted: Values, present: str = "pending") -> str:
    """What becomes of a lead by the app's status; between open ones what a salesperson decided stands."""
    position = addon.registration.position(wanted["status"], wanted.get("active", True)).value
    return ENDINGS.get(position, present)


def _answer(raw: Mapping[str, Any], status: str, **more: Any) -> Values:
    named = {name: str(raw.get(name, "")) for name in ("tenant", "entity", "record_id", "version")}
    return {**named, "status": status, **{name: value for name, value in more.items() if value}}


def _refusal(raw: Mapping[str, Any], status: str, refused: Any) -> Values:
    return _answer(raw, status, code=refused.code, message=refused.message, field=refused.field, value=refused.value)


def _success(work: Work, status: str, bound: Bound) -> Values:
    skipped = [
        {"field": item.field, "value": item.value, "code": item.code, "message": item.message} for item in work.skipped
    ]
    ids = {"model": bound.model, "res_id": str(bound.res_id)}
    found = {"diverged": work.diverged, "normalised": work.normalised, "replaced": work.replaced}
    return _answer(work.raw, status, **ids, skipped=skipped, **found)
