"""The ContentMemory: in memory and on the real database."""

from __future__ import annotations

from uuid import uuid4

from sync_daemon.domain.content import Known
from sync_daemon.domain.keys import Entity, RecordKey
from tests.ports.platform import Platform


def test_what_was_read_last_of_each_document_is_known(platform: Platform) -> None:
    one, other, unread = (RecordKey(platform.tenant, Entity.DOCUMENT, uuid4()) for _ in range(3))
    platform.contents.remember(one, Known("a/b.pdf", "stamp 1", "1" * 64))
    platform.contents.remember(other, Known("c.pdf", "stamp", "2" * 64))
    newer = Known("a/b.pdf", "stamp 2", "3" * 64)
    platform.contents.remember(one, newer)
    assert platform.contents.known([one, unread]) == {one: newer}
    assert platform.contents.known([]) == {}
