from odoo import api, fields, models

from ..mappers.issue import cause_of

CAUSES = [
    ("value", "A value cannot be transferred"),
    ("unknown", "A value is not known yet"),
    ("amount", "An amount does not fit its currency"),
    ("catalogue", "A country or currency is missing"),
    ("salesperson", "The salesperson cannot own the lead"),
    ("stage", "The sales team has no won stage"),
    ("parent", "Another record has to arrive first"),
    ("gone", "The record was deleted or merged"),
    ("link", "A customer has to be chosen"),
    ("conflict", "Both sides changed the same field"),
    ("money", "Bill and payment contradict each other"),
    ("brake", "Many records would lose values at once"),
    ("odoo", "Odoo refuses the change"),
    ("app", "The app refuses the change"),
    ("file", "A document's file cannot be read"),
    ("tenant", "A record names another tenant"),
    ("release", "App, bridge and addon do not match"),
    ("other", "Another cause"),
]
ENTITIES = [
    ("tenant", "Tenant"),
    ("user", "Agent"),
    ("client", "Customer"),
    ("registration", "Registration"),
    ("commission", "Commission"),
    ("document", "Document"),
    ("invoice", "Invoice"),
    ("issue", "Issue"),
]


class Comply360Issue(models.Model):
    """The cause of an issue and what to do about it, in words."""

    _inherit = "comply360.issue"

    cause = fields.Selection(CAUSES, compute="_compute_cause", store=True, index=True)
    record_kind = fields.Selection(ENTITIES, string="Kind of Record", compute="_compute_record_kind")
    record_name = fields.Char(string="Record", compute="_compute_record_name")
    remedy = fields.Char(string="What to Do", compute="_compute_remedy")

    @api.depends("code", "kind")
    def _compute_cause(self):
        for issue in self:
            issue.cause = cause_of(issue.kind, issue.code)

    @api.depends("record_entity")
    def _compute_record_kind(self):
        known = dict(ENTITIES)
        for issue in self:
            issue.record_kind = issue.record_entity if issue.record_entity in known else False

    @api.depends("record_entity", "record_id")
    @api.depends_context("uid")
    def _compute_record_name(self):
        """The name of Odoo's record as far as the reader may see it, else how the app knows it."""
        labels = dict(self._fields["record_kind"]._description_selection(self.env))
        for issue in self:
            label = labels.get(issue.record_entity, issue.record_entity or "")
            issue.record_name = f"{label} {(issue.record_id or '')[:8]}".strip()
        for installation, issues in self.grouped(lambda issue: issue.tenant_id.sudo().installation).items():
            keys = {issue: (issue.tenant_id.sudo().uuid, issue.record_entity, issue.record_id) for issue in issues}
            # readers of issues may lack access to bindings; the record's own rules decide about its name
            found = self.env["comply360.binding"].sudo()._find(installation, set(keys.values())) if installation else {}
            for model, names in self._names_by_model(found).items():
                for issue, key in keys.items():
                    if key in found and found[key][0] == model and found[key][1] in names:
                        issue.record_name = names[found[key][1]]

    @api.model
    def _names_by_model(self, found):
        ids = {}
        for model, res_id, _state in found.values():
            ids.setdefault(model, set()).add(res_id)
        return {
            model: {
                record.id: record.display_name
                for record in self.env[model].with_context(active_test=False).search([("id", "in", sorted(some))])
            }
            for model, some in ids.items()
            if self.env[model].has_access("read")
        }

    @api.depends("cause", "direction")
    @api.depends_context("lang")
    def _compute_remedy(self):
        words = self._remedies()
        for issue in self:
            issue.remedy = words.get(issue.cause, words["other"])

    @api.model
    def _remedies(self):
        """By cause, what a person does about it."""
        return {
            "value": self.env._("Correct the value in the app. The record then syncs by itself."),
            "unknown": self.env._(
                "Correct the value in the app, or ask your administrator to map it. Then press Retry."
            ),
            "amount": self.env._(
                "Correct the amount in the app, or make the currency's rounding finer. Then press Retry."
            ),
            "catalogue": self.env._("Activate the country or currency in Odoo. Then press Retry."),
            "salesperson": self.env._(
                "Give the salesperson access to the lead's company and to sales. Then press Retry."
            ),
            "stage": self.env._("Add the tenant's sales team to a won stage. The registration then syncs by itself."),
            "parent": self.env._(
                "Solve the issue of the record that this one belongs to. This one then syncs by itself."
            ),
            "gone": self.env._(
                "Press Ignore if the record was deleted on purpose. Else ask your administrator to restore it."
            ),
            "link": self.env._(
                "Choose the customer under Customers to Link, or ask your administrator to choose the record."
            ),
            "conflict": self.env._("Decide which value is right: press Keep App Value or Keep Odoo Value."),
            "money": self.env._("Open the record: its page says what to correct. The issue then closes by itself."),
            "brake": self.env._(
                "Ask your administrator whether the change was meant. It waits until somebody releases it."
            ),
            "odoo": self.env._("Correct what the description names. Then press Retry."),
            "app": self.env._("Correct what the description names, here or in the app. Then press Retry."),
            "file": self.env._("Upload the file in the app again. Then press Retry."),
            "tenant": self.env._(
                "Correct the record in the app: it names another tenant, so nothing was read or sent."
            ),
            "release": self.env._("Ask your administrator to bring app, bridge and addon to the same release."),
            "other": self.env._("Read the description. When its cause is gone, press Retry."),
        }
