"""Mails that were sent, or failed for good, as other systems read them on `daybook.notices`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import Cursor

from domain.notices import NoticeClaimed, NoticeFailed, NoticeSent, NoticeUnknown
from ledger.book import Book
from ledger.event_codec import decode
from ledger.keyring import PREFIX, Keyring
from producers.outgoing import LARGEST_VALUE, Backlog, CannotPublish, Message
from schemas.codec import encode, key_of
from schemas.topics import TOPIC_OF

# Mails are few among facts: the server picks them out, so many facts at a time.
_WINDOW: Final = 50_000
_TOPICS: Final = [NoticeSent.TOPIC, NoticeFailed.TOPIC, NoticeUnknown.TOPIC]
# A failure is told only once it is final; what was claimed stands before it in the same stream.
_NEXT: Final = """
    SELECT e.notification_id, b.recorded_at, e.topic, e.state, c.state
    FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
        CROSS JOIN LATERAL (
            SELECT state FROM ledger.daybook_events WHERE originator_id = e.originator_id
                AND originator_version < e.originator_version AND topic = 'notice.claimed.v1'
            ORDER BY originator_version DESC LIMIT 1
        ) AS c
    WHERE e.notification_id > %s AND e.notification_id <= %s AND e.topic = ANY(%s)
        AND CASE e.topic WHEN 'notice.unknown.v1' THEN (convert_from(e.state, 'UTF8')::jsonb ->> 'given_up')::boolean
            ELSE coalesce((convert_from(e.state, 'UTF8')::jsonb ->> 'permanent')::boolean, true) END
    ORDER BY e.notification_id LIMIT %s
"""
_BACKLOG: Final = """
    SELECT count(*), (
        SELECT b.recorded_at FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
        WHERE e.notification_id = min(n.position)
    ) FROM books.notices AS n WHERE n.position > %s AND (n.state = 'sent' OR n.permanent)
"""
_INVOICE_IDS: Final = """
    SELECT i.client_id, i.number, i.invoice_id FROM books.invoices AS i
    JOIN unnest(%s::text[], %s::text[]) AS k(c, n) ON i.client_id = k.c AND i.number = k.n
"""

Result = NoticeSent | NoticeFailed | NoticeUnknown
Ids = dict[tuple[str, str], str]
"""Invoice ids by client and number."""


class NoticeFeed:
    """What became of mails, in order of the ledger; one that is tried again is told when it is sent, or given up.

    One of which nobody knows is told as failed once it is given up: its reason says so.
    """

    name = "notices"
    log_event = "notices_published"

    def __init__(self, book: Book, topic: str = TOPIC_OF["NoticeSent"]) -> None:
        self.topic = topic
        self._book = book
        self._none_between = (0, 0)

    def next(self, after: int, limit: int) -> Sequence[Message]:
        """The next results as messages; raises CannotPublish."""
        from_, upto = self._none_between
        begin = upto if from_ == after else after
        head = self._book.head()
        while begin < head:
            end = min(begin + _WINDOW, head)
            if page := self._page(begin, end, limit):
                return page
            begin = end
            self._none_between = (after, end)
        return []

    def backlog(self, after: int) -> Backlog:
        """The results that nobody was told of yet."""
        with self._book.database.connection() as connection:
            row = connection.execute(_BACKLOG.encode(), [after]).fetchone()
        assert row is not None
        return Backlog(*row)

    def end(self) -> int:
        """The ledger's end."""
        return self._book.head()

    def _page(self, after: int, upto: int, limit: int) -> list[Message]:
        with self._book.database.connection() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(_NEXT.encode(), [after, upto, _TOPICS, limit]).fetchall()
            claims = [decode(NoticeClaimed.TOPIC, claim) for *_, claim in rows]
            ids = _invoice_ids(cursor, claims)
        return [
            message_of(position, recorded_at, decode(topic, state), claimed, ids, self._book.keyring)
            for (position, recorded_at, topic, state, _), claimed in zip(rows, claims, strict=True)
        ]


def _invoice_ids(cursor: Cursor[Any], claimed: Iterable[NoticeClaimed]) -> Ids:
    keys = [(one.client_id, number) for one in claimed for number in one.numbers]
    if not keys:
        return {}
    rows = cursor.execute(_INVOICE_IDS.encode(), [[c for c, _ in keys], [n for _, n in keys]]).fetchall()
    return {(client_id, number): invoice_id for client_id, number, invoice_id in rows}


def message_of(
    position: int, recorded_at: datetime, event: Result, claimed: NoticeClaimed, ids: Ids, keyring: Keyring
) -> Message:
    """A result as a message; what was forgotten since is told as empty."""
    record = "NoticeSent" if isinstance(event, NoticeSent) else "NoticeFailed"
    fields: dict[str, Any] = {
        "event_id": event.event_id,
        "recorded_at": recorded_at,
        "client_id": event.client_id,
        "notice_id": event.notice_id,
        "kind": claimed.kind,
        "invoice_ids": [ids[claimed.client_id, number] for number in claimed.numbers if (claimed.client_id, number) in ids],
    }
    if isinstance(event, NoticeSent):
        to = (_readable(one, keyring) for one in event.to or claimed.to)
        fields |= {"to": [one for one in to if one], "message_id": claimed.message_id}
    else:
        fields["reason"] = _readable(event.reason, keyring)
    value = encode(record, fields)
    if len(value) > LARGEST_VALUE:
        raise CannotPublish(f"{event.notice_id} at position {position}: {record} takes {len(value)} bytes")
    return Message(position, key_of(record, fields), value)


def _readable(text: str, keyring: Keyring) -> str:
    return (keyring.decrypt(text) or "") if text.startswith(PREFIX) else text
