from odoo import Command, api, models, tools
from odoo.exceptions import AccessError

ADDON = "comply360_bridge"
# a default reaches every model that is created on the way: users may set this one on invoices
LEFT_TO_OTHERS = frozenset({"x_comply360_lead_id"})


class Comply360Guarded(models.AbstractModel):
    """Refuses users the addon's fields, whichever way they are written, except those listed as the users' own.

    Only the superuser, as which the bridge writes, may set the others. A value that is there already may be sent again.
    """

    _name = "comply360.guarded"
    _description = "Record with Fields that Only the Bridge Sets"
    # the addon's fields that users may set, and the group it takes (empty: anybody who may write the record)
    _comply360_users_own = {}

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse users the fields that only the bridge sets."""
        if not self.env.su:
            self._comply360_refuse_defaults()
            for vals in vals_list:
                self._comply360_refuse_new(vals)
        return super().create(vals_list)

    def write(self, vals):
        """Refuse users the fields that only the bridge sets, unless their values stay as they are."""
        if not self.env.su:
            self._comply360_refuse_changes(vals)
        return super().write(vals)

    @api.model
    def default_get(self, fields):
        """Take defaults of guarded fields from the field alone, not from the context or what a user saved."""
        guarded = self._comply360_guarded().keys() & set(fields)
        if not guarded:
            return super().default_get(fields)
        found = super().default_get([name for name in fields if name not in guarded])
        for name in guarded:
            if default := self._fields[name].default:
                found[name] = self._comply360_plain(self._fields[name], default(self))
        return found

    @api.model
    @tools.ormcache()
    def _comply360_guarded(self):
        """By name, the group that may set each of the addon's fields; False if only the bridge may.

        Fields that anybody may set are left out.
        """
        found = {}
        for name, field in self._fields.items():
            owner = self.env[field.related_field.model_name] if field.inherited else self
            if ADDON in field._modules and name not in models.MAGIC_COLUMNS:
                found[name] = getattr(owner, "_comply360_users_own", {}).get(name, False)
        return {name: group for name, group in found.items() if group != ""}

    def _comply360_closed(self, names):
        """Those of these fields that the user may not set."""
        guarded = self._comply360_guarded()
        closed = [name for name in names if name in guarded]
        return [name for name in closed if not (guarded[name] and self.env.user.has_group(guarded[name]))]

    def _comply360_refuse_defaults(self):
        given = [key.removeprefix("default_") for key in self.env.context if key.startswith("default_")]
        for name in self._comply360_closed(given):
            value = self.env.context[f"default_{name}"]
            if name not in LEFT_TO_OTHERS and not self._comply360_is_default(name, value):
                raise self._comply360_forbidden(name, value)

    def _comply360_refuse_new(self, vals):
        for name in self._comply360_closed(vals):
            if not self._comply360_is_default(name, vals[name]) and not self._comply360_may_create(name, vals):
                raise self._comply360_forbidden(name, vals[name])

    def _comply360_refuse_changes(self, vals):
        if closed := self._comply360_closed(vals):
            # the refusal names the record, which only those who may write it should read
            self.check_access("write")
            for name in closed:
                for record in self.sudo():
                    if not record._comply360_has(name, vals[name]):
                        raise record._comply360_forbidden(name, vals[name])

    @api.model
    def _comply360_may_create(self, name, vals):
        """Whether users may set a guarded field of this new record all the same."""
        return False

    def _comply360_is_default(self, name, value):
        field = self._fields[name]
        own = self._comply360_plain(field, field.default(self)) if field.default else False
        return (value or False) == (own or False)

    def _comply360_has(self, name, value):
        """Whether a field has this value, as users send it."""
        field, present = self._fields[name], self[name]
        if field.type in ("one2many", "many2many"):
            return all(_leaves(command, set(present.ids)) for command in value or ())
        given = field.convert_to_cache(value, self, validate=False)
        return (given or False) == (field.convert_to_cache(present, self, validate=False) or False)

    def _comply360_plain(self, field, value):
        cached = field.convert_to_cache(value, self, validate=False)
        return field.convert_to_write(field.convert_to_record(cached, self), self)

    def _comply360_forbidden(self, name, value):
        values = {
            "field": f"{self._fields[name].get_description(self.env, ['string'])['string']} ({name})",
            "value": value,
            "record": self.display_name if self else self.env._("a new record"),
            "model": self._description,
        }
        if group := self._comply360_guarded()[name]:
            return AccessError(
                self.env._(
                    "Only members of the group %(group)s may set %(field)s of %(record)s (%(model)s) to %(value)s.",
                    group=self.env.ref(group).sudo().full_name,
                    **values,
                )
            )
        return AccessError(
            self.env._("Only the Comply360 bridge may set %(field)s of %(record)s (%(model)s) to %(value)s.", **values)
        )


def _leaves(command, ids):
    """Whether an x2many command leaves these ids as they are; an update writes the other record as the user."""
    if not isinstance(command, (list, tuple)):
        return command in ids
    match command[0]:
        case Command.UPDATE | Command.LINK:
            return command[1] in ids
        case Command.SET:
            return set(command[2]) == ids
        case Command.CLEAR:
            return not ids
    return False
