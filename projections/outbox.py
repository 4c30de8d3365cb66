"""Which notices are to be sent now: never tried, or put off so long ago that it is time to try again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import Cursor

from projections.notices import COLUMNS, Notice, notice_of

DELAYS: Final = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(days=1),
)  # fmt: skip
"""How long after the first, second ... try the next one comes; from the last on always as long."""
MOST_TRIES: Final = 8
_DUE: LiteralString = (
    " FROM notices WHERE (state IN ('claimed', 'unknown') OR (state = 'failed' AND NOT permanent))"
    " AND (last_at IS NULL OR last_at + (%(delays)s::interval[])[least(greatest(tries, 1), %(delayed)s)] <= %(now)s)"
)

Key = tuple[str, str]
"""(client id, notice id)"""


def due(cursor: Cursor[Any], now: datetime, limit: int) -> list[Key]:
    """Notices to send, the longest waiting first."""
    return cursor.execute(
        "SELECT client_id, notice_id" + _DUE + ' ORDER BY coalesce(last_at, claimed_at), client_id COLLATE "C",'
        ' notice_id COLLATE "C" LIMIT %(limit)s',
        {**_given(now), "limit": limit},
    ).fetchall()


def take(cursor: Cursor[Any], key: Key, stream: UUID, now: datetime) -> tuple[Notice, int] | None:
    """A notice that is still to be sent now, and the version its next event has; None where somebody had it meanwhile.

    To be asked by the one who has it for himself.
    """
    row = cursor.execute(
        "SELECT " + COLUMNS + ", (SELECT coalesce(max(originator_version), 0) + 1 FROM ledger.daybook_events"  # noqa: S608 - constants
        " WHERE originator_id = %(stream)s)" + _DUE + " AND client_id = %(client)s AND notice_id = %(notice)s",
        {**_given(now), "client": key[0], "notice": key[1], "stream": stream},
    ).fetchone()
    return None if row is None else (notice_of(row[:-1]), int(row[-1]))


def _given(now: datetime) -> dict[str, Any]:
    delays: Sequence[timedelta] = list(DELAYS)
    return {"now": now, "delays": delays, "delayed": len(DELAYS)}
