"""What installing and uninstalling do besides loading data/."""

from uuid import uuid4

from .kept import keep, restore

CURRENCIES = {
    "ZAR": {},
    "USD": {},
    "ZWL": {
        "name": "ZWL",
        "full_name": "Zimbabwean dollar (2009)",
        "symbol": "Z$",
        "iso_numeric": 932,
        "position": "before",
    },
}


def post_init_hook(env):
    """Give the database a uuid and an epoch, activate the currencies, turn off automatic lead enrichment.

    Records of a former installation get their identity back; the app adopts them with `c360 rebuild --adopt`.
    """
    parameters = env["ir.config_parameter"].sudo()
    if not parameters.get_param("comply360_bridge.instance"):
        parameters.set_param("comply360_bridge.instance", str(uuid4()))
    if not parameters.get_param("comply360_bridge.epoch"):
        parameters.set_param("comply360_bridge.epoch", "1")
    # crm installs crm_iap_enrich, which sends the e-mail domain of every new lead to an external service
    if parameters.get_param("crm.iap.lead.enrich.setting", "auto") == "auto":
        parameters.set_param("crm.iap.lead.enrich.setting", "manual")
    for code, values in CURRENCIES.items():
        _activate_currency(env, code, values)
    restore(env)


def _activate_currency(env, code, values):
    currency = env["res.currency"].with_context(active_test=False).search([("name", "=", code)], limit=1)
    if currency:
        currency.active = True
    elif values:
        # Odoo 19 has only ZIG, the successor of ZWL; a commission in ZWL is not one in ZIG
        env["res.currency"].create({**values, "rounding": 0.01, "active": True})


def uninstall_hook(env):
    """Keep the records' identity; remove what Odoo does not track: trigger functions and our parameters."""
    keep(env)
    env.cr.execute(
        r"""
        SELECT oid::regprocedure::text FROM pg_proc
         WHERE proname LIKE 'comply360\_%' AND prorettype = 'trigger'::regtype
        """
    )
    for (function,) in env.cr.fetchall():
        env.cr.execute(f"DROP FUNCTION {function} CASCADE")
    env["ir.config_parameter"].sudo().search([("key", "=like", "comply360_bridge.%")]).unlink()
    _keep_used_lost_reasons(env)


def _keep_used_lost_reasons(env):
    """Detach lost reasons that leads use, so that Odoo does not delete them."""
    names = env["ir.model.data"].search([("module", "=", "comply360_bridge"), ("model", "=", "crm.lost.reason")])
    leads = env["crm.lead"].with_context(active_test=False)
    used = leads.search([("lost_reason_id", "in", names.mapped("res_id"))]).lost_reason_id
    names.filtered(lambda name: name.res_id in used.ids).unlink()
