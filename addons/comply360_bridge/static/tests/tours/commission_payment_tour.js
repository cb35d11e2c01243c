import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("comply360_commission_payment", {
    steps: () => [
        {
            content: "open the commission that waits for approval",
            trigger: ".o_kanban_record:contains(O'Brien)",
            run: "click",
        },
        {
            content: "approve it",
            trigger: ".o_form_view button[name=action_approve]",
            run: "click",
        },
        {
            content: "it is approved: mark it as paid",
            trigger: ".o_arrow_button_current:contains(Approved)",
        },
        {
            trigger: ".o_form_view button[name=action_pay]",
            run: "click",
        },
        {
            content: "the payment's reference is asked for",
            trigger: ".modal .o_field_widget[name=payment_reference] input",
            run: "edit EFT-2026-0042",
        },
        {
            trigger: ".modal button[name=action_confirm]",
            run: "click",
        },
        {
            content: "it is paid, and its reference can be read",
            trigger: ".o_arrow_button_current:contains(Paid)",
        },
        {
            trigger: ".o_field_widget[name=payment_reference]:contains(EFT-2026-0042)",
        },
        {
            content: "no button is left that would change it",
            trigger: ".o_form_view:not(:has(button[name=action_pay])):not(:has(button[name=action_cancel]))",
        },
    ],
});
