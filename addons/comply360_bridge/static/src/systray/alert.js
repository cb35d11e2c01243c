import { Component, onWillStart, useState } from "@odoo/owl";
import { useInterval } from "@comply360_bridge/today/interval";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";

const REFRESH_EVERY = 30000;

export class SyncAlert extends Component {
    static template = "comply360_bridge.SyncAlert";
    static props = {};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ isShown: false, issues: 0, isStale: false });
        // nothing waits for the answer: the menu bar comes first
        onWillStart(() => {
            this.start();
        });
        useInterval(() => this.load(), REFRESH_EVERY);
    }

    async start() {
        this.state.isShown = await user.hasGroup("comply360_bridge.group_accountant");
        await this.load();
    }

    async load() {
        if (!this.state.isShown) {
            return;
        }
        try {
            const alert = await this.orm.silent.call("comply360.today", "alert", []);
            this.state.issues = alert.issues;
            this.state.isStale = alert.is_stale;
        } catch {
            // the next call says it
        }
    }

    get isRed() {
        return this.state.isStale || this.state.issues > 0;
    }

    get title() {
        if (this.state.isStale) {
            return _t("Comply360: the sync stands still");
        }
        return this.state.issues ? _t("Comply360: %s open sync issues", this.state.issues) : _t("Comply360: in sync");
    }

    open() {
        return this.action.doAction("comply360_bridge.comply360_today_action", { clearBreadcrumbs: true });
    }
}

registry.category("systray").add("comply360_bridge.SyncAlert", { Component: SyncAlert }, { sequence: 30 });
