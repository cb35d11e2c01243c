import base64
import re
from uuid import UUID

from odoo import api, models, release
from odoo.exceptions import AccessError, UserError

from ..exchange.batch import MOST_DOCUMENTS, Batch
from ..exchange.hand import HAND
from ..exchange.quiet import quiet
from ..mappers import MAPPERS
from ..mappers.document import is_uuid, parse_version, printable, show_version
from ..mappers.text import as_text, from_text
from .comply360_upload import LARGEST_PIECE

PROTOCOL = "3"
MOST_RECORDS = 5000
KEY_SCOPE = "rpc"
SHA256 = re.compile("[0-9a-f]{64}")
LARGEST_ID = 2**31 - 1
LARGEST_BEAT = 2**63 - 1
# keys, verdicts, tenants or bounds in one call
MOST_ITEMS = 100_000
# of the uuid that the selftest of an installation calls with; that of an installation has another one
SELFTEST_VERSION = 8
CONTEXT = {
    "comply360_hand": HAND,
    "lang": "en_US",
    "tz": "UTC",
    "active_test": False,
    "tracking_disable": True,
    "mail_create_nosubscribe": True,
    "mail_create_nolog": True,
    "mail_auto_subscribe_no_notify": True,
    "no_vat_validation": True,
    "no_reset_password": True,
}


