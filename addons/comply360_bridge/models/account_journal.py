import json
from datetime import timedelta

from babel.dates import format_date, format_datetime
from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.misc import get_lang

BANKS = ("bank", "cash", "credit")
TRADE = ("sale", "purchase")
WEEKS = (-7, 0, 7, 14, 21)


class AccountJournal(models.Model):
    """The accounting dashboard counts what its reader may see.

    Odoo's cards read tables past the record rules. For users limited to tenants the same figures are read within them.
    """

    _inherit = "account.journal"

    def _compute_last_bank_statement(self):
        """Show limited users no statement: its balance is of all tenants."""
        if not self._comply360_is_limited():
            return super()._compute_last_bank_statement()
        self.last_statement_id = False
        return None

    def _get_json_activity_data(self):
        """Leave out activities that the reader may not see."""
        result = super()._get_json_activity_data()
        if not self._comply360_is_limited():
            return result
        found = {journal: json.loads(journal.json_activity_data)["activities"] for journal in self}
        ids = [item["id"] for items in found.values() for item in items]
        seen = set(self.env["mail.activity"].search([("id", "in", ids)]).ids)
        for journal, items in found.items():
            journal.json_activity_data = json.dumps({"activities": [item for item in items if item["id"] in seen]})
        return result

    # -- sales and purchases -------------------------------------------------------------------------------------------

    def _get_draft_sales_purchases_query(self):
        return self._comply360_within(super()._get_draft_sales_purchases_query())

    def _get_open_sale_purchase_query(self, journal_type):
        query, selects = super()._get_open_sale_purchase_query(journal_type)
        return self._comply360_within(query), selects

    @api.model
    def _comply360_within(self, query):
        if self._comply360_is_limited():
            seen = self.env["account.move"]._search([])
            query.add_where(SQL("%s IN %s", SQL.identifier(query.table, "id"), seen.subselect()))
        return query

    def _fill_sale_purchase_dashboard_data(self, dashboard_data):
        result = super()._fill_sale_purchase_dashboard_data(dashboard_data)
        trade = self.filtered(lambda journal: journal.type in TRADE)
        if self._comply360_is_limited() and trade:
            trade._fill_dashboard_data_count(dashboard_data, "account.move", "has_entries", [])
            for journal in trade:
                has_entries = bool(dashboard_data[journal.id]["has_entries"])
                dashboard_data[journal.id].update(has_entries=has_entries, is_sample_data=not has_entries)
        return result

    def _get_sale_purchase_graph_data(self):
        found = super()._get_sale_purchase_graph_data()
        if self._comply360_is_limited():
            for journal in self:
                for graph in found[journal.id]:
                    journal._comply360_fill_weeks(graph)
        return found

    def _comply360_fill_weeks(self, graph):
        """The residual amounts by week in which they are due, as Odoo sums them."""
        today = fields.Date.today()
        start = today - timedelta(days=int(format_datetime(today, "e", locale=get_lang(self.env).code)) - 1)
        edges = [start + timedelta(days=days) for days in WEEKS]
        due = Domain(
            [
                *self.env["account.move"]._check_company_domain(self.env.companies),
                ("journal_id", "=", self.id),
                ("state", "=", "posted"),
                ("payment_state", "in", ("not_paid", "partial")),
                ("move_type", "in", self.env["account.move"].get_invoice_types(True)),
            ]
        )
        currency = self.currency_id or self.company_id.sudo().currency_id
        for place, bar in enumerate(graph["values"]):
            weeks = [("invoice_date_due", ">=", edges[place - 1])] if place else []
            weeks += [("invoice_date_due", "<", edges[place])] if place < len(edges) else []
            [(total,)] = self.env["account.move"]._read_group(due & Domain(weeks), [], ["amount_residual_signed:sum"])
            bar["value"] = currency.round((1 if self.type == "sale" else -1) * (total or 0))
            if bar["type"] == "o_sample_data":
                bar["type"] = "past" if place < 2 else "future"
        graph["is_sample_data"] = False

    # -- banks ---------------------------------------------------------------------------------------------------------

    def _fill_bank_cash_dashboard_data(self, dashboard_data):
        result = super()._fill_bank_cash_dashboard_data(dashboard_data)
        banks = self.filtered(lambda journal: journal.type in BANKS)
        if self._comply360_is_limited() and banks:
            to_match = [("is_reconciled", "!=", True), ("move_id.checked", "=", True), ("move_id.state", "=", "posted")]
            banks._fill_dashboard_data_count(
                dashboard_data, "account.bank.statement.line", "number_to_reconcile", to_match
            )
        return result

    def _get_journal_dashboard_bank_running_balance(self):
        if not self._comply360_is_limited():
            return super()._get_journal_dashboard_bank_running_balance()
        lines = self._comply360_lines([("move_id.state", "!=", "cancel")])
        found = {
            journal.id: (bool(number), total)
            for journal, total, number in lines._read_group(
                [("id", "in", lines.ids)], ["journal_id"], ["amount:sum", "__count"]
            )
        }
        return {journal.id: found.get(journal.id, (False, 0.0)) for journal in self}

    def _get_bank_cash_graph_data(self):
        """The balance of each day of the last month, from the lines that the reader may see."""
        found = super()._get_bank_cash_graph_data()
        if self._comply360_is_limited():
            for journal in self:
                for graph in found[journal.id]:
                    graph.update(values=journal._comply360_balances(), is_sample_data=False)
        return found

    def _comply360_balances(self):
        today, locale = fields.Date.today(), get_lang(self.env).code
        since = today - timedelta(days=30)
        currency = self.currency_id or self.company_id.sudo().currency_id
        amount = self.current_statement_balance
        points = {today: amount}
        for line in self._comply360_lines([("date", ">", since)]).sorted("date", reverse=True):
            points.setdefault(line.date, amount)
            amount -= line.amount
        points.setdefault(since, amount)
        return [
            {
                "x": format_date(day, "d MMM", locale=locale),
                "y": currency.round(balance),
                "name": format_date(day, "d LLLL Y", locale=locale),
            }
            for day, balance in sorted(points.items())
        ]

    def _comply360_lines(self, domain):
        companies = [("journal_id", "in", self.ids), ("company_id", "in", self.env.companies.ids)]
        return self.env["account.bank.statement.line"].search([*companies, *domain])

    def _get_direct_bank_payments(self):
        if not self._comply360_is_limited():
            return super()._get_direct_bank_payments()
        return {
            journal.id: journal._comply360_payments(
                [("is_matched", "=", True), ("outstanding_account_id", "=", journal.default_account_id.id)]
            )
            for journal in self
        }

    def _get_journal_dashboard_outstanding_payments(self):
        if not self._comply360_is_limited():
            return super()._get_journal_dashboard_outstanding_payments()
        return {journal.id: journal._comply360_payments([("is_matched", "!=", True)]) for journal in self}

    def _comply360_payments(self, domain):
        """Number and amount of posted payments, as Odoo counts and converts them."""
        own = [("journal_id", "=", self.id), ("company_id", "in", self.env.companies.ids)]
        payments = self.env["account.payment"].search([*own, ("move_id.state", "=", "posted"), *domain])
        groups = payments.grouped(lambda payment: (payment.company_id.id, payment.currency_id.id))
        sums = [
            {
                "company_id": company,
                "currency": currency,
                "amount_total": sum(-item.amount if item.payment_type == "outbound" else item.amount for item in group),
                "amount_total_company": sum(group.mapped("amount_company_currency_signed")),
            }
            for (company, currency), group in groups.items()
        ]
        currency = (self.currency_id or self.company_id.sudo().currency_id).with_env(self.env)
        return self._count_results_and_sum_amounts(sums, currency)
