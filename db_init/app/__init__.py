"""SQL of the app's own schemas, for a new installation."""
