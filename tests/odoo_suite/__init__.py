"""Odoo's own tests of crm, account and mail, on a database without the addon and on one with it."""
