"""The recorded events that an amount rests on, with where each came from and when it became known."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

MOST_EVENTS = 200


def source_events(cursor: Cursor[Any], event_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Events by id, in the order given, at most MOST_EVENTS; personal text in `said` is still cipher text."""
    wanted = list(event_ids)[:MOST_EVENTS]
    rows = cursor.execute(
        "SELECT e.event_id::text, e.topic, e.source_topic, e.source_partition, e.source_offset, e.notification_id,"
        " e.batch_id, b.recorded_at, convert_from(e.state, 'UTF8')::jsonb FROM ledger.daybook_events e"
        " JOIN ledger.batches b USING (batch_id) WHERE e.event_id = ANY(%s::uuid[])",
        (wanted,),
    ).fetchall()
    by_id = {row[0]: row for row in rows}
    return [
        {
            "event_id": r[0], "event": r[1], "topic": r[2], "partition": r[3], "offset": r[4], "position": r[5],
            "batch": r[6], "recorded_at": r[7], "said": r[8],
        }
        for event_id in wanted
        if (r := by_id.get(event_id)) is not None
    ]  # fmt: skip
