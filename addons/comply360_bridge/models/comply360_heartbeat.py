from odoo import fields, models
from odoo.tools import SQL


class Comply360Heartbeat(models.Model):
    """The newest heartbeat of each app installation: it arrives through the broker and returns with every pull."""

    _name = "comply360.heartbeat"
    _inherit = ["comply360.guarded"]
    _description = "Comply360 Heartbeat"
    _log_access = False

    installation = fields.Char(string="App Installation", required=True, readonly=True)
    beat = fields.Char(string="Number", required=True, readonly=True)
    received_at = fields.Datetime(string="Received", required=True, readonly=True)

    _installation_unique = models.UniqueIndex("(installation)", "An app installation has only one heartbeat.")

    def _take(self, installation, beat):
        """Store a heartbeat in place of the previous one.

        Numbers are not compared: after a restore of the app they start again lower.
        """
        self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_heartbeat (installation, beat, received_at) VALUES (%s, %s, now() AT TIME ZONE 'UTC')
            ON CONFLICT (installation) DO UPDATE SET beat = EXCLUDED.beat, received_at = EXCLUDED.received_at
            RETURNING id
                """,
                installation,
                beat,
            )
        )

    def _newest(self, installation):
        """The number of the newest heartbeat; empty before the first one."""
        rows = self.env.execute_query(SQL("SELECT beat FROM comply360_heartbeat WHERE installation = %s", installation))
        return rows[0][0] if rows else ""
