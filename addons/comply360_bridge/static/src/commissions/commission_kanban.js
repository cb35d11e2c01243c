import { onWillStart, onWillUpdateProps, useState } from "@odoo/owl";
import { CommissionSearchModel } from "@comply360_bridge/commissions/commission_search_model";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { formatMonetary } from "@web/views/fields/formatters";
import { KanbanHeader } from "@web/views/kanban/kanban_header";
import { KanbanRenderer } from "@web/views/kanban/kanban_renderer";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { ColumnProgress } from "@web/views/view_components/column_progress";

/** The head of a column: its sums, one for each currency. */
export class CommissionColumnProgress extends ColumnProgress {
    static template = "comply360_bridge.CommissionColumnProgress";

    setup() {
        super.setup();
        this.orm = useService("orm");
        this.sums = useState({ texts: [] });
        // the column is there before its sums are
        onWillStart(() => {
            this.load(this.props.group);
        });
        onWillUpdateProps(({ group }) => {
            this.load(group);
        });
    }

    async load(group) {
        const key = JSON.stringify([group.list.domain, group.count]);
        if (key === this.key || group.model.useSampleModel) {
            return;
        }
        this.key = key;
        const rows = await this.orm.formattedReadGroup(
            group.list.resModel,
            group.list.domain,
            ["currency_id"],
            ["commission_amount:sum"]
        );
        this.sums.texts = rows.map((row) =>
            formatMonetary(row["commission_amount:sum"], { currencyId: row.currency_id[0] })
        );
    }
}

class CommissionKanbanHeader extends KanbanHeader {
    static components = { ...KanbanHeader.components, ColumnProgress: CommissionColumnProgress };
}

export class CommissionKanbanRenderer extends KanbanRenderer {
    static components = { ...KanbanRenderer.components, KanbanHeader: CommissionKanbanHeader };
}

registry.category("views").add("comply360_commission_kanban", {
    ...kanbanView,
    Renderer: CommissionKanbanRenderer,
    SearchModel: CommissionSearchModel,
});
