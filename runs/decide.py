"""A person's decisions about one item: hold it, release it, adjust what it costs. Each is an event with its reason."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor
from psycopg.errors import LockNotAvailable

from domain.contract_terms import is_currency
from domain.decisions import ChargeAdjusted, ItemHeld, ItemReleased
from domain.ids import event_id, stream_id, taken_back
from domain.money import MOST_MINOR
from ledger.book import Batch, Book, BookBusy, NewEvent
from ledger.database import Connection
from ledger.event_codec import encode
from projections import decisions
from runs.errors import NothingThere, Refused


class Item(NamedTuple):
    """An item of a client, as the views know it."""

    client_id: str
    item_key: str
    currency: str | None


def find_item(cursor: Cursor[Any], item_key: str, client_id: str | None) -> Item:
    """The item of a key; a key that two clients have needs the client too. Raises NothingThere or Refused."""
    rows = cursor.execute(
        "SELECT client_id, item_key, currency FROM charges WHERE item_key = %(key)s"
        " AND (%(client)s::text IS NULL OR client_id = %(client)s) ORDER BY client_id",
        {"key": item_key, "client": client_id},
    ).fetchall()
    if not rows:
        raise NothingThere(f"no item {item_key!r}: `daybook queue --lines` lists the keys")
    if len(rows) > 1:
        clients = ", ".join(row[0] for row in rows)
        raise Refused(f"several clients have an item {item_key!r} ({clients}): say which with --client")
    return Item(*rows[0])


def hold(book: Book, item: Item, *, reason: str, by: str, at: datetime) -> Batch:
    """Keeps an item off the run until it is released."""
    return _decide(
        book,
        item,
        lambda id_: ItemHeld(
            event_id=id_,
            occurred_at=at,
            client_id=item.client_id,
            item_key=item.item_key,
            by=by,
            reason=book.keyring.encrypt(item.client_id, said(reason)),
        ),
    )


def release(book: Book, item: Item, *, reason: str, by: str, at: datetime) -> Batch:
    """Lets a held item go on the next run; raises Refused where nothing holds it."""

    def released(id_: str) -> ItemReleased:
        return ItemReleased(
            event_id=id_,
            occurred_at=at,
            client_id=item.client_id,
            item_key=item.item_key,
            by=by,
            reason=book.keyring.encrypt(item.client_id, said(reason)),
        )

    def held(connection: Connection) -> None:
        if not _is_held(connection, item):
            raise Refused(f"{item.item_key} is not held: there is nothing to release")

    return _decide(book, item, released, check=held)


def adjust(book: Book, item: Item, amount_minor: int, currency: str | None, *, reason: str, by: str, at: datetime) -> Batch:
    """Changes what an item costs by an amount (negative takes off), in the item's own currency."""
    own = currency or item.currency
    if own is None or not is_currency(own):
        raise Refused(f"{item.item_key} has no currency yet: say which with --currency")
    if item.currency is not None and own != item.currency:
        raise Refused(f"{item.item_key} is in {item.currency}, not {own}")
    if abs(amount_minor) > MOST_MINOR:
        raise Refused("an adjustment of that size cannot be meant: look at the amount")
    if amount_minor == 0:
        raise Refused("an adjustment of 0 changes nothing")
    return _decide(
        book,
        item,
        lambda id_: _adjustment(book, item, id_, id_, own, amount_minor, reason=reason, by=by, at=at),
    )


def take_back(book: Book, item: Item, adjustment_id: str, *, reason: str, by: str, at: datetime) -> Batch:
    """Takes one adjustment back by its opposite, once; raises NothingThere or Refused.

    Nothing is erased: both stand in the book, and where neither was invoiced yet they cancel out before the client sees them.
    """
    with book.database.connection() as connection:
        row = connection.execute(
            "SELECT currency, amount_minor FROM books.adjustments WHERE client_id = %s AND item_key = %s AND adjustment_id = %s",
            (item.client_id, item.item_key, adjustment_id),
        ).fetchone()
    if row is None:
        raise NothingThere(f"{item.item_key} has no such adjustment")
    currency, amount_minor = row
    opposite = taken_back(adjustment_id)

    def standing(connection: Connection) -> None:
        if _is_adjusted(connection, item, opposite):
            raise Refused("this adjustment was taken back already")

    return _decide(
        book,
        item,
        lambda id_: _adjustment(book, item, id_, opposite, currency, -amount_minor, reason=reason, by=by, at=at),
        check=standing,
    )


def _adjustment(
    book: Book,
    item: Item,
    id_: str,
    adjustment_id: str,
    currency: str,
    amount_minor: int,
    *,
    reason: str,
    by: str,
    at: datetime,
) -> ChargeAdjusted:
    return ChargeAdjusted(
        event_id=id_,
        occurred_at=at,
        client_id=item.client_id,
        item_key=item.item_key,
        adjustment_id=adjustment_id,
        currency=currency,
        amount_minor=amount_minor,
        by=by,
        reason=book.keyring.encrypt(item.client_id, said(reason)),
    )


def said(reason: str) -> str:
    """The reason; raises Refused where there is none."""
    if not reason.strip():
        raise Refused("a decision is kept with its reason: say why")
    return reason


def lock_clients(connection: Connection, client_ids: list[str]) -> dict[str, int]:
    """Locks the clients' rows in id order until the transaction ends; gives each one's last decision."""
    ordered = sorted(client_ids)
    connection.execute(
        "INSERT INTO books.accounts (client_id) SELECT * FROM unnest(%s::text[]) ON CONFLICT DO NOTHING", (ordered,)
    )
    rows = connection.execute(
        "SELECT client_id, decided_position FROM books.accounts WHERE client_id = ANY(%s)"
        ' ORDER BY client_id COLLATE "C" FOR UPDATE',
        (ordered,),
    ).fetchall()
    return dict(rows)


def _decide(book: Book, item: Item, make: Callable[[str], Any], *, check: Callable[[Connection], None] = lambda _: None) -> Batch:
    """Appends one event to the item's stream of decisions, under the client's row lock; `check` may refuse it there."""
    try:
        return _append(book, item, make, check)
    except (LockNotAvailable, BookBusy):
        raise Refused(f"others are deciding on {item.client_id} right now: nothing was changed, try again") from None


def _append(book: Book, item: Item, make: Callable[[str], Any], check: Callable[[Connection], None]) -> Batch:
    stream = stream_id("decisions", item.client_id, item.item_key)
    book.keyring.prepare([item.client_id])
    with book.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        lock_clients(connection, [item.client_id])
        check(connection)
        version = next_version(connection, stream)
        id_ = event_id(stream, version)
        event = make(str(id_))
        new = NewEvent(stream, version, event.TOPIC, encode(event), item.client_id, id_)
        return book.append([new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)]))


def _is_held(connection: Connection, item: Item) -> bool:
    row = connection.execute(
        "SELECT 1 FROM holds WHERE client_id = %s AND item_key = %s", (item.client_id, item.item_key)
    ).fetchone()
    return row is not None


def _is_adjusted(connection: Connection, item: Item, adjustment_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM adjustments WHERE client_id = %s AND item_key = %s AND adjustment_id = %s",
        (item.client_id, item.item_key, adjustment_id),
    ).fetchone()
    return row is not None


def next_version(connection: Connection, stream: UUID) -> int:
    """The version a stream's next event has."""
    row = connection.execute(
        "SELECT coalesce(max(originator_version), 0) + 1 FROM ledger.daybook_events WHERE originator_id = %s", (stream,)
    ).fetchone()
    assert row is not None
    return int(row[0])
