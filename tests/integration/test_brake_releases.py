"""What a person lets go by a release, and what by naming records."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sync_daemon.domain.brake import Braking, Change, Loss, Stop, Tally, by_group
from sync_daemon.domain.keys import RecordKey
from sync_daemon.domain.limits import Limits
from sync_daemon.postgres.admin.brakes import Brakes
from sync_daemon.postgres.push.brake import Brake
from tests.integration.conftest import INSTANCE, Installation


def owed(installation: Installation, keys: Sequence[RecordKey]) -> list[Loss]:
    """These records, with something to lose."""
    installation.outbox.mark(keys)
    installation.outbox.collect(1_000)
    snapshot = installation.rows.snapshot(keys)
    return [Loss(snapshot.owed[key], (Change("phone", "", ""),)) for key in keys]


def tally(brake: Brake, lost: Sequence[Loss]) -> Tally:
    """What is known of their kind."""
    group = lost[0].group
    with brake.unit(uuid4()) as unit:
        return unit.tally(by_group(lost), {group[0]: Limits()})[group]


def test_a_release_decides_about_what_is_owed_by_then_and_a_name_about_a_record(installation: Installation) -> None:
    keys = installation.fill(2)
    brake, brakes = Brake(installation.database, INSTANCE), Brakes(installation.database, INSTANCE)
    lost = owed(installation, keys)
    with brake.unit(uuid4()) as unit:
        unit.settle(Braking(held=tuple(lost), stops=(Stop(lost[0].group, "many records lose something"),)))
    [stop] = brakes.stops()
    assert brakes.release(stop, "Thandi") == 2
    again = owed(installation, keys)
    known = tally(brake, again)
    assert max(loss.owed.version.number for loss in lost) <= known.released
    assert min(loss.owed.version.number for loss in again) > known.released
    assert known.freed == frozenset(), "what is lost later waits for another decision"
    brakes.permit(keys[:1], "named", "Thandi")
    assert tally(brake, again).freed == {keys[0].record_id}
