from . import (
    comply360_binding,
    comply360_bridge,
    comply360_issue,
    comply360_outbox,
    comply360_record,
    comply360_tenant,
    crm_lead,
    res_partner,
    res_users_apikeys,
    x_commission,
)
