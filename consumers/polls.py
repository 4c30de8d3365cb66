"""Which polls of seats of a batch become events: those that say something; a repeat is seen and kept aside."""

from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

from consumers.reading import Fact
from consumers.streams import Stream
from domain.readings import SeatCountReported
from domain.seat_polls import poll_day, repeats
from ledger import polls as kept
from ledger.database import Cursor, Database
from ledger.entries import NewEvent
from ledger.polls import Day, KeptAside, Poll

KIND: Final = SeatCountReported.__name__


class Polls:
    """The polls of one batch beside those heard before of the same days.

    Nothing depends on the order of arrival: what is in the book always holds every poll that is no repeat among all
    that were heard, because one kept aside becomes an event with the fact that makes it say something.
    """

    def __init__(self, database: Database, facts: Iterable[Fact]) -> None:
        said = [fact for fact in facts if fact.kind == KIND]
        ids = [UUID(bytes=fact.event_id) for fact in said]
        heard, aside = kept.of_days(database, {_day(fact) for fact in said}, ids) if said else ([], [])
        self._days: dict[Day, dict[str, Poll]] = {}
        for poll in heard:
            self._put(poll)
        # Those kept aside, under their ids, and with them those of this batch: what is heard again is a repeat of these.
        self.asides: dict[bytes, tuple[bytes, bytes | None]] = {
            UUID(one.event_id).bytes: (one.stream_id.bytes, one.aside.body_hash if one.aside else None) for one in aside
        }
        self._new: dict[str, Poll] = {}
        self._told: list[Poll] = []
        self._told_new: set[str] = set()

    def hear(self, fact: Fact, body_hash: bytes, state: bytes) -> None:
        """Takes up a poll that is new."""
        fields = fact.fields
        poll = Poll(
            UUID(bytes=fact.stream_id), fields["system"], _instant(fields["as_of"]), str(UUID(bytes=fact.event_id)),
            _instant(fields["occurred_at"]), fields["revision"], fields["quantity"],
            KeptAside(state, fact.subject, body_hash, (*fact.partition, fact.record.offset)),
        )  # fmt: skip
        self._put(poll)
        self.asides[fact.event_id] = (fact.stream_id, body_hash)
        self._new[poll.event_id] = poll

    def _put(self, poll: Poll) -> None:
        self._days.setdefault((poll.stream_id, poll.system, poll_day(poll.as_of)), {})[poll.event_id] = poll

    def tell(self, streams: Mapping[bytes, Stream], taken: Container[bytes]) -> list[NewEvent]:
        """The events of the polls that say something and are not in the book yet, added to their streams.

        Those kept aside until now come first, then the new ones as they came. An id that another stream has `taken` since
        its poll was kept aside is not asked for again: the event gets one of its own.
        """
        if not self._new:
            return []
        again = {again for day in self._days.values() for again in repeats(day.values())}
        said = [one for day in self._days.values() for one in day.values() if one.aside and one.event_id not in again]
        self._told = sorted((one for one in said if one.event_id not in self._new), key=lambda one: one.as_of)
        self._told_new = {one.event_id for one in said if one.event_id in self._new}
        events = []
        for poll in (*self._told, *(one for id_, one in self._new.items() if id_ in self._told_new)):
            stream = streams[poll.stream_id.bytes]
            event = _event(poll, len(stream) + 1, taken)
            stream[event.event_id.bytes] = event.body_hash
            events.append(event)
        return events

    def keep(self, cursor: Cursor, *_: int) -> None:
        """Keeps what was heard, in the transaction of the batch."""
        new = [one._replace(aside=None) if id_ in self._told_new else one for id_, one in self._new.items()]
        kept.keep(cursor, new, self._told)

    @property
    def heard(self) -> int:
        """How many polls of the batch are new."""
        return len(self._new)

    @property
    def kept_aside(self) -> int:
        """How many of these only repeat."""
        return len(self._new) - len(self._told_new)


def _event(poll: Poll, version: int, taken: Container[bytes]) -> NewEvent:
    assert poll.aside is not None, "a poll without content is in the book already"
    event_id = UUID(poll.event_id)
    if event_id.bytes in taken:
        event_id = uuid5(poll.stream_id, poll.event_id)
    state, client_id, body_hash, source = poll.aside
    return NewEvent(poll.stream_id, version, SeatCountReported.TOPIC, state, client_id, event_id, body_hash, source)


def _day(fact: Fact) -> Day:
    return UUID(bytes=fact.stream_id), fact.fields["system"], poll_day(_instant(fact.fields["as_of"]))


def _instant(at: datetime) -> datetime:
    return at.astimezone(UTC)
