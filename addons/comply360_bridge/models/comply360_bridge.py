import base64
import re
from datetime import timedelta

from odoo import api, fields, models, release
from odoo.addons.base.models.res_users import KEY_CRYPT_CONTEXT
from odoo.exceptions import AccessError, UserError

from ..exchange.batch import MOST_DOCUMENTS, Batch
from ..exchange.comparison import Comparison
from ..mappers import MAPPERS
from ..mappers.document import is_uuid, parse_version, show_version

PROTOCOL = "1"
MOST_RECORDS = 5000
KEY_SCOPE = "rpc"
SHA256 = re.compile("[0-9a-f]{64}")
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
            "newest": str(own.env["comply360.outbox"]._newest()),
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
        own = self._superuser(comply360_bridge=bridge, comply360_selftest=bool(batch.get("selftest")))
        self.env.flush_all()
        self.env.cr.execute("SELECT set_config('comply360.applying', 'on', TRUE)")
        results = Batch(own.env, bridge, documents).run()
        own.env.flush_all()
        self.env.cr.execute("SELECT set_config('comply360.applying', 'off', TRUE)")
        return {"run": str(batch.get("run", "")), "results": results}

    @api.model
    def put_content(self, bridge, record, sha256, offset, data):
        """Take one piece of a document's content; how many bytes of it are here now."""
        self._check_service()
        tenant, entity, identity = _key(record)
        if entity != "document" or not SHA256.fullmatch(sha256) or not str(offset).isdecimal():
            raise UserError(self.env._("This is no piece of a document's content."))
        key = (self._bridge_id(bridge), tenant, identity)
        piece = base64.b64decode(data, validate=True)
        return {"held": str(self._superuser().env["comply360.upload"]._put(key, sha256, int(offset), piece))}

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
            "beat": own.env["comply360.heartbeat"]._newest(bridge),
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
    def heartbeat(self, bridge, beat, tenants):
        """Take a heartbeat, which the next pull gives back; says which of these tenants no change can come from."""
        self._check_service()
        if not str(beat).isdecimal():
            raise UserError(self.env._("%(beat)s is no heartbeat's number.", beat=beat))
        own = self._superuser()
        own.env["comply360.heartbeat"]._take(self._bridge_id(bridge), beat)
        active = own.env["comply360.tenant"].search(
            [("bridge", "=", bridge), ("uuid", "in", tenants), ("status", "=", "active")]
        )
        return {
            "unserved": sorted(set(tenants) - set(active.mapped("uuid"))),
            "missing": own.env["comply360.outbox"]._missing_triggers(),
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
    def digests(self, bridge, tenant, entity, after, limit, fields=()):
        """Digests of the present values of a tenant's records, in the order of their ids; of these fields or of all."""
        self._check_service()
        comparison = self._superuser()._comparison(bridge, tenant, entity, fields)
        found, more = comparison.digests(after, min(int(limit), MOST_RECORDS))
        return {"digests": found, "more": more}

    @api.model
    def known_ranges(self, bridge, tenant, entity, bounds, fields=()):
        """The same as `digest_ranges`, by what is remembered alone; empty where that is not all there is to say."""
        self._check_service()
        self._check_bounds(bounds)
        return {"digests": self._superuser()._comparison(bridge, tenant, entity, fields).known_ranges(bounds)}

    @api.model
    def digest_ranges(self, bridge, tenant, entity, bounds, fields=()):
        """One digest per range of ids, of what `digests` says of the records in it; empty beyond what one call does."""
        self._check_service()
        self._check_bounds(bounds)
        comparison = self._superuser()._comparison(bridge, tenant, entity, fields)
        return {"digests": comparison.digest_ranges(bounds, MOST_RECORDS)}

    @api.model
    def describe_fields(self, bridge):
        """What the fields are here that documents go to, and those that managers listed for single tenants."""
        self._check_service()
        own = self._superuser()
        tenants = own.env["comply360.tenant"].search([("bridge", "=", self._bridge_id(bridge))])
        return {
            "entities": {
                entity: {rule.name: own._describe(mapper.model, rule.target) for rule in mapper.rules}
                for entity, mapper in MAPPERS.items()
            },
            "required": {entity: own._required_of_others(mapper) for entity, mapper in MAPPERS.items() if mapper.rules},
            "tenants": {
                tenant.uuid: {
                    field.name: own._describe(field.model, field.name)
                    for field in tenant.extra_field_ids
                    if tenant._is_extra(field.model, field.name)
                }
                for tenant in tenants
            },
        }

    @api.model
    def holdings(self, bridge):
        """How many records of the app are or were bound here, by entity; none in a fresh database."""
        self._check_service()
        groups = (
            self._superuser()
            .env["comply360.binding"]
            ._read_group([("bridge", "=", self._bridge_id(bridge)), ("res_id", "!=", False)], ["entity"], ["__count"])
        )
        return {"entities": {entity: str(count) for entity, count in groups}}

    @api.model
    def commission_books(self, bridge, tenant, after, limit):
        """A tenant's commissions and what the posted bill that counts has of each, in the order of their ids."""
        self._check_service()
        own = self._superuser()
        most = min(int(limit), MOST_RECORDS)
        bindings = own.env["comply360.binding"].search(
            [
                ("bridge", "=", self._bridge_id(bridge)),
                ("tenant", "=", tenant),
                ("entity", "=", "commission"),
                ("external_id", ">", after),
                ("state", "=", "active"),
                ("res_id", "!=", False),
            ],
            order="external_id",
            limit=most + 1,
        )
        records = own.env["x_commission"].browse(bindings[:most].mapped("res_id")).exists()
        rows = {record.id: row for record, row in zip(records, records._comply360_books(), strict=True)}
        return {
            "rows": [
                {"id": binding.external_id, **rows[binding.res_id]}
                for binding in bindings[:most]
                if binding.res_id in rows
            ],
            "more": len(bindings) > most,
        }

    # -- the selftest ----------------------------------------------------------------------------------------------

    @api.model
    def purge_selftest(self, bridge, tenant):
        """Remove a tenant of the selftest with all its records; any other tenant is refused, in `refused`."""
        self._check_service()
        own = self._superuser()
        found = own.env["comply360.tenant"].search([("bridge", "=", self._bridge_id(bridge)), ("uuid", "=", tenant)])
        if found and not found.selftest:
            return {"removed": "0", "refused": f"tenant {found.subdomain} is not the selftest's: nothing was changed"}
        return {"removed": str(found._purge()), "refused": ""}

    # -- people ----------------------------------------------------------------------------------------------------

    @api.model
    def internal_users(self, after, limit):
        """People who work in this Odoo, in the order of their ids: what links with users of the app are proposed by."""
        self._check_service()
        if after and not str(after).isdecimal():
            raise UserError(self.env._("%(given)s is no id of a user.", given=after))
        most = min(int(limit), MOST_RECORDS)
        found = self._superuser().env["res.users"]._comply360_people(int(after or 0), most + 1)
        rows = [
            {"id": str(user.id), "login": user.login, "name": user.name or "", "email": user.email or ""}
            for user in found[:most]
        ]
        return {"users": rows, "more": len(found) > most}

    # -- after a restore -------------------------------------------------------------------------------------------

    @api.model
    def epochs(self, bridge):
        """Odoo's own epoch, and the newest one of the app that anything here was applied under."""
        self._check_service()
        own = self._superuser()
        applied = own.env["comply360.binding"]._newest_epoch(self._bridge_id(bridge))
        return {"epoch": str(own._epoch()), "applied": str(applied)}

    @api.model
    def raise_epoch(self, beyond):
        """Begin an epoch of Odoo's versions that is newer than the present one and than `beyond`."""
        self._check_service()
        own = self._superuser()
        epoch = max(own._epoch(), int(beyond)) + 1
        own.env["ir.config_parameter"].set_param("comply360_bridge.epoch", str(epoch))
        return {"epoch": str(epoch)}

    @api.model
    def retell(self, bridge):
        """Mark every lead anew: what became of it the app only hears, and may have forgotten."""
        self._check_service()
        own = self._superuser()
        self.env.flush_all()
        return {"told": str(own.env["comply360.outbox"]._retell(self._bridge_id(bridge)))}

    # -- single bindings, for an operator --------------------------------------------------------------------------

    @api.model
    def show_binding(self, bridge, record):
        """How one record is bound here."""
        self._check_service()
        binding = self._superuser()._binding_of(self._bridge_id(bridge), record)
        bound = self._superuser().env[binding.res_model].browse(binding.res_id or []).exists() if binding else None
        return {
            "state": binding.state or "",
            "model": binding.res_model or "",
            "res_id": str(binding.res_id or ""),
            "version": binding.version or "",
            "held": binding.held,
            "synced_at": _instant(binding.synced_at),
            "name": bound.display_name or "" if bound else "",
        }

    @api.model
    def relink_binding(self, bridge, record, res_id):
        """Bind a record of the app to another record of Odoo; what cannot be done is said in `refused`."""
        self._check_service()
        own = self._superuser(comply360_bridge=self._bridge_id(bridge))
        key = _key(record)
        if key[1] not in MAPPERS or not str(res_id).isdecimal():
            return {"model": "", "res_id": "", "refused": f"there is no {key[1]} {res_id} in Odoo"}
        tenant = own._tenant(bridge, key[0])
        target = own.env[MAPPERS[key[1]].model].browse(int(res_id)).exists()
        if refused := own._why_not_relink(tenant, key, target):
            return {"model": "", "res_id": "", "refused": refused}
        own.env["comply360.binding"]._bind(bridge, tenant, key, target)
        return {"model": target._name, "res_id": str(target.id), "refused": ""}

    @api.model
    def forget_binding(self, bridge, record):
        """End a binding whose record is gone or merged; what cannot be done is said in `refused`."""
        self._check_service()
        own = self._superuser()
        binding = own._binding_of(self._bridge_id(bridge), record)
        if binding.state == "active" and own.env[binding.res_model].browse(binding.res_id or []).exists():
            return {"refused": f"it is bound to {binding.res_model} {binding.res_id}, which is there"}
        binding.unlink()
        return {"refused": ""}

    def _tenant(self, bridge, uuid):
        return self.env["comply360.tenant"].search([("bridge", "=", bridge), ("uuid", "=", uuid)])

    def _binding_of(self, bridge, record):
        tenant, entity, identity = _key(record)
        return self.env["comply360.binding"].search(
            [("bridge", "=", bridge), ("tenant", "=", tenant), ("entity", "=", entity), ("external_id", "=", identity)]
        )

    def _why_not_relink(self, tenant, key, target):
        if not tenant:
            return f"Odoo knows no tenant {key[0]}"
        if key[1] in ("tenant", "issue") or not target:
            return f"there is no such record that a {key[1]} could be"
        if target.x_comply360_tenant_id not in (tenant, tenant.browse()):
            return f"{target._name} {target.id} belongs to another tenant"
        if target.company_id not in (tenant.company_id, tenant.company_id.browse()):
            return f"{target._name} {target.id} belongs to another company"
        bound = [("res_model", "=", target._name), ("res_id", "=", target.id), ("state", "=", "active")]
        other = self.env["comply360.binding"].search(bound)
        if other and (other.tenant, other.entity, other.external_id) != key:
            return f"{target._name} {target.id} is {other.entity} {other.external_id} already"
        return ""

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

    def _newest_version(self):
        """No change that is here already has a newer one."""
        return show_version((self._epoch(), self.env["comply360.outbox"]._newest()))

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
        is_there = row["op"] in ("upsert", "ask") and bool(row["res_id"])
        present = mapper.wire(record._comply360_row(mapper)) if is_there and two_way else {}
        reported = mapper.report(record._comply360_report(mapper)) if is_there and mapper.reported else {}
        return {
            "tenant": row["tenant"],
            "entity": row["entity"],
            "id": row["external_id"],
            "version": show_version((epoch, row["id"])),
            "op": row["op"],
            "model": row["res_model"],
            "res_id": str(row["res_id"] or ""),
            "at": _instant(row["marked_at"]),
            "by": row["by"] or "",
            "fields": {**{name: value for name, value in present.items() if name in two_way}, **reported},
            "sent": {name: pair for name, pair in (row["sent"] or {}).items() if name in present},
        }

    def _comparison(self, bridge, tenant, entity, fields):
        """The tenant's records of one kind, in these fields, or in all of the contract's."""
        if entity not in MAPPERS:
            raise UserError(self.env._("This addon does not know the entity %(entity)s.", entity=entity))
        mapper = MAPPERS[entity]
        names = fields or [rule.name for rule in (*mapper.rules, *mapper.reported)]
        own_mapper = self._tenant(bridge, tenant)._comply360_mapper(mapper)
        return Comparison(self.env, self._bridge_id(bridge), tenant, own_mapper, names)

    def _check_bounds(self, bounds):
        if len(bounds) < 2:
            raise UserError(self.env._("A range of ids has two bounds; %(count)s were given.", count=len(bounds)))

    def _describe(self, model, name):
        field = self.env[model]._fields[name]
        return {
            "model": model,
            "field": name,
            "type": field.type,
            "required": bool(field.required),
            "values": list(field.get_values(self.env)) if field.type == "selection" else [],
        }

    def _required_of_others(self, mapper):
        """Fields that people added and made obligatory, and that have no default: no document fills them."""
        return {
            name: self._describe(mapper.model, name)
            for name, field in self.env[mapper.model]._fields.items()
            if field.manual and field.required and field.store and not field.default
        }


def _key(record):
    return (record["tenant"], record["entity"], record["id"])


def _instant(moment):
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _is_key(key, index, hashed):
    return bool(key) and key.startswith(index) and KEY_CRYPT_CONTEXT.verify(key, hashed)