class Comply360Bridge(models.AbstractModel):
    """Everything the daemon may call in Odoo, as docs/wire.md specifies. One call is one transaction."""

    _name = "comply360.bridge"
    _description = "Comply360 Bridge"

    @api.model
    def ping(self, protocol=PROTOCOL):
        """Versions, instance, epoch and database of this Odoo."""
        self._check_service()
        own = self._superuser()
        module = own.env["ir.module.module"].search([("name", "=", "comply360_bridge")])
        return {
            "protocol": PROTOCOL,
            # Odoo calls the version that the database has the latest, and the one on disk the installed one
            "addon": module.latest_version or "",
            "addon_on_disk": module.installed_version or "",
            "odoo": release.version,
            "instance_uuid": own.env["ir.config_parameter"].get_param("comply360_bridge.instance", ""),
            "epoch": str(own._epoch()),
            "newest": str(own.env["comply360.outbox"]._newest()),
            "database": self.env.cr.dbname,
            "user": self.env.user.login,
            "key_expires": self._key_expires(),
            "rpc_deprecated": True,
        }

    # -- from the app --------------------------------------------------------------------------------------------------

    @api.model
    def apply_batch(self, batch):
        """Apply documents, each once however often it is sent; one result per document, in the same order.

        Shapes: `batch` and the answer are JSON text.
        """
        self._check_service()
        batch = self._batch(batch)
        self._check_protocol(batch.get("protocol"))
        documents = batch.get("documents", [])
        if len(documents) > MOST_DOCUMENTS:
            raise UserError(self.env._("A batch may contain at most %(most)s documents.", most=MOST_DOCUMENTS))
        installation = self._installation_of(batch.get("installation"))
        own = self._superuser(comply360_bridge=installation, comply360_selftest=bool(batch.get("selftest")))
        own.env.flush_all()
        with quiet():
            results = Batch(own.env, installation, documents).run()
            own.env.flush_all()
        return as_text({"run": str(batch.get("run", "")), "results": results})

    @api.model
    def put_content(self, installation, record, sha256, offset, data):
        """Store one piece of a document's content; gives the bytes received so far."""
        self._check_service()
        tenant, entity, record_id = key_of(record)
        if entity != "document" or not SHA256.fullmatch(sha256) or len(data) > 2 * LARGEST_PIECE:
            raise UserError(self.env._("This is not a piece of a document's content."))
        key, position = (self._installation_of(installation), tenant, record_id), self._number(offset, "offset")
        piece = base64.b64decode(data, validate=True)
        with quiet():
            received = self._superuser().env["comply360.upload"]._put(key, sha256, position, piece)
        return {"received": str(received)}

    # -- to the app ----------------------------------------------------------------------------------------------------

    @api.model
    def pull_changes(self, installation, limit, per_tenant):
        """Current values of the records that changed in Odoo, oldest change first; removes nothing.

        Shapes: the answer is JSON text.
        """
        self._check_service()
        own = self._superuser()
        most, each = self._limit(limit), self._number(per_tenant, "per_tenant")
        own.env.flush_all()
        rows = own.env["comply360.outbox"]._pull(self._installation_of(installation), most, each)
        epoch = own._epoch()
        together = {}
        for row in rows[:most]:
            if _is_there(row):
                together.setdefault(row["res_model"], []).append(row["res_id"])
        return as_text(
            {
                "epoch": str(epoch),
                "changes": [own._change(row, epoch, together.get(row["res_model"], [])) for row in rows[:most]],
                "more": len(rows) > most,
                "beat": own.env["comply360.heartbeat"]._newest(installation),
            }
        )

    @api.model
    def ack_changes(self, installation, verdicts):
        """Apply the daemon's verdicts; those about another epoch's versions are skipped.

        Shapes: `verdicts` is JSON text.
        """
        self._check_service()
        own = self._superuser()
        installation = self._installation_of(installation)
        epoch = own._epoch()
        rulings = {"applied": [], "later": [], "parked": []}
        for verdict in sorted(self._few(self._from_text(verdicts, "verdicts", list)), key=key_of):
            if verdict["verdict"] not in rulings:
                raise UserError(self.env._("%(verdict)s is not a verdict.", verdict=verdict["verdict"]))
            version = parse_version(verdict["version"])
            if version[0] == epoch:
                message = verdict.get("message", "")[:500]
                rulings[verdict["verdict"]].append((*key_of(verdict), version[1], message))
        with quiet():
            acked = sum(own.env["comply360.outbox"]._settle(installation, *ruling) for ruling in rulings.items())
        return {"acked": str(acked)}

    @api.model
    def requeue_changes(self, installation, records):
        """Mark records again, so that they are pulled once more."""
        self._check_service()
        own = self._superuser()
        own.env.flush_all()
        keys = {key_of(record) for record in self._few(records)}
        return {"requeued": str(own.env["comply360.outbox"]._requeue(self._installation_of(installation), keys))}

    def _change(self, row, epoch, together):
        """One change as the wire has it; `together` are the ids of its model that are read with it."""
        mapper = MAPPERS[row["entity"]]
        record = self.env[row["res_model"]].browse(row["res_id"]).with_prefetch(together)
        two_way = {rule.name for rule in mapper.rules if rule.two_way}
        is_there = _is_there(row)
        present = mapper.wire(record._comply360_row(mapper)) if is_there and two_way else {}
        reported = mapper.report(record._comply360_report(mapper)) if is_there and mapper.reported else {}
        return {
            "tenant": row["tenant"],
            "entity": row["entity"],
            "record_id": row["external_id"],
            "version": show_version((epoch, row["id"])),
            "op": row["op"],
            "model": row["res_model"],
            "res_id": str(row["res_id"] or ""),
            "at": instant(row["marked_at"]),
            "by": row["by"] or "",
            "fields": {**{name: value for name, value in present.items() if name in two_way}, **reported},
            "sent": {name: pair for name, pair in (row["sent"] or {}).items() if name in present},
        }

    # -- state of the sync --------------------------------------------------------------------------------------------

    @api.model
    def heartbeat(self, installation, beat, tenants):
        """Store a heartbeat, which the next pull returns; gives the tenants whose changes cannot be pulled."""
        self._check_service()
        own = self._superuser()
        number = str(self._number(beat, "beat", LARGEST_BEAT))
        own.env["comply360.heartbeat"]._take(self._installation_of(installation), number)
        active = own.env["comply360.tenant"].search(
            [("installation", "=", installation), ("uuid", "in", self._few(tenants)), ("status", "=", "active")]
        )
        return {
            "unserved": sorted(set(tenants) - set(active.mapped("uuid"))),
            "missing": own.env["comply360.outbox"]._missing_triggers(),
        }

    @api.model
    def causes(self, installation):
        """By tenant, why records wait or do not flow, each with how many."""
        self._check_service()
        rows = self._superuser().env["comply360.outbox"]._causes(self._installation_of(installation))
        tenants = {}
        for tenant, cause, records in rows:
            tenants.setdefault(tenant, []).append({"cause": cause, "records": str(records)})
        return {"tenants": tenants}

    @api.model
    def backlog(self, installation):
        """Waiting and parked changes by tenant."""
        self._check_service()
        rows = self._superuser().env["comply360.outbox"]._backlog(self._installation_of(installation))
        return {
            "tenants": {
                row["tenant"]: {
                    "owed": str(row["owed"]),
                    "parked": str(row["parked"]),
                    "oldest": instant(row["oldest"]),
                }
                for row in rows
            },
        }

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _check_service(self):
        if not self.env.user.has_group("comply360_bridge.group_service"):
            raise AccessError(self.env._("Only the Comply360 bridge's own user may call this."))

    def _check_protocol(self, protocol):
        if protocol != PROTOCOL:
            raise UserError(
                self.env._(
                    "The bridge speaks protocol %(theirs)s, this addon %(ours)s: update the older one.",
                    theirs=protocol,
                    ours=PROTOCOL,
                )
            )

    def _batch(self, text):
        if isinstance(text, dict):
            # older protocols sent the batch itself
            self._check_protocol(text.get("protocol"))
        return self._from_text(text, "batch", dict)

    def _from_text(self, text, name, kind):
        """What a JSON text of the wire holds. Raises UserError unless it is of this kind."""
        try:
            found = from_text(text)
        except ValueError:
            found = None
        if not isinstance(found, kind):
            raise UserError(self.env._("%(name)s is not the JSON text that the wire contract asks for.", name=name))
        return found

    def _installation_of(self, installation):
        self._check_caller(self._uuid_of(installation))
        return installation

    def _uuid_of(self, installation):
        if not is_uuid(installation):
            given = printable(installation)
            raise UserError(self.env._("The app installation must be a UUID, not %(given)s.", given=given))
        return installation

    def _check_caller(self, installation):
        """Let each of the bridge's users call for one installation and its selftest, the first that it calls for."""
        user, called = self.env.user.sudo(), UUID(installation)
        own = user.x_comply360_installation
        if own and installation not in (own, selftest_of(own)):
            raise AccessError(
                self.env._(
                    "The user %(login)s belongs to the app installation %(own)s and may not call for %(given)s. Give "
                    "every installation a user of its own, or issue this user a key for the other one.",
                    login=user.login,
                    own=own,
                    given=installation,
                )
            )
        if not own and called.version != SELFTEST_VERSION:
            user.x_comply360_installation = installation

    def _number(self, given, name, most=LARGEST_ID):
        """A number from the wire. Raises UserError unless it is whole and between 0 and `most`."""
        text = str(given)
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or int(text) > most:
            raise UserError(
                self.env._(
                    "%(name)s must be a whole number from 0 to %(most)s, not %(given)s.",
                    name=name,
                    most=str(most),
                    given=printable(given),
                )
            )
        return int(text)

    def _limit(self, given):
        return min(self._number(given, "limit"), MOST_RECORDS)

    def _few(self, items):
        """These items. Raises UserError if there are too many for one call."""
        if len(items) > MOST_ITEMS:
            raise UserError(
                self.env._(
                    "A call may contain at most %(most)s items, not %(count)s.", most=MOST_ITEMS, count=len(items)
                )
            )
        return items

    def _superuser(self, **context):
        """The bridge as the superuser, free of the caller's context.

        The bridge's user has no rights on leads, contacts or commissions of its own: this surface is all it has.
        """
        return self.env(context={**CONTEXT, **context}, su=True)[self._name]

    def _tenant(self, installation, uuid):
        return self.env["comply360.tenant"].search([("installation", "=", installation), ("uuid", "=", uuid)])

    def _newest_version(self):
        """At least the version of every change made so far."""
        return show_version((self._epoch(), self.env["comply360.outbox"]._newest()))

    def _epoch(self):
        return int(self.env["ir.config_parameter"].sudo().get_param("comply360_bridge.epoch", "1"))

    def _key_expires(self):
        """The first expiry among the user's valid keys; Odoo does not say which one a call used."""
        self.env.cr.execute(
            """
            SELECT min(expiration_date) FROM res_users_apikeys
             WHERE user_id = %s AND expiration_date > now() AT TIME ZONE 'UTC' AND (scope IS NULL OR scope = %s)
            """,
            [self.env.uid, KEY_SCOPE],
        )
        return instant(self.env.cr.fetchone()[0])


def _is_there(row):
    return row["op"] in ("upsert", "ask") and bool(row["res_id"])


def key_of(record):
    return (record["tenant"], record["entity"], record["record_id"])


def selftest_of(installation):
    """The uuid that the selftest of an installation calls with: the same one, with another version."""
    return str(UUID(int=UUID(installation).int & ~(0xF << 76) | SELFTEST_VERSION << 76))


def instant(moment):
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""
