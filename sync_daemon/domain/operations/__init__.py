"""What operators, accountants and administrators read: decisions about state, not about records."""
