"""Odoo's edge: the only place that knows xmlrpc, JSON-2 and odoorpc."""
