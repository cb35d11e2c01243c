"""Translates wire documents into Odoo's values and back; pure, imports nothing of Odoo."""

from .attachment import DOCUMENT
from .client import CLIENT
from .commission import COMMISSION
from .document import Document, Refused, parse_document
from .extra import OWN_PREFIX, PREFIX, TYPES, extra_rule
from .invoice import INVOICE
from .issue import ISSUE
from .mapper import Lookups, Mapper, Problem
from .registration import REGISTRATION
from .tenant import TENANT
from .user import USER

_ALL = (TENANT, USER, CLIENT, REGISTRATION, COMMISSION, INVOICE, DOCUMENT, ISSUE)
MAPPERS = {mapper.entity: mapper for mapper in _ALL}
"""All mappers by entity, parents first, in the order of application."""
