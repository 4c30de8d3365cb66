"""A sender in a process of its own, which says each time when it is between sending and recording: to be killed there."""

import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from producers.mail import sending
from producers.mail.sending import Office, send_pending
from producers.mail.transport import Smtp
from producers.paper.printer import printer
from projections.views import Views
from runs.remind import foreseen


def main(dsn: str, keyring: str, url: str, longest_ms: int) -> None:
    """Sends until nothing is due; `longest_ms` bounds its random rests before a result is recorded and after it."""
    really_record = sending._record

    def record(*given: Any) -> None:
        print("sent", flush=True)
        time.sleep(random.random() * longest_ms / 1000)
        really_record(*given)
        print("recorded", flush=True)
        time.sleep(random.random() * longest_ms / 4000)

    sending._record = record
    with Database(dsn, pool_size=4) as database:
        views = Views(Book(database, Keyring(keyring)))
        office = Office(mail_from="billing@northwind.example", printer=printer())
        while send_pending(views, Smtp(url), office, lambda: datetime.now(UTC), still_wanted=foreseen).handled:
            pass
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
