"""Forgetting a client: its key goes and with it all that people wrote about it; what stays is said, with the day it goes."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from daybook.app import App
from daybook.printing import counted
from daybook.worker import KEPT_FOR
from domain.facts import PROVIDER
from projections import dead_letters
from projections.finding import Unknown, client_meant
from runs.errors import NothingThere


class Forgotten(NamedTuple):
    """What went at once, and what is kept whole for a while yet."""

    log_records: int
    dead_letters: int
    gone_on: date | None


def refuse_own_key(client_id: str) -> None:
    """The ledger's own key stays; raises NothingThere."""
    if client_id == PROVIDER:
        raise NothingThere(f"{PROVIDER!r} is the ledger's own key, under which its log and dead letters lie: it is not forgotten")


def forget(app: App, client_id: str, at: datetime) -> Forgotten:
    """Erases the client's key; raises NothingThere where it has none, Unknown where nobody ever spoke of such a client."""
    refuse_own_key(client_id)
    if not app.book.keyring.forget(client_id):
        _refuse_unknown(app, client_id)
        raise NothingThere(f"there is no key of {client_id}: nothing personal is kept, or it is forgotten already")
    # The embedded log holds whole messages under the provider's key: what the book has is not needed there any more.
    purged = app.log().purge(at)
    with app.database.connection() as connection, connection.cursor() as cursor:
        letters, last = dead_letters.of_key(cursor, app.book.keyring, client_id.encode())
    return Forgotten(purged, letters, (last + KEPT_FOR).date() if last is not None else None)


def _refuse_unknown(app: App, client_id: str) -> None:
    """An id mistyped is told apart from one already forgotten: whoever erases must know which it was."""
    with app.views.reading() as cursor:
        try:
            meant = client_meant(cursor, client_id)
        except Unknown as error:
            raise NothingThere(str(error)) from None
    if meant != client_id:
        raise NothingThere(f"there is no client {client_id!r}: erasing takes the id to the letter, did you mean {meant}?")


def told(client_id: str, done: Forgotten) -> Iterator[str]:
    """What a person who must answer for the erasure needs to know."""
    yield f"forgotten: {client_id}"
    yield "  erased   the key of what people wrote (notes, reasons, addresses, e-mails): unreadable from now on, in backups too"
    if done.log_records:
        yield f"  erased   {counted(done.log_records, 'whole message')} of the embedded log that the book has"
    yield "  stays    amounts, ids, the client's name and its documents; the chain holds, views rebuild"
    if done.dead_letters:
        letters = counted(done.dead_letters, "dead letter")
        yield f"  stays    {letters} of it, whole, until {done.gone_on} (kept {KEPT_FOR.days} days)"
    yield "  not ours Kafka's own log and copies of the keyring file: delete those too"
