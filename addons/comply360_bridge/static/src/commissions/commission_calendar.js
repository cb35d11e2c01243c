import { CommissionSearchModel } from "@comply360_bridge/commissions/commission_search_model";
import { registry } from "@web/core/registry";
import { calendarView } from "@web/views/calendar/calendar_view";

registry.category("views").add("comply360_commission_calendar", { ...calendarView, SearchModel: CommissionSearchModel });
