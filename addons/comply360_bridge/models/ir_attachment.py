import hashlib
import logging
from pathlib import Path

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Domain

from ..exchange.hand import is_bridge
from ..exchange.work import CREATED
from ..mappers import Refused
from .comply360_walled import are_apart

_logger = logging.getLogger(__name__)

STATUSES = [("pending", "Pending"), ("verified", "Verified"), ("rejected", "Rejected"), ("expired", "Expired")]
NOTHING = hashlib.sha256().hexdigest()
# Odoo guesses the type of these from the content
ANY_BYTES = "application/octet-stream"
# keep the bytes unchanged, and show as text what a browser would execute
AS_IT_IS = {"image_no_postprocess": True, "attachments_mime_plainxml": True}
SHARED = ("name", "type", "url", "mimetype", "description", "public")
# of a document of the app: its bytes, its name and type, where it hangs, and every way around the rights on it
CONTENT = frozenset(
    {
        *SHARED,
        *("raw", "datas", "db_datas", "store_fname", "checksum", "file_size", "index_content", "thumbnail"),
        *("res_model", "res_id", "res_field", "company_id", "public", "access_token"),
    }
)


class IrAttachment(models.Model):
    """A document of the app, attached to its lead; a second attachment shows the same file on the customer."""

    _name = "ir.attachment"
    _inherit = ["ir.attachment", "comply360.synced"]
    # it is computed from the stored bytes
    _comply360_elsewhere = frozenset({"x_comply360_sha256"})

    x_comply360_lead_id = fields.Many2one(
        "crm.lead", string="Registration", readonly=True, copy=False, index="btree_not_null", ondelete="set null"
    )
    x_comply360_partner_id = fields.Many2one(
        "res.partner", string="Customer", readonly=True, copy=False, index="btree_not_null", ondelete="set null"
    )
    x_comply360_original_id = fields.Many2one(
        "ir.attachment",
        string="Original Attachment",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="cascade",
        help="The attachment on the lead. This one shows the same file on the customer.",
    )
    x_comply360_copy_ids = fields.One2many("ir.attachment", "x_comply360_original_id", string="Copies on the Customer")
    x_comply360_document_type = fields.Char(string="Document Type", readonly=True, copy=False)
    x_comply360_mime_type = fields.Char(string="Type in the App", readonly=True, copy=False)
    x_comply360_status = fields.Selection(STATUSES, string="Document Status", readonly=True, copy=False)
    x_comply360_verified_at = fields.Datetime(string="Verified", readonly=True, copy=False)
    x_comply360_sha256 = fields.Char(string="SHA-256", readonly=True, copy=False)
    x_comply360_link = fields.Char(string="Content Link", readonly=True, copy=False)
    x_comply360_note = fields.Char(string="Reason for Missing Content", readonly=True, copy=False)
    x_comply360_active = fields.Boolean(string="Active in the App", default=True, readonly=True, copy=False)

    def init(self):
        """Mark deleted documents, so that they are not sent again."""
        result = super().init()
        self.env["comply360.outbox"]._watch_deletes("ir.attachment")
        return result

    # -- who may read and write ------------------------------------------------------------------------------------

    def _check_access(self, operation):
        """Allow a copy on the customer only to those who may do the same with the document on the lead."""
        result = super()._check_access(operation)
        checked = self - result[0] if result else self
        if self.env.su or not any(checked._ids):
            return result
        copies = checked.sudo().filtered("x_comply360_original_id")
        allowed = copies.x_comply360_original_id.sudo(False)._filtered_access(operation)
        hidden = copies.filtered(lambda copy: copy.x_comply360_original_id.id not in allowed._ids).sudo(False)
        if not hidden:
            return result
        forbidden = (result[0] if result else self.browse()) | hidden
        return forbidden, result[1] if result else lambda: self._comply360_refusal(hidden)

    @api.model
    def _search(self, domain, *args, bypass_access=False, **kwargs):
        if not (self.env.su or bypass_access):
            domain = Domain(domain) & self._comply360_readable()
        return super()._search(domain, *args, bypass_access=bypass_access, **kwargs)

    @api.model
    def _comply360_readable(self):
        """Everything but copies of documents on leads that the user may not read."""
        no_copy = Domain("x_comply360_original_id", "=", False)
        leads = self.env["crm.lead"].with_context(active_test=False)
        if not leads.has_access("read"):
            return no_copy
        of_lead = Domain("x_comply360_lead_id", "in", leads._search(Domain.TRUE))
        return no_copy | Domain("x_comply360_original_id", "any!", of_lead)

    def _can_return_content(self, field_name=None, access_token=None):
        """Leave no way around the user's rights on a document of the app: neither a token nor the public flag."""
        if self._comply360_documents():
            return False
        return super()._can_return_content(field_name, access_token)

    def _get_raw_access_token(self):
        return False if self._comply360_documents() else super()._get_raw_access_token()

    def write(self, vals):
        """Refuse everybody but the bridge the contents of the app's documents."""
        if not is_bridge(self.env) and (named := CONTENT & vals.keys()):
            self.check_access("write")
            changed = self._comply360_documents().filtered(
                lambda document: any(document._comply360_differs(name, vals[name]) for name in named)
            )
            if changed:
                raise self._comply360_refusal(changed)
        is_moved = {"res_model", "res_id"} & vals.keys() and self.env["comply360.tenant"]._comply360_is_used()
        before = self._comply360_tenants_unseen() if is_moved else {}
        result = super().write(vals)
        if before:
            self._comply360_refuse_move(before)
        return result

    def _comply360_refuse_move(self, before):
        """Raise ValidationError if a file has come from a record of one tenant to one of another."""
        after = self._comply360_tenants_unseen()
        for file in self:
            if are_apart(before[file.id], after[file.id]):
                raise ValidationError(
                    self.env._(
                        "%(file)s cannot be moved to this record: the old and the new one belong to different tenants "
                        "of the Comply360 app.",
                        file=file.name,
                    )
                )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_document(self):
        """Refuse everybody but the bridge the deletion of the app's documents; they go with their lead or customer."""
        if is_bridge(self.env):
            return
        kept = self._comply360_documents()
        if self.env.su:
            kept = kept.filtered(lambda document: document._comply360_place())
        if kept:
            raise self._comply360_refusal(kept)

    def _comply360_documents(self):
        """The app's documents among these, copies included; as the superuser."""
        return self.sudo().filtered(lambda item: item.x_comply360_external_id or item.x_comply360_original_id)

    def _comply360_place(self):
        return self.res_model in self.env and self.env[self.res_model].browse(self.res_id or []).exists()

    def _comply360_differs(self, name, value):
        present = self.with_context(bin_size=False)[name]
        if isinstance(present, bytes) and isinstance(value, str):
            value = value.encode()
        if isinstance(present, models.BaseModel):
            present = present.id
        return (present or False) != (value or False)

    @api.model
    def _comply360_refusal(self, documents):
        """The error about documents of the app; it names only those that the user may read."""
        readable = documents.sudo(False)._filtered_access("read")
        if not readable:
            return AccessError(self.env._("Attachment %(ids)s: you have no access to it.", ids=documents.ids[:6]))
        return AccessError(
            self.env._(
                "%(names)s: this is a document of the Comply360 app. Change or delete it there; in Odoo nobody can.",
                names=", ".join(readable.sudo().mapped("name")[:6]),
            )
        )

    # -- what the bridge writes ------------------------------------------------------------------------------------

    @api.model
    def _comply360_lacking(self, installation, works):
        found = {}
        for work in works:
            record = self.browse(work.res_id or [])
            places = (*work.values.values(), record.x_comply360_lead_id.id, record.x_comply360_partner_id.id)
            if not any(places):
                found[work.document.key] = self._comply360_no_place(work)
            elif self._comply360_lacks_content(installation, work, record):
                message = "Odoo does not have the content of this document yet"
                found[work.document.key] = Refused("content_lacking", message, "sha256")
        return found

    @api.model
    def _comply360_no_place(self, work):
        """Why a document has no parent: one that a user deleted will not come back, any other is still to come."""
        for problem in work.skipped:
            if problem.code == "unlinked":
                return Refused(problem.code, problem.message, problem.field, problem.value)
        message = "neither the registration nor the customer of this document is in Odoo yet"
        return Refused("parent_missing", message, "registration")

    @api.model
    def _comply360_lacks_content(self, installation, work, record):
        sha256 = work.document.fields.get("sha256")
        if not sha256 or sha256 == NOTHING or (record and record._comply360_stored_sha256() == sha256):
            return False
        key = (installation, work.document.tenant, work.document.record_id)
        return not self.env["comply360.upload"]._is_whole(key, sha256)

    def _comply360_derive(self, entity, values, defaults):
        values = dict(values)
        if "x_comply360_link" in values:
            link = values["x_comply360_link"]
            values.update(type="url" if link else "binary", url=link or False)
        if "x_comply360_note" in values:
            values["description"] = values["x_comply360_note"]
        if "x_comply360_mime_type" in values:
            values["mimetype"] = values["x_comply360_mime_type"] or ANY_BYTES
        if "x_comply360_lead_id" in values or "x_comply360_partner_id" in values:
            lead_id = values.get("x_comply360_lead_id") or self.x_comply360_lead_id.id
            partner_id = values.get("x_comply360_partner_id") or self.x_comply360_partner_id.id
            values.update(
                res_model="crm.lead" if lead_id else "res.partner", res_id=lead_id or partner_id, public=False
            )
        return values

    @api.model
    def _comply360_create(self, vals_list):
        return self.with_context(**AS_IT_IS).create(vals_list).with_env(self.env)

    @api.model
    def _comply360_written(self, entity, changes):
        documents = self.browse([document.id for document, _ in changes])
        # a concurrent batch may be setting the lead's customer, who must show the documents too
        self.env["comply360.binding"]._touch(documents.x_comply360_lead_id)
        for document, values in changes:
            if "x_comply360_sha256" in values:
                document._comply360_take_content()
            document._comply360_share()

    def _comply360_take_content(self):
        key = (self.env.context["comply360_bridge"], self.x_comply360_tenant_id.uuid, self.x_comply360_external_id)
        sha256 = self.x_comply360_sha256
        content = self.env["comply360.upload"]._take(key, sha256) if sha256 and sha256 != NOTHING else b""
        self._comply360_store(content)

    def _comply360_store(self, content):
        self._comply360_clear_the_way(content)
        mimetype = (self.x_comply360_original_id or self).x_comply360_mime_type or ANY_BYTES
        self.with_context(**AS_IT_IS).write({"raw": content, "mimetype": mimetype})

    def _comply360_clear_the_way(self, content):
        """Delete a damaged file of the same name: Odoo refuses to store a content over different bytes."""
        checksum = self._compute_checksum(content)
        path = Path(self._full_path(f"{checksum[:2]}/{checksum}"))
        if path.is_file() and self._compute_checksum(path.read_bytes()) != checksum:
            _logger.warning("The file %s is damaged and is written again", checksum)
            path.unlink()

    def _comply360_stored_sha256(self):
        """SHA-256 of the stored bytes, read from where they lie; empty if there should be none."""
        if not self.x_comply360_sha256:
            return ""
        return hashlib.sha256(self._comply360_bytes()).hexdigest()

    def _comply360_bytes(self):
        return self._file_read(self.store_fname) if self.store_fname else bytes(self.db_datas or b"")

    def _comply360_value(self, rule):
        if rule.target == "x_comply360_sha256":
            return self._comply360_stored_sha256()
        return super()._comply360_value(rule)

    def _comply360_share(self):
        """Show each lead's documents on its customer too; the file itself is stored once."""
        for document in self:
            customer = document._comply360_customer()
            there = document.x_comply360_copy_ids.filtered(
                lambda copy, customer=customer: copy._comply360_is_on(customer)
            )
            copy = there[:1]
            (document.x_comply360_copy_ids - copy).unlink()
            if not customer:
                continue
            values = {name: document[name] for name in SHARED}
            if copy:
                copy.write({name: value for name, value in values.items() if copy[name] != value})
            else:
                place = {"res_model": "res.partner", "res_id": customer.id, "x_comply360_original_id": document.id}
                creating = self.with_context(**AS_IT_IS, comply360_created=CREATED)
                copy = creating.create({**values, **place}).with_env(self.env)
            if copy._comply360_shows_other_bytes():
                copy._comply360_store(document._comply360_bytes())

    def _comply360_is_on(self, customer):
        return bool(customer) and (self.res_model, self.res_id) == ("res.partner", customer.id)

    def _comply360_shows_other_bytes(self):
        """Whether this copy's bytes are not those of its original; one file needs no look."""
        original = self.x_comply360_original_id
        if self.store_fname and self.store_fname == original.store_fname:
            return self.checksum != original.checksum
        return self._comply360_bytes() != original._comply360_bytes()

    # -- what a comparison looks at besides the app's fields -------------------------------------------------------

    def _comply360_restored(self, tenant, key):
        return {**super()._comply360_restored(tenant, key), **self._comply360_misplaced()}

    def _comply360_misplaced(self):
        """The right place, type and visibility, where they are not so."""
        lead, customer = self.x_comply360_lead_id, self.x_comply360_partner_id
        right = {
            "public": False,
            "type": "url" if self.x_comply360_link else "binary",
            "url": self.x_comply360_link or False,
        }
        mimetype = self.x_comply360_mime_type
        if mimetype and mimetype != ANY_BYTES:
            right.update(self.with_context(**AS_IT_IS)._check_contents({"mimetype": mimetype}))
        if lead or customer:
            right.update(res_model="crm.lead" if lead else "res.partner", res_id=(lead or customer).id)
        return {name: value for name, value in right.items() if (self[name] or False) != value}

    def _comply360_deviations(self, tenant, key):
        return [*super()._comply360_deviations(tenant, key), *self._comply360_copy_deviations()]

    def _comply360_copy_deviations(self):
        customer, copies = self._comply360_customer(), self.x_comply360_copy_ids
        copy = copies.filtered(lambda copy: copy._comply360_is_on(customer))[:1]
        found = [
            self._comply360_deviation("x_comply360_copy_ids", f"{other.res_model} {other.res_id}", "")
            for other in copies - copy
        ]
        if customer and not copy:
            found.append(self._comply360_deviation("x_comply360_copy_ids", "", f"res.partner {customer.id}"))
        if copy:
            found += [
                self._comply360_deviation(f"x_comply360_copy_ids.{name}", copy[name], self[name])
                for name in SHARED
                if copy[name] != self[name]
            ]
        if copy and copy._comply360_shows_other_bytes():
            found.append(self._comply360_deviation("x_comply360_copy_ids.sha256", *map(_sha256, (copy, self))))
        return found

    def _comply360_customer(self):
        if not self.x_comply360_lead_id:
            return self.env["res.partner"]
        customer = self.x_comply360_partner_id or self.x_comply360_lead_id.partner_id
        is_ours = customer.x_comply360_tenant_id == self.x_comply360_tenant_id
        return customer if is_ours and customer.x_comply360_entity == "client" else self.env["res.partner"]

    def _comply360_remove(self):
        self.x_comply360_copy_ids.unlink()
        self.unlink()


def _sha256(attachment):
    return hashlib.sha256(attachment._comply360_bytes()).hexdigest()
