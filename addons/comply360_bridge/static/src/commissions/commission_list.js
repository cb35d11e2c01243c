import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { CommissionSearchModel } from "@comply360_bridge/commissions/commission_search_model";
import { formatMonetary } from "@web/views/fields/formatters";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";

/** Totals per currency: an amount in one is never added to an amount in another. */
export class CommissionListRenderer extends ListRenderer {
    computeAggregates() {
        const aggregates = super.computeAggregates();
        for (const column of this.columns) {
            if (column.name in aggregates && this.fields[column.name].type === "monetary") {
                aggregates[column.name] = {
                    help: column.attrs.sum,
                    value: this.totals(column.name, this.getCurrencyField(column)),
                    multiCurrency: false,
                };
            }
        }
        return aggregates;
    }

    totals(fieldName, currencyField) {
        const sums = new Map();
        const { selection, isGrouped, groups, records } = this.props.list;
        if (isGrouped && !selection.length) {
            for (const { aggregates } of groups) {
                const currencies = aggregates[currencyField] || [];
                if (currencies.length > 1) {
                    // what is in there nobody has told: no total is better than a part of it
                    return "";
                }
                if (currencies.length) {
                    sums.set(currencies[0], (sums.get(currencies[0]) || 0) + (aggregates[fieldName] || 0));
                }
            }
        } else {
            for (const { data } of selection.length ? selection : records) {
                const currencyId = data[currencyField]?.id;
                if (currencyId) {
                    sums.set(currencyId, (sums.get(currencyId) || 0) + data[fieldName]);
                }
            }
        }
        const ordered = [...sums].sort(([one], [other]) => one - other);
        return ordered.map(([currencyId, sum]) => formatMonetary(sum, { currencyId })).join("\n");
    }

    formatGroupAggregate(group, column) {
        const field = this.props.list.fields[column.name];
        if (field.type === "monetary" && (group.aggregates[field.currency_field] || []).length > 1) {
            return { value: "", help: _t("Several currencies: group by currency, too") };
        }
        return super.formatGroupAggregate(group, column);
    }
}

registry.category("views").add("comply360_commission_list", {
    ...listView,
    Renderer: CommissionListRenderer,
    SearchModel: CommissionSearchModel,
});
