"""What operators, accountants and administrators read: decisions about state, none about records."""
