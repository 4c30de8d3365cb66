"""What clients were, or are about to be, told by e-mail: one row a notice, kept in each decision's own transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, LiteralString

from psycopg import Cursor

from domain.notices import NoticeClaimed, NoticeFailed, NoticeSent, NoticeUnknown, NoticeWithdrawn
from projections.tables import NOTICES, Table, copy_in

TABLES: Final[tuple[Table, ...]] = (NOTICES,)
TOPICS: Final = frozenset(cls.TOPIC for cls in (NoticeClaimed, NoticeSent, NoticeFailed, NoticeUnknown, NoticeWithdrawn))

CLAIMED: Final = "claimed"
SENT: Final = "sent"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
WITHDRAWN: Final = "withdrawn"
STATES: Final = (CLAIMED, SENT, FAILED, UNKNOWN, WITHDRAWN)

COLUMNS: LiteralString = (
    "client_id, notice_id, kind, rule, numbers, currency, due_on, claimed_on, claimed_at, balance_minor, addresses,"
    " message_id, state, tries, permanent, last_at, reason"
)
"""What `notice_of` reads."""
_SELECT: LiteralString = "SELECT " + COLUMNS + " FROM notices "  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as it stands; `to`, and the `reason` of a failure, are ciphertext of the client's key."""

    client_id: str
    notice_id: str
    kind: str
    rule: str
    numbers: tuple[str, ...]
    currency: str
    due_on: date | None
    claimed_on: date
    claimed_at: datetime
    balance_minor: int
    to: tuple[str, ...]
    message_id: str
    state: str
    tries: int
    permanent: bool
    last_at: datetime | None
    reason: str | None


def apply(cursor: Cursor[Any], decided: Iterable[tuple[int, Any]]) -> None:
    """Applies notices' events, each with its position, in order.

    A notice is claimed again only after it was withdrawn or failed: its row begins anew, and nothing else stands twice.
    """
    claimed: list[tuple[Any, ...]] = []
    for position, event in decided:
        if isinstance(event, NoticeClaimed):
            if event.again:
                _add(cursor, claimed)
                claimed = []
                cursor.execute("DELETE FROM notices WHERE client_id = %s AND notice_id = %s", (event.client_id, event.notice_id))
            claimed.append(_row(position, event))
            continue
        _add(cursor, claimed)
        claimed = []
        _move(cursor, position, event)
    _add(cursor, claimed)


def _add(cursor: Cursor[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        copy_in(cursor, NOTICES, rows)


def _row(position: int, event: NoticeClaimed) -> tuple[Any, ...]:
    return (
        event.client_id, event.notice_id, event.kind, event.rule, event.numbers, event.currency, event.due_on,
        event.claimed_on, event.occurred_at, event.balance_minor, event.to, event.message_id, CLAIMED, 0, False, None, None,
        position,
    )  # fmt: skip


def _move(cursor: Cursor[Any], position: int, event: Any) -> None:
    moved: tuple[str, int | None, bool, str | None]
    match event:
        case NoticeSent():
            moved = (SENT, event.tries, False, None)
        case NoticeFailed():
            moved = (FAILED, event.tries, event.permanent, event.reason)
        case NoticeUnknown():
            moved = (UNKNOWN, event.tries, event.given_up, event.reason)
        case NoticeWithdrawn():
            moved = (WITHDRAWN, None, False, event.reason)
        case _:
            raise TypeError(f"{type(event).__name__} is no notice")
    to = event.to if isinstance(event, NoticeSent | NoticeFailed) and event.to else None
    cursor.execute(
        "UPDATE notices SET addresses = coalesce(%s, addresses), state = %s, tries = coalesce(%s, tries),"
        " permanent = %s, reason = %s, last_at = %s, position = %s"
        " WHERE client_id = %s AND notice_id = %s",
        (None if to is None else list(to), *moved, event.occurred_at, position, event.client_id, event.notice_id),
    )


def notices(
    cursor: Cursor[Any], client_id: str | None = None, *, since: date | None = None, until: date | None = None, limit: int = 1_000
) -> list[Notice]:
    """Notices claimed on the days from `since` to `until`, the newest first; of one client or of all."""
    rows = cursor.execute(
        _SELECT + "WHERE (%(client)s::text IS NULL OR client_id = %(client)s)"
        " AND claimed_on BETWEEN coalesce(%(since)s::date, '-infinity') AND coalesce(%(until)s::date, 'infinity')"
        ' ORDER BY claimed_at DESC, client_id COLLATE "C", notice_id COLLATE "C" LIMIT %(limit)s',
        {"client": client_id, "since": since, "until": until, "limit": limit},
    ).fetchall()
    return [notice_of(row) for row in rows]


def find(cursor: Cursor[Any], client_id: str, notice_id: str) -> Notice | None:
    """One notice, or None where it was never claimed."""
    row = cursor.execute(_SELECT + "WHERE client_id = %s AND notice_id = %s", (client_id, notice_id)).fetchone()
    return None if row is None else notice_of(row)


def find_all(cursor: Cursor[Any], keys: Sequence[tuple[str, str]]) -> list[Notice]:
    """Those of some (client id, notice id) that were ever claimed."""
    rows = cursor.execute(
        _SELECT + "WHERE (client_id, notice_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",  # noqa: S608 - constants
        ([key[0] for key in keys], [key[1] for key in keys]),
    ).fetchall()
    return [notice_of(row) for row in rows]


def claimed_between(cursor: Cursor[Any], since: date, until: date) -> list[Notice]:
    """Every notice claimed on the days from one to another."""
    rows = cursor.execute(_SELECT + "WHERE claimed_on BETWEEN %s AND %s", (since, until)).fetchall()
    return [notice_of(row) for row in rows]


def notice_of(row: Sequence[Any]) -> Notice:
    """A notice from its `COLUMNS`."""
    fields = (*row[:4], tuple(row[4]), *row[5:10], tuple(row[10]), *row[11:])
    return Notice(*fields)
