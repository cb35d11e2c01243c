import { Component, onWillStart, useEffect, useRef, useState } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { getColor } from "@web/core/colors/colors";
import { cookie } from "@web/core/browser/cookie";
import { deserializeDateTime, formatDateTime } from "@web/core/l10n/dates";
import { localization } from "@web/core/l10n/localization";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useInterval } from "@comply360_bridge/today/interval";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { formatInteger, formatMonetary } from "@web/views/fields/formatters";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

// the heartbeat counts as stale after 90 seconds: a dead daemon is seen within two minutes
const REFRESH_EVERY = 20000;

export class Today extends Component {
    static template = "comply360_bridge.Today";
    static components = { Layout };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ figures: null, updated: null, isLost: false });
        this.display = { controlPanel: {} };
        this.canvas = useRef("canvas");
        this.steps = [
            { name: "pending", title: _t("To Approve"), empty: _t("Nothing waits for approval.") },
            { name: "approved", title: _t("To Pay"), empty: _t("Nothing waits for payment.") },
        ];
        onWillStart(async () => {
            await Promise.all([loadBundle("web.chartjs_lib"), this.load()]);
        });
        useInterval(() => this.load(), REFRESH_EVERY);
        useEffect(
            () => this.drawChart(),
            () => [JSON.stringify(this.state.figures?.synced.hours)]
        );
    }

    async load() {
        try {
            this.state.figures = await this.orm.silent.call("comply360.today", "figures", []);
            this.state.updated = luxon.DateTime.now();
            this.state.isLost = false;
        } catch (error) {
            if (!this.state.figures) {
                throw error;
            }
            this.state.isLost = true;
        }
    }

    // -- words --------------------------------------------------------------------------------------------------------

    money(amount, currencyId) {
        return formatMonetary(amount, { currencyId });
    }

    number(count) {
        return formatInteger(count);
    }

    commissions(count) {
        return count === 1 ? _t("1 commission") : _t("%s commissions", this.number(count));
    }

    ago(moment) {
        return moment ? deserializeDateTime(moment).toRelative() : _t("never");
    }

    at(moment) {
        return moment ? formatDateTime(deserializeDateTime(moment)) : "";
    }

    hopName(hop) {
        return hop === "to_odoo" ? _t("App to Odoo") : _t("Odoo to app");
    }

    totalsOf(step) {
        return this.state.figures.totals.filter((row) => row[step].count);
    }

    isSameTenant(index) {
        const { tenants } = this.state.figures;
        return index > 0 && tenants[index].tenant_id === tenants[index - 1].tenant_id;
    }

    get stale() {
        return this.state.figures.heartbeat.filter((hop) => hop.is_stale);
    }

    get issueCount() {
        return this.state.figures.failures.reduce((sum, row) => sum + row.count, 0);
    }

    get isIdle() {
        return !this.state.figures.synced.hours.some(([, count]) => count);
    }

    // -- links --------------------------------------------------------------------------------------------------------

    open(name, defaults) {
        const additionalContext = {};
        for (const [filter, value] of Object.entries(defaults)) {
            additionalContext[`search_default_${filter}`] = value;
        }
        return this.action.doAction(`comply360_bridge.${name}`, { additionalContext, viewType: "list" });
    }

    openCommissions(step, currencyId, tenantId) {
        const defaults = { to_process: false, [step]: 1, currency_id: currencyId };
        if (tenantId) {
            defaults.x_comply360_tenant_id = tenantId;
        }
        return this.open("x_commission_action", defaults);
    }

    openRegistrations(status) {
        return this.open("crm_lead_action_registration", { assigned_to_me: 1, [`comply360_${status}`]: 1 });
    }

    openIssues(cause) {
        return this.open("comply360_issue_action", cause ? { open: 1, cause } : { open: 1 });
    }

    openWaiting() {
        return this.open("comply360_outbox_action", { pending: 1 });
    }

    // -- graph --------------------------------------------------------------------------------------------------------

    drawChart() {
        if (!this.canvas.el) {
            return;
        }
        const scheme = cookie.get("color_scheme");
        const hours = this.state.figures.synced.hours.map(([hour]) => deserializeDateTime(hour));
        const format = localization.timeFormat.includes("a") ? "h a" : "HH:mm";
        const chart = new Chart(this.canvas.el, {
            type: "bar",
            data: {
                labels: hours.map((hour) => hour.toFormat(format)),
                datasets: [
                    {
                        label: _t("Records"),
                        data: this.state.figures.synced.hours.map(([, count]) => count),
                        backgroundColor: getColor(1, scheme, "odoo"),
                        borderRadius: 3,
                    },
                ],
            },
            options: {
                animation: false,
                maintainAspectRatio: false,
                plugins: {
                    legend: { display: false },
                    tooltip: { callbacks: { title: ([item]) => formatDateTime(hours[item.dataIndex]) } },
                },
                scales: {
                    x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
                    y: { beginAtZero: true, ticks: { precision: 0, maxTicksLimit: 5 } },
                },
            },
        });
        return () => chart.destroy();
    }
}

registry.category("actions").add("comply360_bridge.today", Today);
