import json

from odoo import api, fields, models

from ..demo.records import INSTALLATION, batches
from .comply360_bridge import PROTOCOL

TAKEN = ("created", "updated", "unchanged")


class Comply360Bridge(models.AbstractModel):
    """Two agencies to look at, without an app and without a daemon."""

    _inherit = "comply360.bridge"

    @api.model
    def _load_demo(self):
        """Apply the demo's documents as if the bridge had sent them, once.

        Raises: ValueError if Odoo refuses one of them.
        """
        user = self.env.ref("comply360_bridge.user_bridge").sudo()
        former = user.x_comply360_installation
        user.x_comply360_installation = False
        caller = self.env["comply360.bridge"].with_user(user)
        for documents in batches(fields.Datetime.now()):
            batch = {"protocol": PROTOCOL, "installation": INSTALLATION, "run": "demo", "documents": documents}
            answer = json.loads(caller.apply_batch(json.dumps(batch)))
            if refused := [result for result in answer["results"] if result["status"] not in TAKEN]:
                raise ValueError(f"Odoo refused a part of the demo: {refused[0]}")
        self._settle_demo()
        # the real app's first call comes later and names its own installation
        user.x_comply360_installation = former

    def _settle_demo(self):
        """Take what Odoo marked meanwhile as reported, but for one record that goes on waiting."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            DELETE FROM comply360_outbox o USING comply360_tenant t
             WHERE t.id = o.tenant_id AND t.installation = %(installation)s
               AND o.binding_id <> (SELECT min(first.binding_id) FROM comply360_outbox first
                                      JOIN comply360_tenant own ON own.id = first.tenant_id
                                     WHERE own.installation = %(installation)s)
            """,
            {"installation": INSTALLATION},
        )
