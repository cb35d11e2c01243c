"""The command line; one group per module."""
