"""What keeps something going says now and then that it is alive, so that others can tell when it no longer is."""

import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from daybook.app import App

EVERY_S: Final = 10.0
FORGOTTEN_AFTER: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LastBeat:
    """When a part was last seen."""

    part: str
    ago_s: float


class Heartbeat:
    """The beats of one process; call `beat` as often as is handy."""

    def __init__(self, app: App, kind: str) -> None:
        self._app = app
        self._part = f"{kind}:{socket.gethostname()}:{os.getpid()}"
        self._next = 0.0

    def beat(self, **detail: str | int) -> None:
        """Says that it is alive, at most every ten seconds."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        with self._app.database.connection() as connection:
            connection.execute(
                "DELETE FROM access.heartbeats WHERE beat_at < clock_timestamp() - %s::interval", (FORGOTTEN_AFTER,)
            )
            connection.execute(
                "INSERT INTO access.heartbeats (part, beat_at, detail) VALUES (%s, clock_timestamp(), %s)"
                " ON CONFLICT (part) DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail",
                (self._part, json.dumps(detail)),
            )

    def stop(self) -> None:
        """Says that it ends by its own will."""
        with self._app.database.connection() as connection:
            connection.execute("DELETE FROM access.heartbeats WHERE part = %s", (self._part,))


def last_beats(app: App) -> list[LastBeat]:
    """Who was seen when, the newest first."""
    with app.database.connection() as connection:
        rows = connection.execute(
            "SELECT part, extract(epoch FROM clock_timestamp() - beat_at) FROM access.heartbeats ORDER BY beat_at DESC"
        ).fetchall()
    return [LastBeat(part, float(ago)) for part, ago in rows]
