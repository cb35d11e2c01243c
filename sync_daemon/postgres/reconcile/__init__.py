"""The app side of a comparison with Odoo."""
