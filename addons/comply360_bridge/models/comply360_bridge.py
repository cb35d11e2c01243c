from datetime import timedelta

from odoo import api, fields, models, release
from odoo.addons.base.models.res_users import KEY_CRYPT_CONTEXT
from odoo.exceptions import AccessError, UserError

from ..exchange.batch import MOST_DOCUMENTS, Batch
from ..mappers import MAPPERS
from ..mappers.document import digest_of, is_uuid, parse_version, show_version

PROTOCOL = "1"
MOST_RECORDS = 5000
KEY_SCOPE = "rpc"
CONTEXT = {
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
    """Everything the daemon may ask of Odoo, to the letter of docs/wire.md. One call is one transaction."""

    _name = "comply360.bridge"
    _description = "Comply360 Bridge"

    # -- the app's side of the records -----------------------------------------------------------------------------

    @api.model
    def ping(self, protocol=PROTOCOL):
        """Who answers here."""
        self._check_service()
        own = self._superuser()
        return {
            "protocol": PROTOCOL,
            "addon": own.env["ir.module.module"].search([("name", "=", "comply360_bridge")]).installed_version or "",
            "odoo": release.version,
            "instance": own.env["ir.config_parameter"].get_param("comply360_bridge.instance", ""),
            "epoch": str(own._epoch()),
            "database": self.env.cr.dbname,
            "user": self.env.user.login,
            "key_expires": self._key_expires(),
            "rpc_deprecated": True,
        }

    @api.model
    def apply_batch(self, batch):
        """Apply documents, each once however often it comes; one result per document, in the same order."""
        self._check_service()
        self._check_protocol(batch.get("protocol"))
        documents = batch.get("documents", [])
        if len(documents) > MOST_DOCUMENTS:
            raise UserError(self.env._("A batch may hold at most %(most)s documents.", most=MOST_DOCUMENTS))
        bridge = self._bridge_id(batch.get("bridge"))
        own = self._superuser(comply360_bridge=bridge)
        self.env.flush_all()
        self.env.cr.execute("SELECT set_config('comply360.applying', 'on', TRUE)")
        results = Batch(own.env, bridge, documents).run()
        own.env.flush_all()
        self.env.cr.execute("SELECT set_config('comply360.applying', 'off', TRUE)")
        return {"run": str(batch.get("run", "")), "results": results}

    # -- Odoo's side -----------------------------------------------------------------------------------------------

    @api.model
    def pull_changes(self, bridge, limit, per_tenant):
        """Present values of the records that changed here, the oldest first; nothing is removed by it."""
        self._check_service()
        own = self._superuser()
        most = min(int(limit), MOST_RECORDS)
        self.env.flush_all()
        rows = own.env["comply360.outbox"]._pull(self._bridge_id(bridge), most, int(per_tenant))
        epoch = own._epoch()
        return {
            "epoch": str(epoch),
            "changes": [own._change(row, epoch) for row in rows[:most]],
            "more": len(rows) > most,
        }

    @api.model
    def ack_changes(self, bridge, verdicts):
        """Act on the daemon's verdicts; a verdict about another epoch's version is passed over."""
        self._check_service()
        own = self._superuser()
        bridge = self._bridge_id(bridge)
        epoch = own._epoch()
        acked = 0
        for verdict in sorted(verdicts, key=_key):
            if verdict["verdict"] not in ("applied", "later", "parked"):
                raise UserError(self.env._("%(verdict)s is no verdict.", verdict=verdict["verdict"]))
            version = parse_version(verdict["version"])
            if version[0] == epoch:
                acked += own.env["comply360.outbox"]._settle(
                    bridge,
                    _key(verdict),
                    version,
                    verdict["verdict"],
                    verdict.get("message", ""),
                )
        return {"acked": str(acked)}

    @api.model
    def requeue_changes(self, bridge, records):
        """Mark records anew, so that they are pulled once more."""
        self._check_service()
        own = self._superuser()
        self.env.flush_all()
        return {
            "requeued": str(
                own.env["comply360.outbox"]._requeue(self._bridge_id(bridge), {_key(record) for record in records})
            )
        }

    @api.model
    def backlog(self, bridge):
        """What waits here, by tenant."""
        self._check_service()
        rows = self._superuser().env["comply360.outbox"]._backlog(self._bridge_id(bridge))
        return {
            "tenants": {
                row["tenant"]: {
                    "owed": str(row["owed"]),
                    "parked": str(row["parked"]),
                    "oldest": _instant(row["oldest"]),
                }
                for row in rows
            },
        }

    @api.model
    def digests(self, bridge, tenant, entity, after, limit):
        """Digests of the present values of a tenant's records, in the order of their ids."""
        self._check_service()
        own = self._superuser()
        if entity not in MAPPERS:
            raise UserError(self.env._("This addon does not know the entity %(entity)s.", entity=entity))
        most = min(int(limit), MOST_RECORDS)
        bindings = own.env["comply360.binding"].search(
            [
                ("bridge", "=", self._bridge_id(bridge)),
                ("tenant", "=", tenant),
                ("entity", "=", entity),
                ("external_id", ">", after),
                ("res_id", "!=", False),
            ],
            order="external_id",
            limit=most + 1,
        )
        return {"digests": own._digests(bindings[:most], MAPPERS[entity]), "more": len(bindings) > most}

    # -- keys ------------------------------------------------------------------------------------------------------

    @api.model
    def issue_key(self, login):
        """A new API key for the bridge's user, shown once. Only for system administrators."""
        user = self._service_user(login)
        days = max(user.all_group_ids.mapped("api_key_duration"))
        expires = fields.Datetime.now() + timedelta(days=days)
        # a user without a password cannot make a key, and nobody else may: this is the administrator's way
        key = self.env["res.users.apikeys"].with_user(user).sudo()._generate(KEY_SCOPE, "Comply360 bridge", expires)
        return {"login": user.login, "key": key, "expires": _instant(expires)}

    @api.model
    def revoke_keys(self, login, keep=""):
        """Remove the keys of the bridge's user but the one in `keep`. Only for system administrators."""
        user = self._service_user(login)
        self.env.cr.execute("SELECT id, index, key FROM res_users_apikeys WHERE user_id = %s", [user.id])
        revoked = [row_id for row_id, index, hashed in self.env.cr.fetchall() if not _is_key(keep, index, hashed)]
        self.env["res.users.apikeys"].sudo().browse(revoked).unlink()
        return {"revoked": str(len(revoked))}

    # -- parts -----------------------------------------------------------------------------------------------------

    def _check_service(self):
        if not self.env.user.has_group("comply360_bridge.group_service"):
            raise AccessError(self.env._("This is for the Comply360 bridge's own user."))

    def _check_protocol(self, protocol):
        if protocol != PROTOCOL:
            raise UserError(
                self.env._(
                    "The bridge speaks protocol %(theirs)s, this addon %(ours)s: update the older one.",
                    theirs=protocol,
                    ours=PROTOCOL,
                )
            )

    def _bridge_id(self, bridge):
        if not is_uuid(bridge):
            raise UserError(self.env._("The app installation must be named by a uuid, not %(given)s.", given=bridge))
        return bridge

    def _superuser(self, **context):
        """The bridge as the superuser, free of the caller's context.

        The bridge's user has no rights on leads, contacts or commissions of its own: this surface is all it has.
        """
        return self.env(context={**CONTEXT, **context}, su=True)[self._name]

    def _epoch(self):
        return int(self.env["ir.config_parameter"].sudo().get_param("comply360_bridge.epoch", "1"))

    def _key_expires(self):
        """The first expiry among the user's valid keys: which one a call used cannot be told."""
        self.env.cr.execute(
            """
            SELECT min(expiration_date) FROM res_users_apikeys
             WHERE user_id = %s AND expiration_date > now() AT TIME ZONE 'UTC' AND (scope IS NULL OR scope = %s)
            """,
            [self.env.uid, KEY_SCOPE],
        )
        return _instant(self.env.cr.fetchone()[0])

    def _service_user(self, login):
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(self.env._("Only a system administrator may issue or revoke the bridge's keys."))
        # group membership is looked up as the superuser: that of the target, not of the caller
        user = self.env["res.users"].sudo().search([("login", "=", login)])
        if not user or not user.has_group("comply360_bridge.group_service") or user.has_group("base.group_system"):
            raise UserError(self.env._("%(login)s is not a user of the Comply360 bridge.", login=login))
        return user

    def _change(self, row, epoch):
        mapper = MAPPERS[row["entity"]]
        record = self.env[row["res_model"]].browse(row["res_id"])
        two_way = {rule.name for rule in mapper.rules if rule.two_way}
        present = mapper.wire(record._comply360_row(mapper)) if row["op"] == "upsert" and two_way else {}
        return {
            "tenant": row["tenant"],
            "entity": row["entity"],
            "id": row["external_id"],
            "version": show_version((epoch, row["id"])),
            "op": row["op"],
            "model": row["res_model"],
            "res_id": str(row["res_id"]),
            "at": _instant(row["marked_at"]),
            "by": row["by"] or "",
            "fields": {name: value for name, value in present.items() if name in two_way},
        }

    def _digests(self, bindings, mapper):
        alive = bindings.filtered(lambda binding: binding.state == "active")
        records = self.env[mapper.model].browse(alive.mapped("res_id")).exists()
        refs = self._references(records, mapper, bindings[:1].bridge)
        digests = {
            record.id: digest_of(mapper.wire(record._comply360_row(mapper)), refs.get(record.id, {}))
            for record in records
        }
        return [
            {
                "id": binding.external_id,
                "version": binding.version or "",
                "digest": digests.get(binding.res_id, "") if binding.state == "active" else "",
                "state": binding.state,
            }
            for binding in bindings
        ]

    def _references(self, records, mapper, bridge):
        """By record, its roles as `entity:id`, as far as the records they point to are bound."""
        found = {}
        for reference in mapper.references:
            targets = records.mapped(reference.target)
            bound = {
                binding.res_id: f"{binding.entity}:{binding.external_id}"
                for binding in self.env["comply360.binding"].search(
                    [
                        ("bridge", "=", bridge),
                        ("entity", "=", reference.entity),
                        ("res_model", "=", targets._name),
                        ("res_id", "in", targets.ids),
                        ("state", "=", "active"),
                    ]
                )
            }
            for record in records:
                if name := bound.get(record[reference.target].id):
                    found.setdefault(record.id, {})[reference.role] = name
        return found


def _key(record):
    return (record["tenant"], record["entity"], record["id"])


def _instant(moment):
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _is_key(key, index, hashed):
    return bool(key) and key.startswith(index) and KEY_CRYPT_CONTEXT.verify(key, hashed)
