from . import (
    comply360_record,
    comply360_tenant,
    comply360_binding,
    comply360_outbox,
    comply360_issue,
    comply360_bridge,
    res_users_apikeys,
    crm_lead,
    res_partner,
    x_commission,
)
