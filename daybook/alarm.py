"""The alarm of dead letters: many in a short time mean a sender that has changed, not a message that went wrong."""

import time
from datetime import timedelta
from typing import Any, Final

import structlog

from daybook.app import App

log = structlog.get_logger("daybook.alarm")

WITHIN: Final = timedelta(minutes=10)
LOOK_EVERY_S: Final = 5.0
_RECENT: Final = "SELECT coalesce(sum(dead_letters), 0)::int8 FROM ledger.batches WHERE recorded_at > clock_timestamp() - %s"
_REASONS: Final = """
    SELECT d.topic, d.reason, count(*) FROM ledger.dead_letters d JOIN ledger.batches b USING (batch_id)
    WHERE b.recorded_at > clock_timestamp() - %s GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 3
"""


def recent(cursor: Any) -> int:
    """How many messages were set aside in the last ten minutes, whatever became of them since."""
    row = cursor.execute(_RECENT, (WITHIN,)).fetchone()
    assert row is not None
    return int(row[0])


def most_of(cursor: Any) -> str:
    """Which topics and reasons they are, the most first."""
    rows = cursor.execute(_REASONS, (WITHIN,)).fetchall()
    return ", ".join(f"{count} {reason} on {topic}" for topic, reason, count in rows)


class Alarm:
    """Says once that dead letters rise, and once that they no longer do; looks every few seconds."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._rising = False
        self._next_look = 0.0

    def step(self) -> None:
        """Looks, if it is time to."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_EVERY_S
        limit = self._app.settings.dead_letter_alarm
        with self._app.database.connection() as connection, connection.cursor() as cursor:
            count = recent(cursor)
            rising = count >= limit
            most = most_of(cursor) if rising and not self._rising else ""
        if rising and not self._rising:
            log.error("dead_letters_rising", count=count, limit=limit, minutes=WITHIN.seconds // 60, most=most)
        elif self._rising and not rising:
            log.info("dead_letters_calm", count=count, limit=limit)
        self._rising = rising
