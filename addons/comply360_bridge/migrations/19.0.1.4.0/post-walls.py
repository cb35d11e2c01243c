"""Gives contacts below a tenant's contact that tenant, as new ones get it."""


def migrate(cr, version):
    cr.execute(
        """
        WITH RECURSIVE below AS (
            SELECT c.id, p.x_comply360_tenant_id AS tenant_id
              FROM res_partner p JOIN res_partner c ON c.parent_id = p.id
             WHERE p.x_comply360_tenant_id IS NOT NULL AND c.x_comply360_tenant_id IS NULL AND c.partner_share
             UNION
            SELECT c.id, b.tenant_id
              FROM below b JOIN res_partner c ON c.parent_id = b.id
             WHERE c.x_comply360_tenant_id IS NULL AND c.partner_share
        )
        UPDATE res_partner p SET x_comply360_tenant_id = b.tenant_id FROM below b WHERE b.id = p.id
        """
    )
