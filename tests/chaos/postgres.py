"""A PostgreSQL of the test's own with the product's own settings, which is killed as by a power cut and started again."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from daybook.app import migration_folders
from ledger.embedded import SERVER_OPTIONS, EmbeddedPostgres
from ledger.migrate import migrate
from tests.broker import free_port
from tests.conftest import make_reachable_folder

GONE_WITHIN_S = 20.0


class _OnPort(EmbeddedPostgres):
    """The embedded server, listening on a port of this machine as well."""

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home)
        self._port = port

    def _launch(self) -> None:
        usual = dict(SERVER_OPTIONS)
        SERVER_OPTIONS.update(listen_addresses="'127.0.0.1'", port=str(self._port))
        try:
            super()._launch()
        finally:
            SERVER_OPTIONS.clear()
            SERVER_OPTIONS.update(usual)

    def _dsn(self, database: str) -> str:
        return make_conninfo(super()._dsn(database), port=self._port)


class Postgres:
    """One server on the same data and address over every kill; its folder goes with it."""

    def __init__(self, home: Path | None = None) -> None:
        self.port = free_port()
        self._home = home or make_reachable_folder()
        self._started: list[EmbeddedPostgres] = []

    def __enter__(self) -> Self:
        self.start()
        migrate(self.dsn, migration_folders())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for server in self._started:
            server.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def dsn(self) -> str:
        """The owner's address."""
        return self._started[0].dsn

    def through(self, port: int, dsn: str = "") -> str:
        """The address of a database by way of a port that leads here."""
        given = conninfo_to_dict(dsn or self.dsn)
        return make_conninfo(host="127.0.0.1", port=port, user=given["user"], dbname=given["dbname"])

    def start(self) -> None:
        """Starts it, and returns when it has recovered and answers."""
        self._started.append(_OnPort(self._home, self.port).start())

    def kill(self) -> None:
        """Ends the server and every process of it at once, with no chance to tidy up."""
        postmaster = int((self._home / "postgres" / "postmaster.pid").read_text().split()[0])
        # Stopped first, so that it starts no further process while its own are listed.
        os.kill(postmaster, signal.SIGSTOP)
        doomed = [postmaster, *_children(postmaster)]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + GONE_WITHIN_S
        while any(map(_lives, doomed)):
            assert time.monotonic() < deadline, "the server does not die"
            time.sleep(0.01)


def _children(parent: int) -> list[int]:
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit() and (fields := _stat(int(one.name))) and int(fields[1]) == parent:
            found.append(int(one.name))
    return found


def _lives(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def _stat(pid: int) -> list[str]:
    """State, parent and so on of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []

