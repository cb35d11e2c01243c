"""Who writes the app's documents: the bridge, or a step of Odoo that it lets write in its place."""

from __future__ import annotations

from typing import Any

# in the bridge's own context; no caller of a method over RPC can name it
HAND = object()


def is_bridge(env: Any) -> bool:
    """Whether the bridge is writing; `sudo()` alone may carry a person's choice."""
    return bool(env.su) and env.context.get("comply360_hand") is HAND
