from . import commission_payment
