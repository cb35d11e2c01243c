"""Odoo's edge: the only room that knows xmlrpc, JSON-2 and odoorpc."""
