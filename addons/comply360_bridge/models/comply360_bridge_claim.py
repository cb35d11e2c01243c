from odoo import api, models
from odoo.exceptions import UserError

from ..mappers.document import is_uuid, printable
from .comply360_bridge import LARGEST_ID, instant

LONGEST_HOLDER = 200


class Comply360Bridge(models.AbstractModel):
    """Which database works as an app installation; a copy of it does not have the last token."""

    _inherit = "comply360.bridge"

    @api.model
    def claim(self, installation, claim):
        """Take the place of the database's last token by its next one; without a next one only compare."""
        self._check_service()
        own = self._superuser().env["comply360.claim"]
        installation = self._installation_of(installation)
        shown, following = self._token(claim.get("token")), self._token(claim.get("next"), may_lack=True)
        number = self._number(claim.get("number"), "number", LARGEST_ID - 1)
        instance = printable(str(claim.get("instance", "")))[:LONGEST_HOLDER]
        holder = printable(str(claim.get("holder", "")))[:LONGEST_HOLDER]
        if claim.get("renew") is True:
            taken = own._take(
                installation, instance, shown, following or shown, number, holder, claim.get("anyway") is True
            )
            if taken:
                return {"held": True, "number": str(taken), "holder": holder, "at": ""}
        present = own._present(installation, instance)
        if present is None:
            return {"held": True, "number": str(number), "holder": "", "at": ""}
        found, token, name, seen = present
        return {
            "held": token in (shown, following),
            "number": str(found),
            "holder": name,
            "at": instant(seen),
        }

    def _token(self, given, may_lack=False):
        if (may_lack and not given) or is_uuid(given):
            return given or ""
        raise UserError(self.env._("A token must be a UUID, not %(given)s.", given=printable(given)))
