"""The daemon that keeps the tenant schemas of comply360_app and Odoo in sync, and c360, its command line."""

__version__ = "0.1.0"
