from odoo import models


class AccountBankStatementLine(models.Model):
    """It shows and writes the fields of its journal entry, which may be guarded."""

    _name = "account.bank.statement.line"
    _inherit = ["account.bank.statement.line", "comply360.guarded"]
