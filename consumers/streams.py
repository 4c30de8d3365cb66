"""What a worker remembers of the streams it owns: how long each is, and which facts stand on it."""

from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from consumers.source import Partition
from ledger.book import Book

MOST_STREAMS = 300_000

Stream = dict[UUID, bytes | None]
"""A stream as deciding needs it: the body hash of each of its events, by event id, in order of version."""


class Streams:
    """Streams by the partition that feeds them, the least recently used forgotten first."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._known: OrderedDict[UUID, tuple[Partition, Stream]] = OrderedDict()

    def take(self, wanted: dict[UUID, Partition]) -> dict[UUID, Stream]:
        """The streams of a batch; those not remembered are loaded with one query."""
        found: dict[UUID, Stream] = {}
        missing = []
        for stream_id in wanted:
            known = self._known.get(stream_id)
            if known is None:
                missing.append(stream_id)
            else:
                found[stream_id] = known[1]
        if missing:
            stored = self._book.seen(missing)
            for stream_id in missing:
                found[stream_id] = dict(stored.get(stream_id, ()))
        return found

    def remember(self, streams: dict[UUID, Stream], partitions: dict[UUID, Partition]) -> None:
        """Publishes the state of a batch, once it is committed."""
        for stream_id, stream in streams.items():
            self._known[stream_id] = (partitions[stream_id], stream)
            self._known.move_to_end(stream_id)
        while len(self._known) > MOST_STREAMS:
            self._known.popitem(last=False)

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forgets what may be another worker's now."""
        gone = set(partitions)
        for stream_id in [stream_id for stream_id, (partition, _) in self._known.items() if partition in gone]:
            del self._known[stream_id]

    def drop_all(self) -> None:
        """Forgets everything: after an error nothing remembered is sure."""
        self._known.clear()
