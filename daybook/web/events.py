"""Facts that come over HTTP: appended to the configured log like any other, and followed until they are handled."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from daybook import feeding
from daybook.app import App
from daybook.web.problems import Problem
from daybook.web.shapes import MOST_EVENTS, Event
from schemas.codec import encode
from schemas.json_lines import from_object

log = structlog.get_logger("daybook.web")

_ONE_AT_A_TIME: Final = threading.Lock()
"""On the embedded log one loop runs at a time: a second one would wait for it, and perhaps for longer than it runs."""


@dataclass(slots=True)
class _Said:
    """One event of a request and what becomes of it."""

    event_id: str | None
    row: tuple[str, str, dict[str, Any]] | None = None
    value: bytes = b""
    outcome: str = "refused"
    detail: str | None = None

    def answer(self) -> dict[str, Any]:
        return {"event_id": self.event_id, "outcome": self.outcome, "detail": self.detail}


def take(app: App, given: Sequence[Event]) -> list[dict[str, Any]]:
    """Feeds the facts and says what became of each; raises Problem where none can be read."""
    if not 0 < len(given) <= MOST_EVENTS:
        raise Problem(
            422, "how-many", "How many?", f"There were {len(given)} events.", f"Send 1 to {MOST_EVENTS} events at a time."
        )
    said = [_read(one) for one in given]
    readable = [one for one in said if one.row is not None]
    if not readable:
        raise Problem(
            422,
            "no-event",
            "Not understood",
            f"None of {len(said)} events could be read: {said[0].detail}",
            "Correct what `errors` names: the fields of each record are at /docs, under POST /api/v1/events.",
            errors=[(f"body.{at}", one.detail or "") for at, one in enumerate(said)],
        )
    before = app.book.head_hash()[0]
    known = _in_book(app, readable)
    with _ONE_AT_A_TIME:
        feeding.feed(app, [one.row for one in readable if one.row is not None], feeding.Fed())
    try:
        app.views.catch_up()
    except Exception as error:  # the facts are in the book, whatever stops the views
        log.error("views_stopped", error=type(error).__name__, exc_info=error)
    _judge(app, readable, before, known)
    return [one.answer() for one in said]


def _read(given: Event) -> _Said:
    event_id = given.event.get("event_id")
    said = _Said(event_id if isinstance(event_id, str) and len(event_id) <= 64 else None)
    try:
        topic, record, fields = from_object(given.model_dump())
        said.value = encode(record, fields)
        said.row = (topic, record, fields)
    except ValueError as error:
        said.detail = str(error)[:500]
    return said


def _judge(app: App, said: Sequence[_Said], before: int, known: set[str]) -> None:
    """A repeat was in the book before; a dead letter has the very bytes that were sent."""
    dead = {one.letter.value: one.letter for one in app.book.dead_letters(after_batch=before)}
    recorded = _in_book(app, said)
    for one in said:
        letter = dead.get(one.value)
        id_ = _plain_id(one)
        if letter is not None:
            one.outcome, one.detail = "dead_letter", f"{letter.reason}: {letter.error}"
        elif id_ in known:
            one.outcome = "repeat"
        elif id_ in recorded:
            one.outcome = "recorded"
            known.add(id_)
        else:
            one.outcome, one.detail = "dead_letter", "it is not in the book: look at the dead letters"


def _in_book(app: App, said: Sequence[_Said]) -> set[str]:
    with app.database.connection() as connection:
        rows = connection.execute(
            "SELECT replace(event_id::text, '-', '') FROM ledger.daybook_events WHERE event_id = ANY(%s::uuid[])",
            ([_plain_id(one) for one in said],),
        ).fetchall()
    return {id_ for (id_,) in rows}


def _plain_id(one: _Said) -> str:
    assert one.row is not None
    return str(one.row[2]["event_id"]).replace("-", "").lower()
