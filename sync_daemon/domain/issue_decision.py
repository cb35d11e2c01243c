"""What a manager in Odoo decided about an issue."""

from __future__ import annotations

from sync_daemon.domain.decision import Decision, Keep
from sync_daemon.domain.document import Op
from sync_daemon.domain.hint import record_key
from sync_daemon.domain.keys import Direction, RecordKey
from sync_daemon.domain.pull_effects import NO_EFFECTS, DecidedConflict, Effects, LedgerLine
from sync_daemon.domain.pull_snapshot import OpenIssue, PullSnapshot
from sync_daemon.domain.pulled import PulledChange
from sync_daemon.errors import RejectedError

IGNORE = "ignore"


def issue_decided(pulled: PulledChange, snapshot: PullSnapshot) -> Effects:
    """The effects of the decision; none if it is not new or the issue is already closed."""
    change, binding = pulled.change, snapshot.bindings.get(pulled.key)
    issue = snapshot.issues.get(pulled.key.record_id)
    decision = str(pulled.reported.values.get("decision", ""))
    is_news = binding is not None and change.op is Op.UPSERT and change.version > binding.odoo_version
    if not is_news or issue is None or not decision:
        return NO_EFFECTS
    ledger = (LedgerLine(pulled.key, "decided", "", {"decision": decision, "by": change.by}),)
    if decision == IGNORE:
        return Effects(ignored=(pulled.key.record_id,), marks=(pulled.key,), ledger=ledger)
    about = subject_of(pulled.key, issue)
    if about is not None and decision in set(Keep):
        return _conflict_decided(about, issue.field, Keep(decision), change.by, snapshot)
    is_owed = about is not None and issue.direction is Direction.APP_TO_ODOO
    return Effects(marks=(about,) if about and is_owed else (), ledger=ledger)


def subject_of(key: RecordKey, issue: OpenIssue) -> RecordKey | None:
    """The record that an issue is about; None for what is no record, such as a message that was received."""
    try:
        return record_key(str(key.tenant), issue.entity, issue.record_id)
    except RejectedError:
        return None


def _conflict_decided(about: RecordKey, field: str, keep: Keep, by: str, snapshot: PullSnapshot) -> Effects:
    conflict = snapshot.conflicts.get(about, {}).get(field)
    if conflict is None:
        return NO_EFFECTS
    decided = DecidedConflict(about, field, Decision(keep, "", by, conflict.app, conflict.odoo))
    line = LedgerLine(about, "decided", "", {"decision": keep.value, "field": field, "by": by})
    return Effects(decided=(decided,), ledger=(line,))
