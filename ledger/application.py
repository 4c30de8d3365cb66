"""Daybook as the event library sees it: an application whose `save`, `repository` and log work on the same book."""

from typing import NoReturn
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import ApplicationRecorder, InfrastructureFactory, Mapper, TrackingRecorder
from eventsourcing.utils import Environment

from ledger.book import Book
from ledger.recorder import Codec, LedgerDatastore, LedgerMapper, LedgerRecorder

EVENTS_TABLE = "daybook_events"
TRACKING_TABLE = "daybook_tracking"


class Daybook(Application[UUID]):
    """The library's door to the book; `save()` takes `StreamEvent`s, `repository.get` wants a `projector_func`."""

    name = "daybook"

    def __init__(self, book: Book, codec: Codec) -> None:
        self._book = book
        self._codec = codec
        super().__init__()

    def construct_factory(self, env: Environment) -> "LedgerFactory":
        """Recorders over the book's own database, whatever POSTGRES_* variables say; migrations make the tables."""
        return LedgerFactory(env, self._book)

    def construct_mapper(self) -> Mapper[UUID]:
        """Our codec in place of the library's transcoder."""
        return LedgerMapper(self._codec)

    def construct_recorder(self) -> ApplicationRecorder:
        """Events and positions in one transaction."""
        return self.factory.process_recorder()


class LedgerFactory(InfrastructureFactory[TrackingRecorder]):
    """What the library asks for a place to store events."""

    def __init__(self, env: Environment, book: Book) -> None:
        super().__init__(env)
        self._book = book
        self._datastore = LedgerDatastore(book.database)

    def process_recorder(self) -> LedgerRecorder:
        """The recorder that writes through the book."""
        recorder = LedgerRecorder(self._datastore, events_table_name=EVENTS_TABLE, tracking_table_name=TRACKING_TABLE)
        recorder.book = self._book
        return recorder

    def application_recorder(self) -> LedgerRecorder:
        """The same: there is one book."""
        return self.process_recorder()

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> LedgerRecorder:
        """The same: positions move with events only."""
        return self.process_recorder()

    def aggregate_recorder(self, purpose: str = "events") -> NoReturn:
        """Snapshots are not kept: streams are short."""
        raise NotImplementedError(f"no table for {purpose}: Daybook keeps no snapshots")

    def is_snapshotting_enabled(self) -> bool:
        """Never, whatever the environment says."""
        return False

    def close(self) -> None:
        """Closes the library's pool; the book's stays open."""
        self._datastore.close()
