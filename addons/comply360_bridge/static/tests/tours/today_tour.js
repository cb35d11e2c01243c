import { registry } from "@web/core/registry";
import { stepUtils } from "@web_tour/tour_utils";

registry.category("web_tour.tours").add("comply360_today", {
    steps: () => [
        stepUtils.showAppsMenuItem(),
        {
            content: "the app opens on what is to be done",
            trigger: ".o_app[data-menu-xmlid='comply360_bridge.comply360_bridge_menu_root']",
            run: "click",
        },
        {
            content: "no heartbeat has arrived: the page says so",
            trigger: ".o_c360_today [name=stale]:contains(The sync stands still)",
        },
        {
            content: "so does the icon in the menu bar",
            trigger: ".o_c360_alert button[data-red]",
        },
        {
            content: "each currency has a sum of its own",
            trigger: ".o_c360_today [name=pending] [data-currency=USD]:contains(10.00)",
        },
        {
            trigger: ".o_c360_today [name=approved] [data-currency=ZAR]:contains(77.00)",
        },
        {
            content: "the cause of the failure is told in words",
            trigger: ".o_c360_today [name=failures] [data-cause=unknown]:contains(A value is not known yet)",
        },
        {
            content: "a sum leads to its commissions",
            trigger: ".o_c360_today [name=pending] [data-currency=ZAR]:contains(125.00)",
            run: "click",
        },
        {
            content: "which are those in this currency that wait for approval",
            trigger: ".o_list_view .o_data_row:only-of-type:contains(125.00)",
        },
        {
            trigger: ".o_facet_value:contains(To Approve)",
        },
        {
            content: "select it",
            trigger: ".o_list_view .o_data_row .o_list_record_selector input",
            run: "click",
        },
        {
            trigger: "button[name=action_approve_selected]",
            run: "click",
        },
        {
            content: "the answer counts",
            trigger: ".o_notification:contains(1 approved)",
        },
        {
            content: "it no longer waits",
            trigger: ".o_list_view:not(:has(.o_data_row:contains(125.00)))",
        },
    ],
});
