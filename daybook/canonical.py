"""One line in the log for each command that was given, as for each batch and request; and how a bug is shown in one."""

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

log = structlog.get_logger("daybook.command")

MOST_PLACES: Final = 12
OF_TWO_WORDS: Final = frozenset({"publisher", "token", "user"})
"""Commands whose second word says what is done; no other word is logged, for it may name somebody."""


@contextmanager
def one_line(arguments: Sequence[str], by: str) -> Iterator[None]:
    """Writes `command` when the command has ended: with its exit code, or the name of what it was refused with."""
    began = time.monotonic()
    outcome: dict[str, int | str] = {}
    try:
        yield
    except SystemExit as ended:
        outcome = {"exit_code": ended.code if isinstance(ended.code, int) else 0}
        raise
    except BaseException as error:
        outcome = {"refused": type(error).__name__}
        raise
    finally:
        log.info("command", command=name_of(arguments), by=by, **outcome, ms=round((time.monotonic() - began) * 1000))


def name_of(arguments: Sequence[str]) -> str:
    """The command alone, without what it was given."""
    words = [word for word in arguments if not word.startswith("-")]
    return " ".join(words[: 2 if words and words[0] in OF_TWO_WORDS else 1])


def trace(bug: BaseException) -> str:
    """Where a bug is, for the log: kinds and places, no values, for those may be personal."""
    places = [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(bug.__traceback__)]
    return " < ".join([type(bug).__name__, *reversed(places[-MOST_PLACES:])])
