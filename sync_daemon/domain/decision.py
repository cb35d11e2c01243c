"""A person's decision about a field that both sides changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync_daemon.domain.document import Scalar
from sync_daemon.errors import RejectedError


class Keep(StrEnum):
    """Whose value stands: the app's, Odoo's, or another one that the person entered."""

    APP = "keep_app"
    ODOO = "keep_odoo"
    EDIT = "edit"


@dataclass(frozen=True)
class Decision:
    """A decision about one field.

    Shapes: `app` and `odoo` are the values the decision was made for; `value` is the entered one.
    """

    keep: Keep
    value: str
    by: str
    app: Scalar
    odoo: Scalar

    def settles(self, app: Scalar, odoo: Scalar) -> bool:
        """Whether the decision was made for these values; if a side changed since, it is another conflict."""
        return (self.app, self.odoo) == (app, odoo)

    @property
    def outcome(self) -> Scalar:
        """The value that stands on both sides."""
        match self.keep:
            case Keep.APP:
                return self.app
            case Keep.ODOO:
                return self.odoo
            case Keep.EDIT:
                return self.value


def check_lawful(field: str, decision: Decision) -> None:
    """Raises RejectedError with a plain sentence for a decision that would undo a payment."""
    if field == "status" and "paid" in (decision.app, decision.odoo) and decision.outcome != "paid":
        message = "one side has paid; a payment is never undone by a sync"
        raise RejectedError("refused", message, field, str(decision.outcome))
