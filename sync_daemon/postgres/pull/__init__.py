"""The app side of the walk from Odoo."""
