from odoo import api, models
from odoo.exceptions import UserError

from ..mappers.document import printable


class Comply360Bridge(models.AbstractModel):
    """Odoo's users, for links with users of the app."""

    _inherit = "comply360.bridge"

    @api.model
    def internal_users(self, after, limit):
        """Active internal users in the order of their ids, from which links with users of the app are proposed."""
        self._check_service()
        if after and not str(after).isdecimal():
            raise UserError(self.env._("%(given)s is not a user id.", given=printable(after)))
        most, beyond = self._limit(limit), self._number(after or 0, "after")
        found = self._superuser().env["res.users"]._comply360_people(beyond, most + 1)
        rows = [
            {"id": str(user.id), "login": user.login, "name": user.name or "", "email": user.email or ""}
            for user in found[:most]
        ]
        return {"users": rows, "more": len(found) > most}
