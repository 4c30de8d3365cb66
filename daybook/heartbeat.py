"""Each thread that keeps something going gives signs of life; its process writes them down, so that a dead one is named."""

import json
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from daybook.app import App
from ledger.database import Database

log = structlog.get_logger("daybook.heartbeat")

EVERY_S: Final = 2.0
FORGOTTEN_AFTER: Final = timedelta(days=7)
LONGEST_PROBLEM: Final = 500
_WRITE: Final = """
    INSERT INTO access.heartbeats (part, beat_at, detail)
    SELECT part, clock_timestamp() - ago, detail FROM unnest(%s::text[], %s::interval[], %s::jsonb[]) AS seen (part, ago, detail)
    ON CONFLICT (part) DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBeat:
    """When a thread was last seen: its part (`worker/consumer`), the process it belongs to, and why it may go on in vain."""

    part: str
    process: str
    ago_s: float
    problem: str


class Pulse:
    """One thread's signs of life: a note in memory, so that it costs a busy loop nothing."""

    def __init__(self) -> None:
        self.at = time.monotonic()
        self.problem = ""

    def beat(self, problem: str = "") -> None:
        """Says that the thread goes on; `problem`, that it goes on in vain, and why."""
        self.at, self.problem = time.monotonic(), problem


class Heartbeat:
    """Writes down every two seconds when each thread of this process was last seen.

    It does so in a thread of its own that does nothing else: whatever hangs, the others are still told apart.
    """

    def __init__(self, app: App, kind: str, parts: Sequence[str]) -> None:
        """`kind` is the command (`worker`, `web`); `parts` are the threads it is going to have."""
        self.pulses = {part: Pulse() for part in parts}
        self._database: Database = app.database
        self._names = {part: f"{kind}/{part}:{socket.gethostname()}:{os.getpid()}" for part in parts}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Who ends by his own will is forgotten; who falls stays in the list until he is missed."""
        self._stop.set()
        self._thread.join(timeout=EVERY_S)
        if kind is None:
            self._execute("DELETE FROM access.heartbeats WHERE part = ANY(%s)", [list(self._names.values())])

    def _run(self) -> None:
        self._execute("DELETE FROM access.heartbeats WHERE beat_at < clock_timestamp() - %s::interval", [FORGOTTEN_AFTER])
        while True:
            now = time.monotonic()
            self._execute(
                _WRITE,
                [
                    [self._names[part] for part in self.pulses],
                    [timedelta(seconds=now - pulse.at) for pulse in self.pulses.values()],
                    [json.dumps({"problem": pulse.problem[:LONGEST_PROBLEM]}) for pulse in self.pulses.values()],
                ],
            )
            if self._stop.wait(EVERY_S):
                return

    def _execute(self, statement: str, values: list[object]) -> None:
        try:
            with self._database.connection() as connection:
                connection.execute(statement.encode(), values)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("heartbeat_not_written", error=type(error).__name__)


def last_beats(app: App) -> list[LastBeat]:
    """Who was seen when, the newest first."""
    with app.database.connection() as connection:
        rows = connection.execute(
            "SELECT split_part(part, ':', 1), substr(part, strpos(part, ':') + 1),"
            " extract(epoch FROM clock_timestamp() - beat_at)::float8, coalesce(detail ->> 'problem', '')"
            " FROM access.heartbeats ORDER BY beat_at DESC, part"
        ).fetchall()
    return [LastBeat(part=part, process=process, ago_s=ago, problem=problem) for part, process, ago, problem in rows]


def silent(beats: Sequence[LastBeat], after_s: float) -> list[LastBeat]:
    """Threads that say nothing any more though another thread of their process does: they hang or have died."""
    alive = {beat.process for beat in beats if beat.ago_s <= after_s}
    return [beat for beat in beats if beat.ago_s > after_s and beat.process in alive]
