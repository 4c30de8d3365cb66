"""Everything that was ever recorded of one client, facts and decisions alike, the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Cursor

PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One event: `said` is all it says but its lines, personal text still as cipher text; `item_key` what it is billed by.

    `topic` is null for a decision made in Daybook, else where the fact came from.
    """

    position: int
    event_id: str
    event: str
    recorded_at: datetime
    topic: str | None
    partition: int | None
    offset: int | None
    batch: int
    said: dict[str, Any]
    item_key: str | None


def story(cursor: Cursor[Any], client_id: str, page: int = 1) -> list[Recorded]:
    """One page of a client's events, the last recorded first."""
    rows = cursor.execute(
        "WITH recent AS MATERIALIZED (SELECT * FROM ledger.daybook_events WHERE client_id = %s"
        "  ORDER BY notification_id DESC LIMIT %s OFFSET %s)"
        " SELECT s.notification_id, s.event_id::text, s.topic, b.recorded_at, s.source_topic, s.source_partition,"
        "  s.source_offset, s.batch_id, convert_from(s.state, 'UTF8')::jsonb - 'lines'"
        " FROM recent s JOIN ledger.batches b USING (batch_id) ORDER BY s.notification_id DESC",
        (client_id, PAGE, (page - 1) * PAGE),
    ).fetchall()
    items = _items(cursor, client_id, [row[1] for row in rows])
    known = _known(cursor, client_id, [row[8]["item_key"] for row in rows if isinstance(row[8].get("item_key"), str)])
    return [
        Recorded(
            position=r[0], event_id=r[1], event=r[2], recorded_at=r[3], topic=r[4], partition=r[5], offset=r[6], batch=r[7],
            said=r[8], item_key=items.get(r[1]) or (r[8].get("item_key") if r[8].get("item_key") in known else None),
        )
        for r in rows
    ]  # fmt: skip


def story_length(cursor: Cursor[Any], client_id: str) -> int:
    """How many events there are of a client."""
    row = cursor.execute("SELECT count(*) FROM ledger.daybook_events WHERE client_id = %s", (client_id,)).fetchone()
    assert row is not None
    return int(row[0])


def _items(cursor: Cursor[Any], client_id: str, event_ids: list[str]) -> dict[str, str]:
    """Of some events, the item of the queue that each is part of."""
    rows = cursor.execute(
        "SELECT item_key, source_event_ids FROM charges WHERE client_id = %s AND source_event_ids && %s::text[]",
        (client_id, event_ids),
    ).fetchall()
    wanted = set(event_ids)
    return {event_id: item_key for item_key, ids in rows for event_id in ids if event_id in wanted}


def _known(cursor: Cursor[Any], client_id: str, item_keys: list[str]) -> set[str]:
    rows = cursor.execute(
        "SELECT item_key FROM charges WHERE client_id = %s AND item_key = ANY(%s)", (client_id, item_keys)
    ).fetchall()
    return {key for (key,) in rows}
