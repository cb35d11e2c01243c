# a mixin must exist before the models that inherit it
from . import comply360_record

# isort: split
from . import (
    account_move,
    comply360_binding,
    comply360_bridge,
    comply360_heartbeat,
    comply360_issue,
    comply360_link,
    comply360_outbox,
    comply360_tenant,
    comply360_upload,
    crm_lead,
    ir_attachment,
    res_partner,
    res_users,
    res_users_apikeys,
    x_commission,
)
