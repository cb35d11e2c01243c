"""Fields are renamed with their columns and values: one word for one thing."""

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
        cr.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{former}" TO "{name}"')
        cr.execute(f'ALTER INDEX IF EXISTS "{table}__{former}_index" RENAME TO "{table}__{name}_index"')
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
    """Their functions name the former columns; the update makes them anew."""
    cr.execute(
        r"""
        SELECT oid::regprocedure::text FROM pg_proc
         WHERE proname LIKE 'comply360\_%' AND prorettype = 'trigger'::regtype
        """
    )
    for (function,) in cr.fetchall():
        cr.execute(f"DROP FUNCTION {function} CASCADE")
