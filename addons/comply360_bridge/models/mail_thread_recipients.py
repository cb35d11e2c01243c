from odoo import models
from odoo.tools.mail import email_normalize

from .comply360_walled import LINKS, OwnTenant


class MailThread(models.AbstractModel):
    """Odoo looks for recipients by e-mail; those of a tenant's record are of that tenant or of none."""

    _inherit = "mail.thread"

    def _partner_find_from_emails(
        self,
        records_emails,
        avoid_alias=True,
        ban_emails=None,
        filter_found=None,
        additional_values=None,
        no_create=False,
    ):
        """Find contacts of each record's tenant or of none; new ones belong to the record's tenant."""
        found = {}
        for tenant_ids, records in _by_tenants(records_emails).items():
            allowed = frozenset(tenant_ids)
            emails = {record: records_emails[record] for record in records}
            chosen = dict(additional_values or {})
            if len(allowed) == 1:
                (tenant_id,) = allowed
                for key in _keys(emails):
                    chosen[key] = {**chosen.get(key, {}), "x_comply360_tenant_id": OwnTenant(tenant_id)}
            searching = self.browse([record.id for record in records]) if self else self
            found.update(
                super(MailThread, searching)._partner_find_from_emails(
                    emails,
                    avoid_alias=avoid_alias,
                    ban_emails=ban_emails,
                    filter_found=_within(allowed, filter_found),
                    additional_values=chosen,
                    no_create=no_create,
                )
            )
        return found

    def _message_get_suggested_recipients_batch(self, **options):
        """Suggest no contact of another tenant, and leave the tenant of a new one to the server."""
        suggested = super()._message_get_suggested_recipients_batch(**options)
        for tenant_ids, records in _by_tenants(self).items():
            is_within = _within(frozenset(tenant_ids))
            for record in records:
                kept = []
                for recipient in suggested[record.id]:
                    if is_within is None or is_within(self.env["res.partner"].browse(recipient["partner_id"] or [])):
                        recipient["create_values"].pop("x_comply360_tenant_id", None)
                        kept.append(recipient)
                suggested[record.id] = kept
        return suggested


def _by_tenants(records):
    """Records in groups of the same tenants."""
    groups = {}
    for record in records:
        tenants = ()
        if record._name in LINKS and record.id and record.env["comply360.tenant"]._comply360_is_used():
            tenants = tuple(sorted(record.sudo().with_context(active_test=False)._comply360_tenants()[record.id]))
        groups.setdefault(tenants, []).append(record)
    return groups


def _within(allowed, asked=None):
    """A filter of contacts: those of these tenants or of none, and what the caller asks for."""
    if not allowed:
        return asked

    def is_within(partner):
        tenants = set().union(*partner.sudo()._comply360_tenants().values())
        return tenants <= allowed and (asked is None or bool(asked(partner)))

    return is_within


def _keys(records_emails):
    """The keys under which Odoo expects the values of new contacts."""
    return {email_normalize(mail, strict=False) or mail for mails in records_emails.values() for mail in mails}
