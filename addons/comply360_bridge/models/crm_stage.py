from odoo import api, models


class CrmStage(models.Model):
    _inherit = "crm.stage"

    @api.model_create_multi
    def create(self, vals_list):
        """Approved registrations that waited for a won stage may have one now."""
        stages = super().create(vals_list)
        if any(stages.mapped("is_won")):
            self.env["comply360.issue"].sudo()._retry_where_a_won_stage_is()
        return stages

    def write(self, vals):
        """Approved registrations that waited for a won stage may have one now."""
        result = super().write(vals)
        if {"is_won", "team_ids"} & vals.keys():
            self.env["comply360.issue"].sudo()._retry_where_a_won_stage_is()
        return result
