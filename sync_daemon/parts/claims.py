"""Makes sure that no other database works as this installation: a copy, or the one that this is a copy of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from sync_daemon.domain.operations.claims import Claim, Refusal, refusal
from sync_daemon.errors import CopyError, FatalError, TransientError
from sync_daemon.ports import Claimed, Odoo, OdooInfo

TRIES = 5


class Claims(Protocol):
    """The tokens of the app's side."""

    @property
    def instance(self) -> str:
        """The name that this database has for the Odoo."""
        ...

    @property
    def holder(self) -> str:
        """This database and its host, for people."""
        ...

    def present(self) -> Claim:
        """What was left in Odoo last, and what is about to be left there."""
        ...

    def begin(self) -> Claim:
        """The same with a next token, drawn now unless one is on its way."""
        ...

    def left(self, claim: Claim, number: int, odoo: str) -> None:
        """Note that Odoo has the next token, under this number."""
        ...


@dataclass(frozen=True)
class Claimant:
    """Shows Odoo the database's token. Only a daemon `renews` it; commands compare, unless a restore was announced."""

    claims: Claims
    renews: bool

    def hold(self, odoo: Odoo, info: OdooInfo) -> None:
        """Raise CopyError if another database has worked as this installation, FatalError if Odoo was set back."""
        words = f"{info.instance_uuid} {info.epoch}"
        for _ in range(TRIES):
            claim = self.claims.present()
            renews = self.renews or claim.is_announced
            if renews:
                claim = self.claims.begin()
            answer = self._shown(odoo, claim, words, renews)
            if answer.is_held:
                return
            why = refusal(claim, answer.number, words)
            if why is Refusal.ODOO_IS_ANOTHER:
                anew = replace(self.claims.begin(), is_announced=True)
                if self._shown(odoo, anew, words, renews=True).is_held:
                    return
            elif self.claims.present() == claim:
                # no other process of this database has renewed it meanwhile
                raise _refused(why, answer, info)
        raise TransientError("the database's token in Odoo is being renewed all the time")

    def _shown(self, odoo: Odoo, claim: Claim, words: str, renews: bool) -> Claimed:
        answer = odoo.claim(self.claims.instance, claim, self.claims.holder, renews)
        if answer.is_held and renews:
            self.claims.left(claim, answer.number, words)
        return answer


def _refused(why: Refusal, answer: Claimed, info: OdooInfo) -> CopyError | FatalError:
    if why is Refusal.ODOO_SET_BACK:
        return FatalError(
            f"Odoo's database {info.database} was set back to an earlier time: it has an older token of this database; "
            "stop the daemon and follow docs/runbook.md, After a restore: c360 epoch bump --side odoo"
        )
    seen = f", last at {answer.at:%Y-%m-%d %H:%M:%S} UTC" if answer.at else ""
    return CopyError(
        f"{answer.holder or 'another database'} has worked as this installation since{seen}: this database is a copy "
        "of it, or was set back to an earlier time; nothing is sent to Odoo or taken from it",
        "c360 db adopt-copy, or if this one was restored: c360 epoch bump --side app",
    )
