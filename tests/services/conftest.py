"""Fixtures of the services' tests; none of them needs a server."""

from tests.services.world import world

__all__ = ["world"]
