import { SearchModel } from "@web/search/search_model";

/**
 * What somebody looks for is found whatever its state: the filter that the page opens with goes away with the first
 * text that is searched for.
 */
export class CommissionSearchModel extends SearchModel {
    addAutoCompletionValues() {
        const opening = Object.values(this.searchItems).find((item) => item.name === "to_process");
        if (opening) {
            this.query = this.query.filter((element) => element.searchItemId !== opening.id);
        }
        super.addAutoCompletionValues(...arguments);
    }
}
