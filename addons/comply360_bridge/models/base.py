from odoo import api, models
from odoo.fields import Command

from .tenant_rules import is_walled


class Base(models.AbstractModel):
    """Users limited to tenants name no other tenant's record, in any field of any model."""

    _inherit = "base"

    @api.model_create_multi
    def create(self, vals_list):
        if self._comply360_is_limited():
            for vals in vals_list:
                self._comply360_check_named(vals)
        return super().create(vals_list)

    def write(self, vals):
        if self._comply360_is_limited():
            self._comply360_check_named(vals)
        return super().write(vals)

    def onchange(self, values, field_names, fields_spec):
        """Refuse a foreign record before its values are copied: Odoo computes them as the superuser."""
        if self._comply360_is_limited():
            context = self.env.context
            defaults = {name: context[f"default_{name}"] for name in self._fields if f"default_{name}" in context}
            self._comply360_check_named(defaults | values)
        return super().onchange(values, field_names, fields_spec)

    @api.model
    def _comply360_is_limited(self):
        return not self.env.su and self.env.user._comply360_limit() is not None

    @api.model
    def _comply360_check_named(self, vals):
        """Raise AccessError if the values name a record of a tenant that the user may not see."""
        for name, value in vals.items():
            field = self._fields.get(name)
            if not (field and field.relational and value):
                continue
            comodel = self.env[field.comodel_name]
            for nested in _created(value):
                comodel._comply360_check_named(nested)
            if is_walled(field.comodel_name):
                self.env["res.users"]._comply360_check_seen(comodel.browse(_ids(field, value)))


def _created(value):
    """The values of records that x2many commands create or change."""
    commands = value if isinstance(value, list | tuple) else []
    return [
        command[2]
        for command in commands
        if isinstance(command, list | tuple) and len(command) == 3 and isinstance(command[2], dict)
    ]


def _ids(field, value):
    if field.type == "many2one":
        value = value.get("id") if isinstance(value, dict) else value
        return [value] if isinstance(value, int) else []
    found = []
    for command in value if isinstance(value, list | tuple) else ():
        if isinstance(command, int):
            found.append(command)
        elif isinstance(command, list | tuple) and command:
            if command[0] in (Command.UPDATE, Command.LINK) and len(command) > 1:
                found.append(command[1])
            elif command[0] == Command.SET:
                found.extend(command[2])
    return [number for number in found if isinstance(number, int)]
