"""The app's side of a comparison with Odoo."""
