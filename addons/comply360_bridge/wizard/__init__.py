from . import (
    base_module_uninstall,
    base_partner_merge_automatic_wizard,
    comply360_commission_payment,
    comply360_commission_statement,
    crm_lead2opportunity_partner,
    crm_lead2opportunity_partner_mass,
)
