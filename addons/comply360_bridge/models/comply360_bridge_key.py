from datetime import timedelta

from odoo import api, fields, models
from odoo.addons.base.models.res_users import KEY_CRYPT_CONTEXT
from odoo.exceptions import AccessError, UserError

from .comply360_bridge import KEY_SCOPE, instant


class Comply360Bridge(models.AbstractModel):
    """The API keys of the bridge's user. Only for system administrators."""

    _inherit = "comply360.bridge"

    @api.model
    def issue_key(self, login, installation=""):
        """Issue a new API key for the bridge's user; it is shown only once. Only for system administrators.

        The user may then call for that installation only; without one, for the same as before.
        """
        user = self._service_user(login)
        if installation:
            user.x_comply360_installation = self._uuid_of(installation)
        days = max(user.all_group_ids.mapped("api_key_duration"))
        expires = fields.Datetime.now() + timedelta(days=days)
        # a user without a password cannot create a key and nobody else may: an administrator creates it here
        key = self.env["res.users.apikeys"].with_user(user).sudo()._generate(KEY_SCOPE, "Comply360 bridge", expires)
        return {"login": user.login, "key": key, "expires": instant(expires)}

    @api.model
    def revoke_keys(self, login, keep=""):
        """Delete the keys of the bridge's user except `keep`. Only for system administrators."""
        user = self._service_user(login)
        self.env.cr.execute("SELECT id, index, key FROM res_users_apikeys WHERE user_id = %s", [user.id])
        revoked = [row_id for row_id, index, hashed in self.env.cr.fetchall() if not _is_key(keep, index, hashed)]
        self.env["res.users.apikeys"].sudo().browse(revoked).unlink()
        return {"revoked": str(len(revoked))}

    def _service_user(self, login):
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(self.env._("Only system administrators may issue or revoke the bridge's API keys."))
        # as the superuser: this looks up the target's groups, not the caller's
        user = self.env["res.users"].sudo().search([("login", "=", login)])
        if not user or not user.has_group("comply360_bridge.group_service") or user.has_group("base.group_system"):
            raise UserError(self.env._("%(login)s is not a user of the Comply360 bridge.", login=login))
        return user


def _is_key(key, index, hashed):
    return bool(key) and key.startswith(index) and KEY_CRYPT_CONTEXT.verify(key, hashed)
