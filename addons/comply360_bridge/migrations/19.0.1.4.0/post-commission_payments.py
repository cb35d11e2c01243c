"""Bills, credit notes and payments that contradict a commission were not compared with it so far."""

from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Compare each billed commission with what was booked and paid; what differs is reported to the app."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    billed = env["x_commission"].search([("bill_id", "!=", False)])
    for name in ("bill_id", "bill_state", "payment_discrepancy", "payment_discrepancy_about"):
        env.add_to_compute(billed._fields[name], billed)
    env.flush_all()
