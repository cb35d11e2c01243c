"""The app side of the walk to Odoo."""
