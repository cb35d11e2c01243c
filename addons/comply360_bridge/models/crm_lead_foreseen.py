import copy
import re

from odoo import api, models
from odoo.addons.iap.tools import iap_tools
from odoo.addons.mail.tools import mail_validation
from odoo.addons.phone_validation.tools import phone_validation
from odoo.exceptions import UserError

_CRM = "crm.models.crm_lead"
_MAIL = "mail.models.mail_thread_blacklist"
_PHONE = "phone_validation.models.mail_thread_phone"
_PHONES = "phone_validation.models.models"
# what most people write; Odoo judges the rest
_EMAIL = re.compile(r"[a-z0-9]+([._+-][a-z0-9]+)*@([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}")
# then Odoo asks the domain's mail server, whose answer nobody foresees
_IS_ASKED_OF_SERVERS = hasattr(mail_validation, "address")
_KNOWN_DEFAULTS = frozenset(
    {"odoo.orm.models", "odoo.addons.utm.models.utm_mixin", "odoo.addons.comply360_bridge.models.comply360_guarded"}
)
_SHARED_DOMAINS = frozenset(getattr(iap_tools, "_MAIL_DOMAIN_BLACKLIST", ()))
# without this library Odoo takes every number as it is
_IS_PARSED = hasattr(phone_validation, "phonenumbers")
_PHONE_SIGNS = str.maketrans("", "", " -()./")
_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}")


class _Defaults(dict):
    """Defaults by the fields that were asked for; no caller from outside can put one into a context."""


class CrmLead(models.Model):
    """What Odoo will compute of a new lead, foreseen without computing it."""

    _inherit = "crm.lead"
    # no compute of these keeps a given value, except those of the two dates, which get the moment that Odoo would give
    _comply360_foreseeable = {
        "date_last_stage_update": _CRM,
        "date_open": _CRM,
        "day_close": _CRM,
        "day_open": _CRM,
        "email_domain_criterion": _CRM,
        "email_normalized": _MAIL,
        "email_state": _CRM,
        "phone_sanitized": _PHONE,
        "phone_state": _CRM,
        "prorated_revenue": _CRM,
        "recurring_revenue_monthly": _CRM,
        "recurring_revenue_monthly_prorated": _CRM,
        "recurring_revenue_prorated": _CRM,
        "won_status": _CRM,
    }

    _comply360_certain = {
        "email_domain_criterion": "email_from",
        "email_normalized": "email_from",
        "email_state": "email_from",
        "phone_sanitized": "phone",
        "phone_state": "phone",
    }
    _comply360_assigned_twice = frozenset({"email_domain_criterion"})

    @api.model
    def _comply360_create(self, vals_list):
        return super(CrmLead, self.with_context(comply360_defaults=_Defaults()))._comply360_create(vals_list)

    @api.model
    def default_get(self, fields):
        """Ask once for the defaults of leads that are created together, if they cannot differ."""
        known, key = self.env.context.get("comply360_defaults"), tuple(fields)
        if isinstance(known, _Defaults) and key in known:
            return copy.deepcopy(known[key])
        defaults = super().default_get(fields)
        if isinstance(known, _Defaults) and self._comply360_is_constant(fields):
            known[key] = copy.deepcopy(defaults)
        return defaults

    @api.model
    def _comply360_is_constant(self, names):
        """Whether each default is a constant, and nobody beneath this class adds others."""
        classes = type(self).mro()
        beneath = [one for one in classes[classes.index(CrmLead) + 1 :] if "default_get" in vars(one)]
        defaults = [self._fields[name].default for name in names if name in self._fields]
        return all(one.__module__ in _KNOWN_DEFAULTS for one in beneath) and all(
            one.__module__ == "odoo.orm.fields" for one in defaults if one
        )

    @api.model
    def _comply360_foreseen_fields(self):
        known = super()._comply360_foreseen_fields()
        how = getattr(type(self)._phone_format_number, "__module__", "")
        is_odoos = how == f"odoo.addons.{_PHONES}" and self._phone_get_number_fields() == ["phone"]
        return known if is_odoos else known - {"phone_sanitized"}

    @api.model
    def _comply360_foreseen(self, vals_list):
        now = self.env.cr.now()
        same = {
            "date_last_stage_update": now,
            "day_close": 0.0,
            "day_open": 0.0,
            "prorated_revenue": 0.0,
            "recurring_revenue_monthly": 0.0,
            "recurring_revenue_monthly_prorated": 0.0,
            "recurring_revenue_prorated": 0.0,
        }
        return [
            {
                **same,
                **({"date_open": now} if values.get("user_id") else {}),
                "won_status": _won_status(values),
                **_email(values.get("email_from") or ""),
                **_phone(values.get("phone") or ""),
            }
            for values in vals_list
        ]


def _won_status(values):
    if values["probability"] == 100:
        return "won"
    return "pending" if values["active"] or values["probability"] else "lost"


def _email(text):
    found = text.lower()
    if not _EMAIL.fullmatch(found):
        return {}
    domain = found[found.index("@") :]
    return {
        "email_domain_criterion": found if domain[1:] in _SHARED_DOMAINS else domain,
        "email_normalized": found,
        **({} if _IS_ASKED_OF_SERVERS else {"email_state": "correct"}),
    }


def _phone(text):
    """Odoo's own form of a number with its country's code; such a number has the same in every country."""
    if not _IS_PARSED or not _PHONE_NUMBER.fullmatch(text.translate(_PHONE_SIGNS)):
        return {}
    try:
        found = phone_validation.phone_format(text, None, None, force_format="E164")
    except UserError:
        return {"phone_sanitized": False, "phone_state": "incorrect"}
    return {"phone_sanitized": found, "phone_state": "correct"}
