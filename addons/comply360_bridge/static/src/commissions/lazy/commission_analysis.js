import { CommissionSearchModel } from "@comply360_bridge/commissions/commission_search_model";
import { registry } from "@web/core/registry";
import { graphView } from "@web/views/graph/graph_view";
import { PivotRenderer } from "@web/views/pivot/pivot_renderer";
import { pivotView } from "@web/views/pivot/pivot_view";

/** A cell of several currencies stays empty; Odoo would offer to convert it. */
class CommissionPivotRenderer extends PivotRenderer {
    getFormattedValue(cell) {
        const isMixed = cell.currencyIds?.length > 1 && !cell.value;
        return isMixed ? { value: "" } : super.getFormattedValue(cell);
    }
}

registry.category("views").add("comply360_commission_graph", { ...graphView, SearchModel: CommissionSearchModel });
registry.category("views").add("comply360_commission_pivot", {
    ...pivotView,
    Renderer: CommissionPivotRenderer,
    SearchModel: CommissionSearchModel,
});
