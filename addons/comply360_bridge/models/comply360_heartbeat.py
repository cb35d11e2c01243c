from time import monotonic

from odoo import fields, models
from odoo.tools import SQL

# in seconds: a write with each poll would cost more than the poll
NOTED_EVERY = 15

noted: dict[tuple[str, str], float] = {}
"""When this process noted last that an installation's bridge asked, by database and installation."""


class Comply360Heartbeat(models.Model):
    """The newest heartbeat of each app installation: it arrives through the broker and returns with every pull."""

    _name = "comply360.heartbeat"
    _inherit = ["comply360.guarded"]
    _description = "Comply360 Heartbeat"
    _log_access = False

    installation = fields.Char(string="App Installation", required=True, readonly=True)
    beat = fields.Char(string="Number", required=True, readonly=True)
    received_at = fields.Datetime(string="Received", required=True, readonly=True)
    returned_at = fields.Datetime(
        string="Returned", readonly=True, help="When the bridge last asked for Odoo's changes, to the quarter minute."
    )

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
        """The number of the newest heartbeat; empty before the first one. Notes that the bridge asked for it."""
        self._note_return(installation)
        rows = self.env.execute_query(SQL("SELECT beat FROM comply360_heartbeat WHERE installation = %s", installation))
        return rows[0][0] if rows else ""

    def _note_return(self, installation):
        """Note four times a minute that the bridge asked; each process remembers when it did so last.

        The row is passed over while a heartbeat arrives: a poll never waits for one.
        """
        key, now = (self.env.cr.dbname, installation), monotonic()
        if now - noted.get(key, -NOTED_EVERY) < NOTED_EVERY:
            return
        noted[key] = now
        self.env.cr.execute(
            """
            UPDATE comply360_heartbeat SET returned_at = now() AT TIME ZONE 'UTC'
             WHERE id IN (SELECT id FROM comply360_heartbeat WHERE installation = %s FOR NO KEY UPDATE SKIP LOCKED)
            """,
            [installation],
            log_exceptions=False,
        )
