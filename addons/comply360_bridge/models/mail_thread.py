from odoo import api, models


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    @api.model
    def message_new(self, msg_dict, custom_values=None):
        """Take no field from an alias that only the bridge may set: the mail gateway creates as the superuser."""
        if custom_values and hasattr(self, "_comply360_guarded"):
            guarded = self._comply360_guarded()
            custom_values = {name: value for name, value in custom_values.items() if name not in guarded}
        return super().message_new(msg_dict, custom_values)
