import logging

from odoo import api, models
from odoo.tools import SQL

_logger = logging.getLogger(__name__)


class Comply360Record(models.AbstractModel):
    """What `apply_batch` needs from a model that has a counterpart in the app."""

    _name = "comply360.record"
    _description = "Record of the Comply360 App"
    # fields whose changes many records of a batch share: they are written separately
    _comply360_apart = frozenset()
    # whether a new record is bound when it is there; others are claimed before they are created
    _comply360_is_bound_late = False
    # stored computed fields whose value of a new record is foreseen, by the module whose compute is known
    _comply360_foreseeable = {}
    # of those, what Odoo computes of one record in a batch: what is foreseen is certain, and follows from this field
    _comply360_certain = {}
    # those that Odoo's compute empties before it assigns them: it would write what is there already
    _comply360_assigned_twice = frozenset()
    # fields whose value is stored outside their column
    _comply360_elsewhere = frozenset()

    @api.model
    def _comply360_key_values(self, tenant, key):
        """Values that identify the app record; `tenant` is the tenant's record."""
        return {}

    @api.model
    def _comply360_twins(self, bindings):
        """By binding, the ids of other records of its tenant or of none that carry its app id: copies of its record."""
        return {}

    @api.model
    def _comply360_has_twin(self):
        """`_comply360_twins` as an SQL condition on the binding `p`."""
        return SQL("FALSE")

    @api.model
    def _comply360_carries_identity(self, tenant, entity):
        """Whether the record `t` carries the identity that its binding `p` says, as an SQL condition."""
        return SQL("TRUE")

    def _comply360_deviations(self, tenant, key):
        """What documents do not say about this record and is not as the bridge keeps it.

        Shapes: field, present value and right value of each, all as text; `key` as in `_comply360_key_values`.
        """
        return []

    def _comply360_restored(self, tenant, key):
        """The values that undo the deviations of this record."""
        return {}

    @api.model
    def _comply360_restore_identities(self, installation, entity, works):
        """Give the works' records their identity back; the ids of those that had lost it."""
        return []

    def _comply360_come_back(self):
        """Restore what depends on these records' identity, which was changed and is restored."""

    def _comply360_shown_of_survivor(self, mapper):
        """The fields, by wire name, that show values of a record into which others were merged."""
        return frozenset()

    @api.model
    def _comply360_proposals(self, entity, installation, works):
        """By key, the open proposals for new records that Odoo may already have."""
        return {}

    @api.model
    def _comply360_defaults(self, entity, tenant):
        """All defaults of a new record, so that Odoo does not look them up record by record."""
        return {}

    def _comply360_derive(self, entity, values, defaults):
        """Complete the values of a new record (`self` is empty) or the changes of `self`."""
        return values

    @api.model
    def _comply360_create(self, vals_list):
        """Create records, with the foreseen values of computed fields already in the INSERT.

        Odoo computes most of them all the same, and writes what differs: a value that was foreseen wrongly costs an
        UPDATE. That needs fields that a given value does not protect from being computed, and computes that assign
        whatever the field had; of any other compute nothing is foreseen.
        """
        known = self._comply360_foreseen_fields()
        foreseen = self._comply360_foreseen(vals_list) if known else [{} for _ in vals_list]
        records = self.create(
            [
                {**{name: value for name, value in one.items() if name in known}, **values}
                for one, values in zip(foreseen, vals_list, strict=True)
            ]
        )
        records._comply360_spare(known & self._comply360_certain.keys(), foreseen, vals_list)
        for name in known & self._comply360_assigned_twice:
            records._comply360_leave_stored(name)
        return records

    def _comply360_spare(self, names, foreseen, vals_list):
        """Compute these fields of one new record; of the others only where that one is not what was foreseen."""
        for name in names:
            field, source = self._fields[name], self._comply360_certain[name]
            certain = [
                (record.id, one[name])
                for record, one, values in zip(self, foreseen, vals_list, strict=True)
                # code of another module may have given the record another value than it was created with
                if name in one and record[source] == values.get(source)
            ]
            if not certain:
                continue
            sample, others = self.browse(certain[0][0]), self.browse([record_id for record_id, _ in certain[1:]])
            self.env.remove_to_compute(field, others)
            sample._recompute_recordset([name])
            if sample[name] != certain[0][1]:
                _logger.warning("%s.%s is computed otherwise than Odoo does by itself", self._name, name)
                self.env.add_to_compute(field, others)

    def _comply360_leave_stored(self, name):
        """Compute this text now, and write it only where the row has another one."""
        self._recompute_recordset([name])
        field, dirty = self._fields[name], self.env._field_dirty
        ids = [record_id for record_id in self._ids if record_id in dirty.get(field, ())]
        if ids:
            rows = self.env.execute_query(
                SQL("SELECT id, %s FROM %s WHERE id = ANY(%s)", SQL.identifier(name), SQL.identifier(self._table), ids)
            )
            dirty[field] -= {
                record_id
                for record_id, stored in rows
                if stored == field.get_column_update(self.browse(record_id).with_prefetch(self._ids))
            }

    @api.model
    def _comply360_foreseen_fields(self):
        return frozenset(
            name for name, module in self._comply360_foreseeable.items() if self._comply360_is_computed_by(name, module)
        )

    @api.model
    def _comply360_is_computed_by(self, name, module):
        field = self._fields.get(name)
        if field is None or not (field.store and field.readonly and isinstance(field.compute, str)) or field.precompute:
            return False
        return getattr(getattr(type(self), field.compute, None), "__module__", "") == f"odoo.addons.{module}"

    @api.model
    def _comply360_foreseen(self, vals_list):
        """Per new record, what Odoo will probably compute."""
        return [{} for _ in vals_list]

    @api.model
    def _comply360_written(self, entity, changes):
        """Called once per batch with the (record, values) pairs that were created or changed."""

    @api.model
    def _comply360_lacking(self, installation, works):
        """By key, the reasons why works cannot be applied yet."""
        return {}

    def _comply360_recall(self):
        """Give new records what an uninstall kept of them; called after their documents were applied."""

    def _comply360_has_news(self):
        """Whether a new record has something to report to the app."""
        return False

    def _comply360_remove(self):
        """Delete these records, as the app did; called only for entities that are not archived."""
        self.unlink()

    def _comply360_row(self, mapper):
        """The record's values by target; records as their code, users as their id."""
        self.ensure_one()
        return {rule.target: self._comply360_value(rule) for rule in mapper.rules}

    def _comply360_report(self, mapper):
        """The record's reported values by target."""
        self.ensure_one()
        return {rule.target: self._comply360_value(rule) for rule in mapper.reported}

    def _comply360_value(self, rule):
        value = self[rule.target]
        if isinstance(value, models.BaseModel):
            if value._name == "res.users":
                return value.id
            return value[self._comply360_named_by(value)]
        return value

    @api.model
    def _comply360_named_by(self, model):
        """The field that names a model's records on the wire."""
        return "code" if model._name == "res.country" else "name"
