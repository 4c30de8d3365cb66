"""Sends what a form says the way upstream does: once, however often its button is pressed, and waits until it is handled."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID, uuid5

from daybook.app import App, now
from daybook.rehearsing import read_object
from daybook.web import events
from daybook.web.forms.reading import Json
from daybook.web.forms.things import Thing, event_json, in_clear, said, states
from daybook.web.shapes import Event
from ledger.event_codec import decode
from projections.preview import Fact
from runs.errors import Refused
from schemas.registry import published
from schemas.topics import TOPIC_OF

_FORMS: Final = UUID("6a5c2a52-0f0e-5c1c-9a56-0c9d3d1f7e55")
_LONGEST_S: Final = 90.0
SOURCE: Final = "daybook"


class NotSaved(Refused):
    """The change was not recorded."""


def event_id_of(token: str, person: str) -> str:
    """The event's id: derived from the form, so that the same form sent again is the same event."""
    return str(uuid5(_FORMS, f"{person}\0{token}"))


def envelope(thing: Thing, id_: str, event: Json, event_id: str, revision: int) -> Json:
    """The whole JSON-lines object, ready to be sent."""
    own = {"event_id": event_id, "source": SOURCE, "occurred_at": now().isoformat().replace("+00:00", "Z"), "revision": revision}
    return {"topic": TOPIC_OF[thing.record], "type": thing.record, "event": {**event, **thing.ids(id_), **own}}


def as_fact(thing: Thing, id_: str, event: Json, event_id: str, revision: int) -> Fact:
    """The same as it would be read; raises NotReadable."""
    return read_object(envelope(thing, id_, event, event_id, revision))


def canonical(record: str, fact: Fact) -> Json:
    """What a fact says, without its envelope, as the book gives it back."""
    json: Json = published().reader(record).shape.to_json(fact[1])
    return said(json)


def save(app: App, thing: Thing, id_: str, event: Json, event_id: str, base_id: str) -> None:
    """Sends the record as the next revision and waits until it is in the book and the views.

    `event` is `canonical`. Raises NotSaved where somebody else changed the thing since the form was opened (`base_id` is
    its newest state then),
    where this form was saved before with something else in it, and where the record was set aside.
    """
    with _one_at_a_time(app, event_id):
        kept = _kept(app, thing, event_id)
        if kept is not None:
            if said(kept) == {**event, **thing.ids(id_)}:
                return
            raise NotSaved("This form was saved already, with something else in it. Open it again to change more")
        app.views.catch_up()
        with app.views.reading() as cursor:
            before = states(cursor, Thing(record=thing.record, id=id_, client_id=thing.client_id))
        if (before[-1].event_id if before else "") != base_id:
            raise NotSaved(
                "Somebody else saved this meanwhile: the form below is yours, and saving it now replaces theirs"
                if base_id
                else f"{id_} is taken: somebody else made it meanwhile. Give another id"
            )
        sent = Event(**envelope(thing, id_, event, event_id, max((one.revision for one in before), default=0) + 1))
        (answer,) = events.take(app, [sent])
    if answer["outcome"] not in ("recorded", "repeat"):
        raise NotSaved(f"It was set aside and changes nothing: {answer['detail']}")


def _kept(app: App, thing: Thing, event_id: str) -> Json | None:
    """What the book has under this event id."""
    with app.database.connection() as connection:
        row = connection.execute("SELECT topic, state FROM ledger.daybook_events WHERE event_id = %s", (event_id,)).fetchone()
    return event_json(thing.record, decode(*row), in_clear(app.book.keyring)) if row is not None else None


@contextmanager
def _one_at_a_time(app: App, event_id: str) -> Iterator[None]:
    """A second press waits for the first, in whichever process it is, and then finds it done."""
    deadline = time.monotonic() + _LONGEST_S
    with app.database.connection() as connection:
        connection.autocommit = True
        try:
            while not _locked(connection, event_id):
                if time.monotonic() > deadline:
                    raise NotSaved("This form is still being saved: look in a moment whether it was")
                time.sleep(0.05)
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock_all()")
            connection.autocommit = False


def _locked(connection: Any, event_id: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 7205))", (event_id,)).fetchone()
    return bool(row is not None and row[0])
