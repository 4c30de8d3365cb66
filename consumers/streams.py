"""What a worker remembers of the streams it owns: how long each is, and which facts stand on it."""

from collections import OrderedDict
from collections.abc import Container, Iterable

from consumers.source import Partition
from ledger.book import Book

MOST_STREAMS = 300_000

Stream = dict[bytes, bytes | None]
"""A stream as deciding needs it: the body hash of each of its events, by event id, in order of version.

Ids are the 16 bytes of a UUID: those are hashed and compared by C, and the garbage collector, which would go through
hundreds of thousands of remembered streams again and again, leaves a dictionary of bytes alone.
"""


class Streams:
    """Streams by the partition that feeds them, the least recently used forgotten first."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._known: OrderedDict[bytes, tuple[Partition, Stream]] = OrderedDict()
        self._dropped: set[Partition] = set()
        self._foreseen: dict[bytes, Stream] = {}

    def take(self, wanted: Iterable[bytes]) -> dict[bytes, Stream]:
        """The streams of a batch, the caller's to change; those not remembered are loaded with one query."""
        self._dropped.clear()
        foreseen, self._foreseen = self._foreseen, {}
        found: dict[bytes, Stream] = {}
        missing = []
        for stream_id in wanted:
            known = self._known.get(stream_id)
            if known is not None:
                found[stream_id] = known[1].copy()
            elif stream_id in foreseen:
                found[stream_id] = foreseen[stream_id]
            else:
                missing.append(stream_id)
        if missing:
            stored = self._book.seen(missing)
            for stream_id in missing:
                found[stream_id] = stored.get(stream_id) or {}
        return found

    def foresee(self, wanted: Iterable[bytes], changing: Container[bytes]) -> None:
        """Loads what the next batch will take, while the one before is written: but no stream which that one is changing.

        Should another worker add to one of them meanwhile, the book refuses the batch, as it does with what is remembered.
        """
        missing = {stream_id for stream_id in wanted if stream_id not in self._known and stream_id not in changing}
        stored = self._book.seen(missing) if missing else {}
        self._foreseen = {stream_id: stored.get(stream_id) or {} for stream_id in missing}

    def remember(self, streams: dict[bytes, Stream], partitions: dict[bytes, Partition]) -> None:
        """Publishes the state of the batch taken last, once it is committed; but of no partition that was dropped since."""
        dropped = self._dropped
        for stream_id, stream in streams.items():
            partition = partitions[stream_id]
            if partition not in dropped:
                self._known[stream_id] = (partition, stream)
                self._known.move_to_end(stream_id)
        while len(self._known) > MOST_STREAMS:
            self._known.popitem(last=False)

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forgets what may be another worker's now."""
        self._foreseen.clear()
        gone = set(partitions)
        self._dropped |= gone
        for stream_id in [stream_id for stream_id, (partition, _) in self._known.items() if partition in gone]:
            del self._known[stream_id]

    def drop_all(self) -> None:
        """Forgets everything: after an error nothing remembered is sure."""
        self._foreseen.clear()
        self._known.clear()
