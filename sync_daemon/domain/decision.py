"""What a person decided about a field that both sides changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync_daemon.domain.document import Scalar
from sync_daemon.errors import RejectedError


class Keep(StrEnum):
    """Whose value is to stand: the app's, Odoo's, or one of the person's own."""

    APP = "keep_app"
    ODOO = "keep_odoo"
    EDIT = "edit"


@dataclass(frozen=True)
class Decision:
    """A decision about one field.

    Shapes: `app` and `odoo` are the values it was made about, `value` is that of an edit.
    """

    keep: Keep
    value: str
    by: str
    app: Scalar
    odoo: Scalar

    def settles(self, app: Scalar, odoo: Scalar) -> bool:
        """Whether it was made about these values; a side that has changed since is another conflict."""
        return (self.app, self.odoo) == (app, odoo)

    @property
    def outcome(self) -> Scalar:
        """The value that is to stand on both sides."""
        match self.keep:
            case Keep.APP:
                return self.app
            case Keep.ODOO:
                return self.odoo
            case Keep.EDIT:
                return self.value


def check_lawful(field: str, decision: Decision) -> None:
    """Raises RejectedError, in plain words, for a decision that would undo a payment."""
    if field == "status" and "paid" in (decision.app, decision.odoo) and decision.outcome != "paid":
        message = "one side has paid; a payment is never undone by a sync"
        raise RejectedError("refused", message, field, str(decision.outcome))
