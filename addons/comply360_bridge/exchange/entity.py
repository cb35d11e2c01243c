"""Writes the documents of one entity and company together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..mappers import Mapper, Problem, Refused
from ..mappers.codec import Amount, Code, Person
from ..mappers.document import Key, parse_version
from .trail import leave_trail
from .work import CREATED, Absent, Applied, Bound, Outcome, Turned, Work

_COMES_LATER = ("parent_missing", "content_lacking")


class EntityWriter:
    """Writes works of one entity for one company (0: the default one).

    Shapes: `bound` are the records that documents may refer to, `turned` those of the same batch that were not applied
    and why, `newest` is the newest version of Odoo's own.
    """

    def __init__(
        self,
        env: Any,
        installation: str,
        mapper: Mapper,
        company_id: int,
        bound: Mapping[Key, Bound],
        turned: Mapping[Key, Refused],
        newest: str,
    ) -> None:
        if company_id:
            env = env(context={**env.context, "allowed_company_ids": [company_id]})
        self.env = env
        self.installation = installation
        self.mapper = mapper
        self.bound = bound
        self.turned = turned
        self.newest = newest
        self.model = env[mapper.model]
        self.mappers: dict[int, Mapper] = {}
        self.lookups = _lookups(env, mapper)

    def apply(self, works: list[Work]) -> list[Outcome]:
        """Write all; gives the outcome of each.

        Raises: whatever Odoo raises; the caller rolls back and retries with fewer.
        """
        for work in works:
            work.begin(self._mapper_of(work))
        removing = [work for work in works if self.mapper.removes(work.document)]
        self._begin_own(removing)
        removed = self._remove(removing)
        present, ended = self._existing([work for work in works if not self.mapper.removes(work.document)])
        legible, unreadable = self._translated(present)
        ready, lacking = self._without_lacking(legible)
        self._read_parents(ready)
        self._begin_own(ready)
        new, proposed = self._without_proposals([work for work in ready if work.creating])
        written = self._create(new) + self._update([work for work in ready if not work.creating])
        self.env.flush_all()
        self._begin_own([])
        for outcome in written:
            self._compare(outcome.work)
        leave_trail(self.model, [outcome.work for outcome in written])
        return [*removed, *ended, *unreadable, *lacking, *proposed, *written]

    def _mapper_of(self, work: Work) -> Mapper:
        if not work.tenant:
            return self.mapper
        if work.tenant.id not in self.mappers:
            self.mappers[work.tenant.id] = work.tenant._comply360_mapper(self.mapper)
        return self.mappers[work.tenant.id]

    def _begin_own(self, works: list[Work]) -> None:
        """Leave these works' records unmarked; whatever else Odoo changes is marked."""
        self.env["comply360.outbox"]._begin_own([work.binding_id for work in works])

    # -- reading the documents -------------------------------------------------------------------------------------

    def _existing(self, works: list[Work]) -> tuple[list[Work], list[Turned]]:
        bound = self.model.browse([work.res_id for work in works if not work.creating])
        alive = set(bound.exists().ids)
        gone = [work for work in works if not work.creating and work.res_id not in alive]
        self.env["comply360.binding"]._mark_unlinked([work.binding_id for work in gone])
        refused = Refused("unlinked", "the record was deleted in Odoo; a user must decide what happens to it")
        return [work for work in works if work not in gone], [Turned(work, "rejected", refused) for work in gone]

    def _translated(self, works: list[Work]) -> tuple[list[Work], list[Turned]]:
        """Translate the documents into their works; gives those that can be applied, and the others with the reason."""
        legible, unreadable = [], []
        for work in works:
            try:
                self._translate(work)
            except Refused as refused:
                unreadable.append(_put_off(work, refused))
            else:
                legible.append(work)
        return legible, unreadable

    def _translate(self, work: Work) -> None:
        work.translation = work.mapper.translate(work.document, self.lookups, work.creating)
        work.skipped = list(work.translation.problems)
        work.values = self._links(work)
        rules, given = work.mapper.by_name, work.document.values(work.creating)
        work.wanted = {
            name: _wanted(rules[name].codec, name, given[name], value)
            for name, value in work.translation.values.items()
        }

    def _links(self, work: Work) -> dict[str, int]:
        links = {}
        for reference in self.mapper.references:
            key = work.document.refs.get(reference.role)
            if key is None:
                if work.creating and reference.required:
                    message = f"{reference.role} is missing, but Odoo requires it"
                    raise Refused("required", message, reference.role)
                continue
            try:
                links[reference.target] = self._resolve(reference.role, reference.entity, key, work.document.key)
            except Refused as refused:
                if reference.required:
                    raise
                work.skipped.append(Problem(refused.field, refused.value, refused.code, refused.message))
        return links

    def _resolve(self, role: str, entity: str, key: Key, referrer: Key) -> int:
        if key[1] != entity:
            raise Refused("bad_document", f"{role} must be a {entity}, not a {key[1]}", role, key[1])
        found = self.bound.get(key)
        if found is None:
            if cause := self.turned.get(key):
                message = f"{role} {key[2]} is not in Odoo ({cause.code}): {cause.message}"
                raise Refused("parent_missing", message, role, key[2])
            if self.env["comply360.binding"]._is_foreign(self.installation, key, referrer):
                message = f"{role} {key[2]} belongs to another tenant"
                raise Refused("foreign_tenant", message, role, key[2])
            raise Refused("parent_missing", f"{role} {key[2]} is not in Odoo yet", role, key[2])
        _model, res_id, state = found
        if state not in ("active", "alias"):
            raise Refused("unlinked", f"{role} {key[2]} was deleted in Odoo", role, key[2])
        return res_id

    def _without_proposals(self, works: list[Work]) -> tuple[list[Work], list[Turned]]:
        """The works to create now, and those where Odoo may already have the record: a user decides first."""
        proposed = self.model._comply360_proposals(self.mapper.entity, self.installation, works)
        turned = []
        for work in works:
            if link := proposed.get(work.document.key):
                names = ", ".join(link.candidate_ids.mapped("display_name"))
                message = f"Odoo already has {names}; a user must decide there whether it is the same customer"
                turned.append(Turned(work, "rejected", Refused("link_proposed", message)))
        return [work for work in works if work.document.key not in proposed], turned

    def _read_parents(self, works: list[Work]) -> None:
        """Prefetch the records the works refer to; Odoo's checks would read them one by one."""
        for reference in self.mapper.references:
            ids = {work.values[reference.target] for work in works if reference.target in work.values}
            self.model[reference.target].browse(ids).mapped("company_id")

    def _without_lacking(self, works: list[Work]) -> tuple[list[Work], list[Turned]]:
        """The works that have everything they need besides their fields, such as a content, and the others."""
        lacking = self.model._comply360_lacking(self.installation, works)
        turned = [_put_off(work, refused) for work in works if (refused := lacking.get(work.document.key))]
        return [work for work in works if work.document.key not in lacking], turned

    def _remove(self, works: list[Work]) -> list[Outcome]:
        """Delete what the app deleted; records that never arrived need nothing."""
        for work in works:
            work.record = self.model.browse(work.res_id)
        there = [work for work in works if not work.creating]
        self.model.browse([work.res_id for work in there]).exists()._comply360_remove()
        return [Absent(work, self.mapper.model) if work.creating else Applied(work, "removed") for work in works]

    # -- writing ---------------------------------------------------------------------------------------------------

    def _create(self, works: list[Work]) -> list[Applied]:
        if not works:
            return []
        defaults_of: dict[int, dict[str, Any]] = {}
        vals_list = []
        for work in works:
            if work.tenant.id not in defaults_of:
                defaults_of[work.tenant.id] = self.model._comply360_defaults(self.mapper.entity, work.tenant)
            defaults = defaults_of[work.tenant.id]
            rules = work.mapper.by_name
            values = {rules[name].target: value for name, value in work.translation.values.items()}
            values.update(work.values, **self.model._comply360_key_values(work.tenant, work.document.key))
            vals_list.append(self.model._comply360_derive(self.mapper.entity, values, defaults))
        # nothing links these records yet
        model = self.model.with_context(comply360_created=CREATED)
        records = model._comply360_create(vals_list).with_env(self.env)
        for work, record in zip(works, records, strict=True):
            work.record = record
        self.model._comply360_written(self.mapper.entity, list(zip(records, vals_list, strict=True)))
        return [Applied(work, "created") for work in works]

    def _update(self, works: list[Work]) -> list[Applied]:
        records = self.model.browse([work.res_id for work in works])
        defaults_of: dict[int, dict[str, Any]] = {}
        updated = []
        written = []
        restored = self.model
        for work, record in zip(works, records, strict=True):
            work.record = record
            values = self._changes(work)
            if values:
                if work.tenant.id not in defaults_of:
                    defaults_of[work.tenant.id] = self.model._comply360_defaults(self.mapper.entity, work.tenant)
                values = record._comply360_derive(self.mapper.entity, values, defaults_of[work.tenant.id])
            strayed = work.is_restored or record._comply360_deviations(work.tenant, work.document.key)
            if strayed:
                values = {**values, **record._comply360_restored(work.tenant, work.document.key)}
                restored |= record
            if values or strayed:
                written.append((record, values))
            updated.append(Applied(work, "updated" if values or strayed or work.is_relinked else "unchanged"))
        self._write(records, written)
        self.model._comply360_written(self.mapper.entity, written)
        restored._comply360_come_back()
        return updated

    def _write(self, records: Any, written: list[tuple[Any, dict[str, Any]]]) -> None:
        """One write per group of equal values.

        Where the model says so, values that many records share are written separately: moving a lead through the
        pipeline costs several queries per write.
        """
        apart = self.model._comply360_apart
        for part in (lambda name: name not in apart, lambda name: name in apart):
            groups: dict[Any, tuple[dict[str, Any], list[int]]] = {}
            for record, values in written:
                chosen = {name: value for name, value in values.items() if part(name)}
                if chosen:
                    key = tuple(sorted((name, repr(value)) for name, value in chosen.items()))
                    groups.setdefault(key, (chosen, []))[1].append(record.id)
            for values, ids in groups.values():
                # without the common prefetch each group would read its records alone
                self.model.browse(ids).with_prefetch(records._prefetch_ids).write(dict(values))

    def _changes(self, work: Work) -> dict[str, Any]:
        present, rules = work.mapper.wire(work.record._comply360_row(work.mapper)), work.mapper.by_name
        values = {}
        for name, wanted in work.wanted.items():
            if wanted == present[name]:
                continue
            if name in work.document.two_way and not self._may_write(work, name, present[name]):
                work.diverged[name] = present[name]
                continue
            values[rules[name].target] = work.translation.values[name]
            work.replaced[name] = present[name]
        for target, res_id in work.values.items():
            if work.record[target].id != res_id:
                values[target] = res_id
        if work.document.is_live:
            work.former = {target: work.record[target] for target in values}
        return values

    def _may_write(self, work: Work, name: str, present: Any) -> bool:
        """Whether a two-way field may be overwritten: if Odoo has the base, or the value the app sent last and has had
        no answer for. In the second case the app still sends the same base, and has seen no later change of Odoo's."""
        if present and present == work.mapper.by_name[name].final:
            return False
        if work.document.two_way[name].is_offer:
            return not present
        base, sent = _base(work, name), work.sent_before.get(name)
        if present == base:
            return True
        is_unseen = (
            bool(sent) and sent["base"] == base and parse_version(sent["version"]) >= work.document.last_seen_version
        )
        return is_unseen and sent["value"] == present

    def _compare(self, work: Work) -> None:
        """Record where Odoo stored another value than was sent.

        Raises: Refused for an amount, which is stored exactly or not at all.
        """
        present, rules = work.mapper.wire(work.record._comply360_row(work.mapper)), work.mapper.by_name
        # what a commission's bill paid as soon as the app's values allowed it is Odoo's own change
        is_final = any(
            rule.final and work.wanted.get(name) != present[name] == rule.final for name, rule in rules.items()
        )
        for name, wanted in work.wanted.items():
            if is_final and name in work.document.two_way and present[name] != wanted:
                work.diverged[name] = present[name]
            if name in work.diverged:
                continue
            if present[name] != wanted:
                if isinstance(rules[name].codec, Amount):
                    message = f"{name} is {wanted}, but Odoo would store {present[name]}"
                    raise Refused("bad_amount", message, name, str(wanted))
                work.normalised[name] = present[name]
            if name in work.document.two_way and not work.document.two_way[name].is_offer:
                work.sent[name] = {"base": _base(work, name), "value": present[name], "version": self.newest}


def _wanted(codec: Any, name: str, given: Any, value: Any) -> Any:
    """A value as Odoo will show it; `value` is its translation, which names a record by id."""
    return codec.decode(codec.encode(name, given) if isinstance(codec, Code | Person) else value)


def _put_off(work: Work, refused: Refused) -> Turned:
    """Give `retry` if the missing part will arrive by itself, else `rejected`."""
    return Turned(work, "retry" if refused.code in _COMES_LATER else "rejected", refused)


def _base(work: Work, name: str) -> Any:
    base = work.document.two_way[name].base
    return "" if base is None else base


def _lookups(env: Any, mapper: Mapper) -> dict[str, dict[str, Any]]:
    """Ids by code of the records that the entity's documents name by code."""
    found = {}
    for rule in mapper.rules:
        if isinstance(rule.codec, Person):
            found[rule.codec.lookup] = env["res.users"]._comply360_named(rule.codec.lookup)
        elif isinstance(rule.codec, Code) and rule.codec.lookup == "currency":
            found["currency"] = {
                currency.name: currency.id for currency in env["res.currency"].search([("active", "=", True)])
            }
        elif isinstance(rule.codec, Code):
            found["country"] = {country.code: country.id for country in env["res.country"].search([])}
    return found
