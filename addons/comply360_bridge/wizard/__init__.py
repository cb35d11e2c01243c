from . import base_partner_merge, commission_payment
