from odoo import api, models
from odoo.tools import SQL

from ..mappers.client import canonical_number


class CrmLead(models.Model):
    """Leads that may be a registration's although nothing binds them."""

    _inherit = "crm.lead"

    @api.model
    def _comply360_unbound_by_number(self, numbers):
        """Unbound leads by registration number; archived ones too."""
        self.flush_model(["x_comply360_registration_number"])
        rows = self.env.execute_query(
            SQL(
                """
            SELECT l.id FROM crm_lead l
             WHERE regexp_replace(upper(coalesce(l.x_comply360_registration_number, '')), '[^[:alnum:]]', '', 'g')
                   = ANY(%s)
               AND NOT EXISTS (SELECT FROM comply360_binding b
                                WHERE b.res_model = 'crm.lead' AND b.res_id = l.id AND b.state = 'active')
             ORDER BY l.id
            """,
                list(numbers),
            )
        )
        found = {number: [] for number in numbers}
        for lead in self.browse(row_id for (row_id,) in rows):
            found[canonical_number(lead.x_comply360_registration_number)].append(lead)
        return found
