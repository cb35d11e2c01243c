from contextlib import suppress
from pathlib import Path

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..exchange.erasing import Erasing
from ..exchange.quiet import quiet
from ..mappers import MAPPERS
from ..mappers.document import is_uuid, printable
from .comply360_bridge import key_of


class Comply360Bridge(models.AbstractModel):
    """Erasure of a customer: what Odoo holds of a person who asked for it."""

    _inherit = "comply360.bridge"

    @api.model
    def erase_client(self, installation, erasure, client, records, dry_run):
        """Erase a customer with its leads and documents; repeating it erases what came since."""
        self._check_service()
        installation = self._installation_of(installation)
        if not is_uuid(erasure):
            raise UserError(self.env._("An erasure has a UUID, not %(given)s.", given=printable(erasure)))
        own = self._superuser(comply360_bridge=installation)
        key = key_of(client)
        keys = sorted({key, *map(key_of, self._few(records))})
        if any(other[0] != key[0] or other[1] not in MAPPERS for other in keys):
            raise UserError(self.env._("An erasure is about records of one tenant."))
        with quiet():
            try:
                with self.env.cr.savepoint():
                    work = Erasing(own, installation, erasure, key, keys)
                    answer = work.run()
                    if dry_run or answer["refused"]:
                        raise _Undone
            except _Undone:
                self.env.invalidate_all()
                return answer
        self._remove_files(work.files)
        return answer

    @api.model
    def erasures(self, installation):
        """The erasures that were carried out here, with their records."""
        self._check_service()
        rows = self._superuser().env.execute_query(
            SQL(
                """
                SELECT erasure, tenant, entity, external_id FROM comply360_binding
                 WHERE installation = %s AND erasure IS NOT NULL ORDER BY erasure, entity, external_id
                """,
                self._installation_of(installation),
            )
        )
        found = {}
        for erasure, tenant, entity, record_id in rows:
            found.setdefault(erasure, []).append({"tenant": tenant, "entity": entity, "record_id": record_id})
        return {"erasures": found}

    def _remove_files(self, names):
        """Delete files that no attachment has any more, once the erasure is committed."""
        if not names:
            return
        attachments = self.env["ir.attachment"].sudo()

        def remove():
            with attachments.env.registry.cursor() as cr:
                # no attachment can take one of these files while they are removed
                cr.execute("LOCK ir_attachment IN SHARE MODE")
                cr.execute("SELECT store_fname FROM ir_attachment WHERE store_fname = ANY(%s)", [list(names)])
                used = {name for (name,) in cr.fetchall()}
                for name in names - used:
                    _remove_file(attachments._full_path(name))

        self.env.cr.postcommit.add(remove)


class _Undone(Exception):
    """Ends the savepoint of an erasure that is only counted, or refused."""


def _remove_file(path):
    with suppress(OSError):
        Path(path).unlink()
