"""`c360 resume`, which undoes `c360 pause`."""

from sync_daemon.cli.pause import resume

__all__ = ["resume"]
