from odoo import api, models
from odoo.tools import SQL


class Comply360Record(models.AbstractModel):
    """What `apply_batch` asks of a model that has a counterpart in the app."""

    _name = "comply360.record"
    _description = "Record of the Comply360 app"
    # fields whose changes many records of a batch share; they are written apart from the others
    _comply360_apart = frozenset()
    # fields whose value is not that of their column
    _comply360_elsewhere = frozenset()

    @api.model
    def _comply360_key_values(self, tenant, key):
        """Values that name the record of the app; `tenant` is the tenant's record."""
        return {}

    @api.model
    def _comply360_twins(self, bindings):
        """By the app's id, other records that carry it as their own: somebody doubled a record."""
        return {}

    @api.model
    def _comply360_has_twin(self):
        """The same as a condition on the binding `p`."""
        return SQL("FALSE")

    @api.model
    def _comply360_proposals(self, entity, installation, works):
        """By key, the open proposals for those new records that may be here already, made by people."""
        return {}

    @api.model
    def _comply360_defaults(self, entity, tenant):
        """Every default of a new record, so that Odoo need not look them up per record."""
        return {}

    def _comply360_derive(self, entity, values, defaults):
        """Complete the values for a new record (`self` is empty) or for the changes of `self`."""
        return values

    @api.model
    def _comply360_create(self, vals_list):
        return self.create(vals_list)

    @api.model
    def _comply360_written(self, entity, changes):
        """Called once per batch with (record, values) of everything that was created or changed."""

    @api.model
    def _comply360_lacking(self, installation, works):
        """By key, why some of these works cannot be applied yet."""
        return {}

    def _comply360_has_news(self):
        """Whether there is something to tell the app of a record that was just made."""
        return False

    def _comply360_remove(self):
        """Take these records away, as the app did; only asked of entities that are not archived."""
        self.unlink()

    def _comply360_row(self, mapper):
        """The record's present values by target; records are given as their code, users as their id."""
        self.ensure_one()
        return {rule.target: self._comply360_value(rule) for rule in mapper.rules}

    def _comply360_report(self, mapper):
        """The same of what Odoo tells the app and never takes from it."""
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
        """The field by which records of a model are named on the wire."""
        return "code" if model._name == "res.country" else "name"
