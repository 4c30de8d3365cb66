"""Which notices are to be sent now: never tried, or put off so long ago that it is time to try again."""

from datetime import datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import Cursor

from domain.reminder_words import NEW_FOR_DAYS
from projections.notices import COLUMNS, Notice, notice_of

DELAYS: Final = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(days=1),
)  # fmt: skip
"""How long after the first, second ... try the next one comes; from the last on always as long."""
UNKNOWN_DELAYS: Final = (timedelta(hours=1), timedelta(days=1))
"""The same after a try of which nobody knows what came of it: each further one may be a further copy."""
GIVE_UP_AFTER: Final = timedelta(days=NEW_FOR_DAYS)
FEWEST_TRIES: Final = 8
"""A server that says "later" is asked for so long after the claim, and so often at least: then the notice is given up."""
MOST_COPIES: Final = 3
"""So often a message is handed over without anybody knowing what came of it; then a person decides."""
_DUE: LiteralString = (
    " FROM notices WHERE (state IN ('claimed', 'unknown') OR (state = 'failed' AND NOT permanent)) AND NOT permanent"
    " AND (last_at IS NULL OR last_at + CASE WHEN state = 'unknown'"
    " THEN (%(after_unknown)s::interval[])[least(greatest(tries, 1), %(delayed_unknown)s)]"
    " ELSE (%(delays)s::interval[])[least(greatest(tries, 1), %(delayed)s)] END <= %(now)s)"
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
    return {
        "now": now, "delays": list(DELAYS), "delayed": len(DELAYS),
        "after_unknown": list(UNKNOWN_DELAYS), "delayed_unknown": len(UNKNOWN_DELAYS),
    }  # fmt: skip


def is_over(notice: Notice, now: datetime) -> bool:
    """Whether a notice that is put off once more is given up: its time since the claim is over, and it was tried often."""
    return notice.tries + 1 >= FEWEST_TRIES and now - notice.claimed_at >= GIVE_UP_AFTER
