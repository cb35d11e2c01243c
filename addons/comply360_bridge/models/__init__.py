# a mixin must exist before the models that inherit it, a model before what extends it
from . import comply360_record, comply360_walled

# isort: split
from . import comply360_synced

# isort: split
from . import (
    account_move,
    account_move_commission,
    account_move_credit_note,
    account_move_line,
    account_move_payment,
    account_partial_reconcile,
    calendar_event,
    comply360_binding,
    comply360_bridge,
    comply360_bridge_adoption,
    comply360_bridge_binding,
    comply360_bridge_comparison,
    comply360_bridge_epoch,
    comply360_bridge_key,
    comply360_bridge_selftest,
    comply360_bridge_user,
    comply360_heartbeat,
    comply360_issue,
    comply360_kept_commission,
    comply360_link,
    comply360_outbox,
    comply360_outbox_trigger,
    comply360_tenant,
    comply360_upload,
    crm_lead,
    crm_lead_adoption,
    crm_lead_pipeline,
    crm_lead_wall,
    ir_attachment,
    mail_followers,
    mail_message,
    mail_thread_recipients,
    res_currency,
    res_partner,
    res_users,
    res_users_apikeys,
    x_commission,
    x_commission_amount,
    x_commission_bill,
    x_commission_discrepancy,
)
