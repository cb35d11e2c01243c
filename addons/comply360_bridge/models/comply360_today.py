from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..demo.records import INSTALLATION

STALE = timedelta(seconds=90)
"""The bridge beats twice a minute: whoever is silent for longer has missed two beats."""

DAY = timedelta(hours=24)
OPEN_STATES = ("pending", "approved")
SHOWN_TENANTS = 20
HOPS = {"to_odoo": "received_at", "to_app": "returned_at"}


class Comply360Today(models.AbstractModel):
    """What is to be done and how the sync does, within the reader's own rights."""

    _name = "comply360.today"
    _description = "Comply360: Today"

    @api.model
    def figures(self):
        """Everything that the page Today shows.

        Shapes: `totals` by currency and `tenants` by tenant and currency hold a count and a sum for `pending` and
        for `approved`; no sum adds two currencies. `registrations` is False for users who may not read leads.

        Units: instants are naive UTC.
        """
        self._check_reader()
        tenants = self.env["comply360.tenant"].search_fetch([], ["name", "status", "installation"])
        user = self.env.user
        return {
            **self._commissions(),
            "registrations": self._registrations(),
            "failures": self._failures(),
            "waiting": self._waiting(tenants),
            "synced": self._synced(tenants),
            "heartbeat": self._heartbeat(tenants),
            "may_process": user.has_group("comply360_bridge.group_accountant"),
            "may_manage": user.has_group("comply360_bridge.group_manager"),
        }

    @api.model
    def alert(self):
        """What the icon in the menu bar shows: the number of open issues, and whether the bridge is silent."""
        self._check_reader()
        tenants = self.env["comply360.tenant"].search_fetch([], ["name", "status", "installation"])
        return {
            "issues": self.env["comply360.issue"].search_count([("state", "=", "open")]),
            "is_stale": any(hop["is_stale"] for hop in self._heartbeat(tenants)),
        }

    def _check_reader(self):
        if not self.env.user.has_group("comply360_bridge.group_user"):
            raise AccessError(self.env._("Only Comply360 users may see what is to be done today."))

    # -- the reader's own records --------------------------------------------------------------------------------------

    def _commissions(self):
        rows = self.env["x_commission"]._read_group(
            [("state", "in", OPEN_STATES)],
            ["x_comply360_tenant_id", "currency_id", "state"],
            ["__count", "commission_amount:sum"],
        )
        totals, by_tenant = {}, {}
        for tenant, currency, state, count, amount in rows:
            for sums, key in ((totals, currency), (by_tenant, (tenant, currency))):
                step = sums.setdefault(key, {name: {"count": 0, "amount": 0.0} for name in OPEN_STATES})[state]
                step["count"] += count
                step["amount"] = currency.round(step["amount"] + amount)
        names = {tenant: tenant.sudo().name for tenant, _currency in by_tenant if tenant}
        work = {}
        for (tenant, _currency), steps in by_tenant.items():
            work[tenant] = work.get(tenant, 0) + sum(step["count"] for step in steps.values())
        ordered = sorted(by_tenant, key=lambda key: (-work[key[0]], names.get(key[0], ""), key[0].id, key[1].name))
        return {
            "totals": [
                {"currency_id": currency.id, "currency": currency.name, **totals[currency]}
                for currency in sorted(totals, key=lambda currency: currency.name)
            ],
            "tenants": [
                {
                    "tenant_id": tenant.id,
                    "tenant": names.get(tenant, False),
                    "currency_id": currency.id,
                    "currency": currency.name,
                    **by_tenant[tenant, currency],
                }
                for tenant, currency in ordered[:SHOWN_TENANTS]
            ],
            "more_tenants": max(0, len(ordered) - SHOWN_TENANTS),
        }

    def _registrations(self):
        leads = self.env["crm.lead"].with_context(active_test=False)
        if not leads.has_access("read"):
            return False
        own = [("x_comply360_external_id", "!=", False), ("user_id", "=", self.env.uid)]
        labels = dict(leads._fields["x_comply360_status"]._description_selection(self.env))
        counts = dict(leads._read_group(own, ["x_comply360_status"], ["__count"]))
        return [
            {"status": status, "label": label, "count": counts[status]}
            for status, label in labels.items()
            if counts.get(status)
        ]

    def _failures(self):
        issues = self.env["comply360.issue"]
        labels = dict(issues._fields["cause"]._description_selection(self.env))
        rows = issues._read_group([("state", "=", "open")], ["cause"], ["__count"])
        found = [{"cause": cause, "label": labels.get(cause, cause), "count": count} for cause, count in rows]
        return sorted(found, key=lambda row: (-row["count"], row["label"]))

    # -- the bridge's own tables: only of tenants that the reader sees -------------------------------------------------

    def _waiting(self, tenants):
        """How many records wait for the app, and since when the oldest does."""
        self.env["comply360.outbox"].flush_model()
        [(count, oldest)] = self.env.execute_query(
            SQL(
                """
            SELECT count(DISTINCT o.binding_id), min(o.marked_at)
              FROM comply360_outbox o JOIN comply360_binding b ON b.id = o.binding_id
             WHERE o.state = 'pending' AND o.tenant_id = ANY(%s)
               AND NOT (b.state = 'active' AND b.opted_out IS TRUE)
                """,
                tenants.ids,
            )
        )
        return {"count": count, "oldest": fields.Datetime.to_string(oldest)}

    def _synced(self, tenants):
        """When a record was synced last, and of each hour of the last day how many records were synced last in it."""
        now = fields.Datetime.now()
        rows = self.env.execute_query(
            SQL(
                """
            SELECT date_trunc('hour', synced_at), count(*), max(synced_at) FROM comply360_binding
             WHERE tenant_id = ANY(%s) AND synced_at > %s GROUP BY 1 ORDER BY 1
                """,
                tenants.ids,
                now - DAY,
            )
        )
        counts = {hour: count for hour, count, _last in rows}
        last = rows[-1][2] if rows else self._last_synced(tenants)
        first = (now - DAY).replace(minute=0, second=0, microsecond=0)
        hours = [first + timedelta(hours=number) for number in range(25)]
        return {
            "last": fields.Datetime.to_string(last),
            "hours": [[fields.Datetime.to_string(hour), counts.get(hour, 0)] for hour in hours],
        }

    def _last_synced(self, tenants):
        query = SQL("SELECT max(synced_at) FROM comply360_binding WHERE tenant_id = ANY(%s)", tenants.ids)
        return self.env.execute_query(query)[0][0]

    def _heartbeat(self, tenants):
        """Each hop with the time of its last sign of life; the oldest one if there are several installations."""
        active = tenants.filtered(lambda tenant: tenant.status == "active")
        installations = set(active.sudo().mapped("installation"))
        beats = self.env["comply360.heartbeat"].sudo().search([("installation", "in", sorted(installations))])
        # no bridge stands behind the demo
        installations -= {INSTALLATION} - set(beats.mapped("installation"))
        if not installations:
            return []
        now, found = fields.Datetime.now(), []
        for hop, name in HOPS.items():
            times = beats.mapped(name)
            oldest = min(times) if len(beats) == len(installations) and all(times) else False
            found.append(
                {
                    "hop": hop,
                    "at": fields.Datetime.to_string(oldest),
                    "is_stale": not oldest or now - oldest > STALE,
                }
            )
        return found
