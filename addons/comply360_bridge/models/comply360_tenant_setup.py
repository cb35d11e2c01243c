from odoo import fields, models
from odoo.tools import SQL

from ..mappers import MAPPERS

LOCKS = ("fiscalyear_lock_date", "purchase_lock_date", "hard_lock_date")
# records of these belong to their tenant's company
OF_COMPANY = ("user", "client", "registration", "commission")


class Comply360Tenant(models.Model):
    """What does not fit between a tenant and Odoo's settings."""

    _inherit = "comply360.tenant"

    def _comply360_misfits(self, currencies):
        self.ensure_one()
        return [
            *self._comply360_misfits_of_team(),
            *self._comply360_misfits_of_company(),
            *self._comply360_misfits_of_currencies(currencies),
            *self._comply360_misfits_of_records(),
        ]

    def _comply360_team(self):
        """The sales team of the tenant's new leads; empty if its company has none."""
        return self.team_id or self.env["crm.team"].search(
            [("company_id", "in", [self.company_id.id, False]), ("use_opportunities", "=", True)], limit=1
        )

    def _comply360_stages(self, won, limit=1):
        """The stages that a lead of the tenant's team may take: the won one, or the first open ones."""
        domain = [("is_won", "=", True)] if won else [("fold", "=", False), ("is_won", "=", False)]
        return self.env["crm.lead"]._stage_find(team_id=self._comply360_team().id, domain=domain, limit=limit)

    def _comply360_misfits_of_team(self):
        team, company = self._comply360_team(), self.company_id
        shown = team.display_name or "no sales team"
        if not team:
            yield _misfit(
                "no_team",
                "crm.team",
                company.name,
                f"{company.name} has no sales team for opportunities: new leads belong to nobody",
                "in Odoo, create a team under CRM > Configuration > Sales Teams, or choose one in the tenant's form",
            )
        if self.team_id and self.team_id.company_id not in (company, company.browse()):
            yield _misfit(
                "team_of_another_company",
                "comply360.tenant.team_id",
                shown,
                f"the sales team {shown} belongs to {team.company_id.name}, but the tenant to {company.name}",
                f"in Odoo, choose a sales team of {company.name} in the tenant's form, or empty the team's company",
            )
        if not self._comply360_stages(won=True):
            yield _misfit(
                "no_won_stage",
                "crm.stage.is_won",
                shown,
                f"{shown} has no won stage: leads of approved registrations stay in their stage",
                f"in Odoo, open a won stage under CRM > Configuration > Stages and add {shown} to its sales teams, or "
                "create a won stage; what waits for it then goes by itself",
            )
        if not self._comply360_stages(won=False):
            yield _misfit(
                "no_open_stage",
                "crm.stage",
                shown,
                f"{shown} has no open stage: new leads have no place in its pipeline",
                f"in Odoo, create a stage for {shown} under CRM > Configuration > Stages, neither won nor folded",
            )

    def _comply360_misfits_of_company(self):
        company = self.company_id
        if not company.active:
            yield _misfit(
                "archived_company",
                "comply360.tenant.company_id",
                company.name,
                f"the tenant's company {company.name} is archived",
                "in Odoo, unarchive the company, or choose another one in the tenant's form",
            )
        journals = self.env["account.journal"]
        if not journals.search_count([*journals._check_company_domain(company), ("type", "=", "purchase")], limit=1):
            yield _misfit(
                "no_purchase_journal",
                "account.journal.type",
                company.name,
                f"{company.name} has no purchase journal: commissions cannot be billed",
                f"in Odoo, create a journal of type Purchase for {company.name} under Accounting > Configuration > "
                "Journals",
            )
        today = fields.Date.context_today(self)
        for name in LOCKS:
            locked = max((one[name] for one in company.sudo().parent_ids if one[name]), default=None)
            if locked and locked >= today:
                yield _misfit(
                    "locked",
                    f"res.company.{name}",
                    str(locked),
                    f"{company.name} is locked until {locked}: bills and payments of today are refused or dated later",
                    f"a hard lock date cannot be changed back: date bills and payments after {locked}"
                    if name == "hard_lock_date"
                    else "in Odoo, set a lock date before today under Accounting > Closing > Lock Dates",
                )

    def _comply360_misfits_of_currencies(self, currencies):
        currencies = {**dict.fromkeys(self._comply360_currencies_in_use(), "0"), **currencies}
        found = self.env["res.currency"].search([("name", "in", list(currencies))])
        known = {currency.name: currency for currency in found}
        today = fields.Date.context_today(self)
        for code, decimals in sorted(currencies.items()):
            currency = known.get(code)
            if currency is None:
                # Comply360 creates the ones that it knows; any other parks its commissions
                yield _misfit(
                    "unknown_currency",
                    "res.currency.name",
                    code,
                    f"Odoo has no currency {code}, in which the tenant has commissions",
                    f"in Odoo, create the currency {code} under Accounting > Configuration > Currencies",
                )
                continue
            if not currency.active:
                yield _misfit(
                    "inactive_currency",
                    "res.currency.active",
                    code,
                    f"{code} is inactive in Odoo: commissions in {code} are refused",
                    f"in Odoo, activate {code} under Accounting > Configuration > Currencies",
                )
            if not currency._comply360_has_rate(self.company_id, today):
                yield _misfit(
                    "no_rate",
                    "res.currency.rate",
                    code,
                    f"{code} has no rate for {today} in {self.company_id.name}: commissions in {code} cannot be billed",
                    f"in Odoo, enter a rate of {code} under Accounting > Configuration > Currencies",
                )
            step = 10.0 ** -int(decimals)
            if currency.rounding > step * 1.000001:
                yield _misfit(
                    "coarse_currency",
                    "res.currency.rounding",
                    str(currency.rounding),
                    f"Odoo rounds {code} to {currency.rounding}, but the app has amounts with {decimals} decimals",
                    f"in Odoo, set the rounding factor of {code} to {step:.{int(decimals)}f} under Accounting > "
                    "Configuration > Currencies",
                )

    def _comply360_currencies_in_use(self):
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.name FROM res_currency c
                 WHERE c.id IN (SELECT currency_id FROM x_commission WHERE x_comply360_tenant_id = %s
                                   AND state IN ('pending', 'approved'))
                """,
                self.id,
            )
        )
        return [name for (name,) in rows]

    def _comply360_misfits_of_records(self):
        for entity in OF_COMPANY:
            model = self.env[MAPPERS[entity].model]
            rows = self.env.execute_query(
                SQL(
                    """
                    SELECT count(*), min(t.id) FROM comply360_binding b
                      JOIN %s t ON t.id = b.res_id AND t.company_id IS NOT NULL AND t.company_id <> %s
                     WHERE b.tenant_id = %s AND b.entity = %s AND b.res_model = %s AND b.state = 'active'
                    """,
                    SQL.identifier(model._table),
                    self.company_id.id,
                    self.id,
                    entity,
                    model._name,
                )
            )
            count, first = rows[0]
            if count:
                record = model.browse(first)
                yield _misfit(
                    "record_of_another_company",
                    f"{model._name}.company_id",
                    f"{model._name} {first}",
                    f"{count} {entity} records belong to another company than {self.company_id.name}, such as "
                    f"{record.display_name} ({model._name} {first}) of {record.company_id.name}",
                    f"in Odoo, set their company to {self.company_id.name}",
                )


def _misfit(code, place, value, message, advice):
    return {"code": code, "place": place, "value": value or "", "message": message, "advice": advice}
