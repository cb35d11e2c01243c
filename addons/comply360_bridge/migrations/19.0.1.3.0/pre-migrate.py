"""Fields are renamed with their columns and values: one word for one thing."""

from odoo.tools import SQL

RENAMED = (
    ("account.move", "x_comply360_concern", "x_comply360_payment_discrepancy"),
    ("comply360.binding", "bridge", "installation"),
    ("comply360.binding", "held", "opted_out"),
    ("comply360.heartbeat", "bridge", "installation"),
    ("comply360.link", "bridge", "installation"),
    ("comply360.tenant", "bridge", "installation"),
    ("comply360.upload", "bridge", "installation"),
    ("x_commission", "concern", "payment_discrepancy"),
    ("x_commission", "concern_about", "payment_discrepancy_about"),
)


def migrate(cr, version):
    """Rename each field, its column, its index and the external ids of both the field and its selection values."""
    _drop_triggers(cr)
    for model, former, name in RENAMED:
        table = model.replace(".", "_")
        columns = [SQL.identifier(table), SQL.identifier(former), SQL.identifier(name)]
        cr.execute(SQL("ALTER TABLE %s RENAME COLUMN %s TO %s", *columns))
        indexes = [SQL.identifier(f"{table}__{column}_index") for column in (former, name)]
        cr.execute(SQL("ALTER INDEX IF EXISTS %s RENAME TO %s", *indexes))
        cr.execute("UPDATE ir_model_fields SET name = %s WHERE model = %s AND name = %s", [name, model, former])
        _rename_ids(cr, f"field_{table}__{former}", f"field_{table}__{name}")
        _rename_ids(cr, f"selection__{table}__{former}", f"selection__{table}__{name}")


def _rename_ids(cr, former, name):
    """Rename one external id, and those that continue it: a selection's values have one each."""
    cr.execute(
        """
        UPDATE ir_model_data SET name = %(name)s || substr(name, length(%(former)s) + 1)
         WHERE module = 'comply360_bridge' AND (name = %(former)s OR starts_with(name, %(former)s || '__'))
        """,
        {"former": former, "name": name},
    )


def _drop_triggers(cr):
    """Drop the triggers: their functions name the former columns. The update creates them again."""
    cr.execute(r"SELECT proname FROM pg_proc WHERE proname LIKE 'comply360\_%' AND prorettype = 'trigger'::regtype")
    for (function,) in cr.fetchall():
        cr.execute(SQL("DROP FUNCTION %s() CASCADE", SQL.identifier(function)))
