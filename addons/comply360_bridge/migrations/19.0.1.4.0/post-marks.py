"""Marks name their tenant: polls find them by it."""


def migrate(cr, version):
    """Give marks that wait or are parked the tenant of their binding."""
    cr.execute(
        """
        UPDATE comply360_outbox o SET tenant_id = b.tenant_id
          FROM comply360_binding b WHERE b.id = o.binding_id AND o.tenant_id IS NULL
        """
    )
