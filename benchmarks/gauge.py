"""What a measured step cost: seconds by the clock, and seconds of processor time here and in the database server.

On a machine that others use too the clock counts their work as well; processor time hardly does.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the program's name, which may hold spaces: parent; user, system, and those of ended children.
PARENT, TIMES = 1, slice(11, 15)


class Gauge:
    """Measures one step after the other beside a server that runs on this machine."""

    def __init__(self, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            self._server = int(_stat(connection.info.backend_pid)[PARENT])
        self.wall_s = self.own_cpu_s = self.server_cpu_s = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Leaves what the block cost in `wall_s`, `own_cpu_s` (this process, all threads) and `server_cpu_s`."""
        wall, own, server = time.perf_counter(), time.process_time(), self._server_s()
        yield
        self.wall_s = time.perf_counter() - wall
        self.own_cpu_s = time.process_time() - own
        self.server_cpu_s = self._server_s() - server

    @property
    def cpu_s(self) -> float:
        """Processor time of both."""
        return self.own_cpu_s + self.server_cpu_s

    def _server_s(self) -> float:
        ticks = sum(int(part) for part in _stat(self._server)[TIMES])
        for folder in Path("/proc").iterdir():
            stat = _stat(int(folder.name)) if folder.name.isdigit() else []
            if stat and int(stat[PARENT]) == self._server:
                ticks += sum(int(part) for part in stat[TIMES])
        return ticks / TICKS_A_SECOND


def _stat(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []  # it ended as it was looked at: its parent has its time
