"""A publisher in a process of its own, which says each time when it is between sending and committing: to be killed there."""

import random
import sys
import threading
import time

from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from producers.channel import Channel
from producers.documents import DocumentFeed
from producers.publisher import Publisher


def main(dsn: str, keyring: str, bootstrap: str, topic: str, cursors: str, longest_ms: int, most: int) -> None:
    """Publishes until killed; `longest_ms` bounds its random rests before a commit and after it."""
    really_commit = Channel._commit

    def commit(channel: Channel) -> None:
        print("sent", flush=True)
        time.sleep(random.random() * longest_ms / 1000)
        really_commit(channel)
        print("committed", flush=True)
        time.sleep(random.random() * longest_ms / 2_000)

    Channel._commit = commit  # type: ignore[method-assign]
    with Database(dsn, pool_size=2) as database:
        feed = DocumentFeed(Book(database, Keyring(keyring)), topic)
        Publisher(feed, database, bootstrap, cursors=cursors, most=most).run(threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:6], int(sys.argv[6]), int(sys.argv[7]))
