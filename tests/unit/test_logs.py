"""Log lines: JSON, one per event, and no secret in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from sync_daemon import logs
from sync_daemon.config import Settings

CANARY = 'canary"with\\quotes'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, pika = root.handlers[:], root.level, logging.getLogger("pika").level
    stream = io.StringIO()
    settings = Settings(rabbitmq_password=SecretStr(CANARY), c360_log_level="DEBUG")
    logs.configure(settings, stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("pika").setLevel(pika)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields(stream: io.StringIO) -> None:
    structlog.get_logger("room").info("room.something_happened", count=3, text="two\nlines \x1b[31m \u202e")
    [line] = lines(stream)
    assert (line["event"], line["count"], line["level"], line["logger"]) == (
        "room.something_happened",
        3,
        "info",
        "room",
    )
    assert line["text"] == "two\nlines \x1b[31m \u202e"
    assert stream.getvalue().isascii()


def test_a_secret_of_the_settings_never_shows(stream: io.StringIO) -> None:
    log = structlog.get_logger("room")
    log.info(
        f"event {CANARY}", text=f"a{CANARY}b", nested={CANARY: [CANARY, {"deep": CANARY}]}, error=ValueError(CANARY)
    )
    logging.getLogger("library").warning("says %s and %r", CANARY, {"x": CANARY})
    try:
        raise RuntimeError(CANARY)
    except RuntimeError:
        log.exception("room.failed")
        logging.getLogger("library").exception("failed")
    assert len(lines(stream)) == 4
    assert "canary" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 8


def test_a_secret_that_is_learnt_later_does_not_show_either(stream: io.StringIO) -> None:
    log = structlog.get_logger("room")
    logs.register_secret("learnt-later-secret")
    log.info("room.event", text="the learnt-later-secret is out")
    assert lines(stream)[0]["text"] == "the *** is out"


def test_a_secret_inside_another_one_leaves_no_rest(stream: io.StringIO) -> None:
    logs.register_secret("inner-secret")
    logs.register_secret("inner-secret-and-more")
    assert logs.hide_secrets("inner-secret-and-more") == "***"


def test_long_fields_are_cut_after_secrets_are_hidden(stream: io.StringIO) -> None:
    structlog.get_logger("room").info("room.event", text="x" * (logs.LONGEST_FIELD - 10) + CANARY)
    text = str(lines(stream)[0]["text"])
    assert len(text) <= logs.LONGEST_FIELD
    assert text.endswith("***")


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure(Settings(c360_log_level="WARNING"), stream)
        structlog.get_logger("room").info("room.unimportant")
        structlog.get_logger("room").warning("room.important")
        assert [line["event"] for line in lines(stream)] == ["room.important"]
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


def test_what_is_said_again_is_counted_and_not_repeated(stream: io.StringIO) -> None:
    now = 0.0
    logged = io.StringIO()
    logger = logging.getLogger("counted")
    logger.addHandler(logging.StreamHandler(logged))
    counted = logs.Repetitions(lambda: now)

    def say(event: str, method: str = "error", **fields: object) -> dict[str, object] | None:
        try:
            return dict(counted(logger, method, {"event": event, **fields}))
        except structlog.DropEvent:
            return None

    said = [say("part.failed", error=f"relation t_{number} does not exist", tenant="a") for number in range(1000)]
    assert [line for line in said if line] == [
        {"event": "part.failed", "error": "relation t_0 does not exist", "tenant": "a"}
    ]
    assert say("part.failed", error="relation t_1 does not exist", tenant="b"), "of another tenant"
    assert say("part.failed", error="permission denied", tenant="a"), "of another cause"
    assert all(say("went.on", "info") for _ in range(5)), "what is no failure"
    now = logs.PERIOD_SECONDS
    again = say("part.failed", error="relation t_7 does not exist", tenant="a")
    assert again is not None
    assert again["repeated"] == 999
    say("part.failed", error="relation t_8 does not exist", tenant="a")
    now = 3 * logs.PERIOD_SECONDS
    assert say("went.on", "info") == {"event": "went.on"}
    assert logged.getvalue().splitlines() == ["part.failed, repeated 1 times"]
