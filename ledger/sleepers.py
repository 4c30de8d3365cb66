"""A writer that was frozen with half a batch sent would hold the book for ever: whoever waits for it throws it out.

The server ends a session that idles in a transaction, but not one whose COPY waits for the rest of its rows, and it minds
no other time-out meanwhile. Ending it is safe: nothing of its batch was recorded, and it starts over when it wakes.
"""

import time
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from ledger.database import Database

log = structlog.get_logger("daybook.book")

ASLEEP_AFTER: Final = "5s"
LOOK_AGAIN_AFTER_S: Final = 2.0
"""A batch on its way over a slow link grows in this time; a sleeper's does not."""

_WAITS_FOR_ROWS: Final = """
    SELECT a.pid, p.bytes_processed FROM pg_locks l
    JOIN pg_stat_activity a USING (pid) JOIN pg_stat_progress_copy p USING (pid)
    WHERE l.relation = 'ledger.daybook_events'::regclass AND l.mode = 'ExclusiveLock' AND l.granted
    AND a.wait_event = 'ClientRead' AND a.query_start < clock_timestamp() - %s::interval
"""


def throw_out_sleepers(database: Database) -> int:
    """Ends sessions that hold the book and have stopped sending; gives how many. Trouble is logged: it is only a help."""
    try:
        with database.connection() as connection:
            # As the login itself, which may see and end its own other sessions; the application's role may not.
            connection.execute("SET LOCAL ROLE NONE")
            before = connection.execute(_WAITS_FOR_ROWS, (ASLEEP_AFTER,)).fetchall()
            if not before:
                return 0
            time.sleep(LOOK_AGAIN_AFTER_S)
            asleep = set(before) & set(connection.execute(_WAITS_FOR_ROWS, (ASLEEP_AFTER,)).fetchall())
            for pid, _ in asleep:
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
                log.warning("sleeping_writer_thrown_out", server_process=pid)
            return len(asleep)
    except (psycopg.Error, PoolTimeout) as error:
        log.warning("sleeping_writers_not_looked_for", error=type(error).__name__)
        return 0
