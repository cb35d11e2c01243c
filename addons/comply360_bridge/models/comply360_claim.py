from odoo import fields, models
from odoo.tools import SQL


class Comply360Claim(models.Model):
    """The database that works as an app installation: it shows the token that it left here, and leaves another one.

    A database that serves this Odoo under two names leaves a token for each of them.
    """

    _name = "comply360.claim"
    _inherit = ["comply360.guarded"]
    _description = "Comply360 App Database"
    _log_access = False

    installation = fields.Char(string="App Installation", required=True, readonly=True)
    instance = fields.Char(string="Name of this Odoo", required=True, readonly=True)
    number = fields.Integer(required=True, readonly=True)
    token = fields.Char(required=True, readonly=True)
    holder = fields.Char(string="Database", required=True, readonly=True)
    claimed_at = fields.Datetime(string="Last Seen", required=True, readonly=True)

    _installation_unique = models.UniqueIndex("(installation, instance)", "An app installation has only one database.")

    def _take(self, installation, instance, shown, following, number, holder, anyway):
        """Leave the `following` token in place of the one `shown`; gives its number, 0 if another one is here.

        A call whose answer was lost comes again: the token is here already.
        """
        rows = self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_claim AS c (installation, instance, number, token, holder, claimed_at)
            VALUES (%(installation)s, %(instance)s, %(number)s + 1, %(following)s, %(holder)s, now() AT TIME ZONE 'UTC')
            ON CONFLICT (installation, instance) DO UPDATE
               SET number = CASE c.token WHEN %(following)s THEN c.number ELSE greatest(c.number, %(number)s) + 1 END,
                   token = EXCLUDED.token, holder = EXCLUDED.holder, claimed_at = EXCLUDED.claimed_at
             WHERE c.token IN (%(shown)s, %(following)s) OR %(anyway)s
            RETURNING number
                """,
                installation=installation,
                instance=instance,
                number=number,
                following=following,
                shown=shown,
                holder=holder,
                anyway=anyway,
            )
        )
        return rows[0][0] if rows else 0

    def _present(self, installation, instance):
        """(number, token, holder, when) of the database that works as this installation; None before the first."""
        rows = self.env.execute_query(
            SQL(
                "SELECT number, token, holder, claimed_at FROM comply360_claim"
                " WHERE installation = %s AND instance = %s",
                installation,
                instance,
            )
        )
        return rows[0] if rows else None
