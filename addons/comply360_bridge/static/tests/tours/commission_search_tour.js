import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("comply360_commission_search", {
    steps: () => [
        {
            content: "the page opens with what is to be processed, so without the paid commission",
            trigger: ".o_facet_value:contains(To Process)",
        },
        {
            content: "look for it by its number",
            trigger: ".o_searchview_input",
            run: "edit 410200",
        },
        {
            trigger: ".o_searchview_input",
            run: "press Enter",
        },
        {
            content: "it is found",
            trigger: ".o_kanban_record:contains(2026/410200/07):contains(EFT-1040)",
        },
        {
            content: "in its column, whose head has the sum",
            trigger: ".o_kanban_group:contains(Paid) .o_c360_sums:contains(125.00)",
        },
        {
            content: "the filter is gone",
            trigger: ".o_searchview:not(:has(.o_facet_value:contains(To Process)))",
        },
    ],
});
