from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

MOST_BYTES = 100_000_000
LARGEST_PIECE = 8 * 1024 * 1024
KEPT = "1 day"


class Comply360Upload(models.Model):
    """Contents received piece by piece, until their document takes them. Nobody may read them."""

    _name = "comply360.upload"
    _inherit = ["comply360.guarded"]
    _description = "Comply360 Incoming Content"
    _log_access = False

    installation = fields.Char(required=True, readonly=True)
    tenant = fields.Char(required=True, readonly=True)
    external_id = fields.Char(required=True, readonly=True)
    sha256 = fields.Char(required=True, readonly=True)
    position = fields.Integer(required=True, readonly=True)
    data = fields.Binary(attachment=False, readonly=True)
    received_at = fields.Datetime(required=True, readonly=True)

    _piece_unique = models.UniqueIndex(
        "(installation, tenant, external_id, sha256, position)", "This piece of the content was already received."
    )

    def _put(self, key, sha256, position, data):
        """Store one piece; the first one replaces earlier pieces of the document. Gives the bytes received so far.

        Shapes: `key` is (installation, tenant, the app's id).
        """
        if len(data) > LARGEST_PIECE or position + len(data) > MOST_BYTES:
            raise UserError(self.env._("The content of a document may have at most %(most)s bytes.", most=MOST_BYTES))
        if position == 0:
            self._drop(key)
        self.env.execute_query(
            SQL(
                """
            INSERT INTO comply360_upload (installation, tenant, external_id, sha256, position, data, received_at)
            VALUES (%s, %s, %s, %s, %s, %s, now() AT TIME ZONE 'UTC')
                ON CONFLICT (installation, tenant, external_id, sha256, position) DO UPDATE SET data = EXCLUDED.data
         RETURNING id
            """,
                *key,
                sha256,
                position,
                data,
            )
        )
        received = "SELECT coalesce(sum(length(data)), 0) FROM comply360_upload WHERE %s"
        return self.env.execute_query(SQL(received, _of(key, sha256)))[0][0]

    def _is_whole(self, key, sha256):
        """Whether all pieces of exactly this content were received."""
        whole = "encode(sha256(string_agg(data, ''::bytea ORDER BY position)), 'hex')"
        found = f"SELECT {whole} FROM comply360_upload WHERE %s"
        return self.env.execute_query(SQL(found, _of(key, sha256)))[0][0] == sha256

    def _take(self, key, sha256):
        """The content; its pieces are deleted."""
        found = "SELECT string_agg(data, ''::bytea ORDER BY position) FROM comply360_upload WHERE %s"
        data = self.env.execute_query(SQL(found, _of(key, sha256)))[0][0]
        self._drop(key)
        return bytes(data or b"")

    def _drop(self, key):
        self.env.execute_query(
            SQL(
                "DELETE FROM comply360_upload WHERE (installation, tenant, external_id) = (%s, %s, %s) RETURNING id",
                *key,
            )
        )

    @api.autovacuum
    def _gc_forgotten(self):
        """Delete contents that no document took."""
        self.env.execute_query(
            SQL(
                "DELETE FROM comply360_upload WHERE received_at < now() AT TIME ZONE 'UTC' - %s::interval RETURNING id",
                KEPT,
            )
        )


def _of(key, sha256):
    return SQL("(installation, tenant, external_id, sha256) = (%s, %s, %s, %s)", *key, sha256)
