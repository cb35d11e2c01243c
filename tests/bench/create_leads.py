"""Runs inside `odoo shell`: how fast Odoo itself creates the leads that the bridge has made, with nothing between.

Shapes: TENANT (uuid) and AT_ONCE are set before; a line `seconds <number>` is printed per round; nothing is committed.
"""

import time

NAMES = [
    "name",
    "type",
    "partner_name",
    "contact_name",
    "email_from",
    "phone",
    "team_id",
    "stage_id",
    "user_id",
    "company_id",
    "probability",
    "active",
]
Lead = env["crm.lead"].with_context(  # noqa: F821 - odoo shell gives env
    tracking_disable=True, mail_create_nosubscribe=True, mail_create_nolog=True, active_test=False, lang="en_US"
)
made = Lead.search([("x_comply360_tenant_id.uuid", "=", TENANT)])  # noqa: F821
given = [
    name
    for name, field in Lead._fields.items()
    if name in NAMES or (name.startswith("x_comply360_") and field.store and not field.related)
]
rows = made.read(given, load=None)
for row in rows:
    del row["id"]
for _ in range(2):
    # the first round fills Odoo's caches and is thrown away by whoever reads this
    began = time.perf_counter()
    for start in range(0, len(rows), AT_ONCE):  # noqa: F821
        Lead.create(rows[start : start + AT_ONCE])  # noqa: F821
        env.flush_all()  # noqa: F821
    print("seconds", time.perf_counter() - began)
    env.cr.rollback()  # noqa: F821
