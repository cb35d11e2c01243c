"""Ways to call one method of Odoo's `comply360.bridge`."""
