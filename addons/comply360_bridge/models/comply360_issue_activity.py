from odoo import api, models
from odoo.tools import plaintext2html

TOUCHED = "comply360_bridge.touched_causes"
WATCHED = ("state", "code", "kind")


class Comply360Issue(models.Model):
    """Each tenant's open issues of one cause are one activity of the company's responsible person."""

    _name = "comply360.issue"
    _inherit = ["comply360.issue", "mail.thread", "mail.activity.mixin"]
    # readers change no issue, but see and finish the activities of it
    _mail_post_access = "read"

    @api.model_create_multi
    def create(self, vals_list):
        """Tell the responsible person at the end of the transaction."""
        issues = super().create(vals_list)
        issues._tell_later()
        return issues

    def write(self, vals):
        """Tell the responsible person at the end of the transaction what came, grew less or went."""
        if not any(name in vals for name in WATCHED):
            return super().write(vals)
        self._tell_later()
        result = super().write(vals)
        self._tell_later()
        return result

    def unlink(self):
        """The activity of an issue that goes passes to another one of its cause."""
        self._tell_later()
        return super().unlink()

    def message_subscribe(self, partner_ids=None, subtype_ids=None):
        """Nobody follows an issue: Odoo would make a follower of whom an activity is given to."""
        return True

    def _tell_later(self):
        precommit = self.env.cr.precommit
        if TOUCHED not in precommit.data:
            precommit.data[TOUCHED] = set()
            precommit.add(self.browse()._tell_touched)
        precommit.data[TOUCHED].update((issue.tenant_id.id, issue.cause) for issue in self.sudo())

    @api.model
    def _tell_touched(self):
        self._tell(self.env.cr.precommit.data.pop(TOUCHED, ()))

    @api.model
    def _tell(self, causes):
        """Bring the activities of these tenants and causes up to date.

        Shapes: `causes` holds pairs of a tenant's id and a cause.
        """
        # of the context, a batch's would show finished activities too
        issues = self.sudo().with_context(active_test=True, mail_activity_quick_update=True)
        kind = self.env.ref("comply360_bridge.mail_activity_type_issue", raise_if_not_found=False)
        for tenant_id, cause in sorted(causes) if kind else ():
            issues._tell_cause([("tenant_id", "=", tenant_id), ("cause", "=", cause)], kind)

    @api.model
    def _tell_cause(self, same, kind):
        still_open = [*same, ("state", "=", "open")]
        first = self.search(still_open, order="id", limit=1)
        activities = self._given(same, kind)
        user = first._whom_to_tell()
        kept = activities[:1] if user else activities.browse()
        (activities - kept).unlink()
        if not user:
            return
        values = first._activity_of_cause(user, self.search_count(still_open))
        if not kept:
            first.activity_schedule(activity_type_id=kind.id, user_id=user.id, **values)
            return
        if self.browse(kept.res_id).state != "open":
            values["res_id"] = first.id
        if changes := {name: value for name, value in values.items() if kept[name] != value}:
            kept.write(changes)

    def _whom_to_tell(self):
        """The company's responsible person, if there is one who may read the issue."""
        user = self.company_id.x_comply360_responsible_id
        if not user.active or self.tenant_id.selftest:
            return user.browse()
        seen = self.with_user(user).with_context(allowed_company_ids=user.company_ids.ids)
        return user if seen.has_access("read") else user.browse()

    def _activity_of_cause(self, user, count):
        # who reads it, not who or what failed, decides the language
        issue = self.with_context(lang=user.lang)
        label = dict(issue._fields["cause"]._description_selection(issue.env))[issue.cause]
        return {"summary": f"{label} ({count})", "note": plaintext2html(issue.remedy)}

    @api.model
    def _hand_over(self, companies):
        """Take the activities back, and give them to whom the companies name now."""
        of_companies = [("company_id", "in", companies.ids), ("state", "=", "open")]
        if kind := self.env.ref("comply360_bridge.mail_activity_type_issue", raise_if_not_found=False):
            self._given(of_companies, kind).unlink()
        groups = self._read_group(of_companies, ["tenant_id", "cause"])
        self._tell({(tenant.id, cause) for tenant, cause in groups})

    @api.model
    def _given(self, domain, kind):
        """The activities that stand on issues of this domain, oldest first."""
        ours = [("res_model", "=", self._name), ("activity_type_id", "=", kind.id), ("automated", "=", True)]
        return self.env["mail.activity"].search([*ours, ("res_id", "in", self._search(domain))], order="id")
