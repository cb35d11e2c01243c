"""Commissions remember which payment of their bill paid them."""


def migrate(cr, version):
    """Mark those that their bill has paid: without that they would count as paid by hand, and as paid twice."""
    cr.execute("ALTER TABLE x_commission ADD COLUMN IF NOT EXISTS bill_payment varchar")
    cr.execute(
        """
        UPDATE x_commission SET bill_payment = 'former'
         WHERE state = 'paid' AND bill_id IS NOT NULL AND bill_state IN ('paid', 'credited', 'cancelled')
        """
    )
