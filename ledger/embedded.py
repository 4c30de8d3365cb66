"""The database a person gets when none is configured: PostgreSQL started from the wheel's own binaries, under one home.

Who stops it: every process that uses a home holds a shared `flock` on `postgres.users` in it, and the last one to leave
stops the server. The kernel drops the lock of a killed process, so there is no count to go stale: a server left behind
by `kill -9` is joined by the next command and stopped when that one leaves.
"""

import atexit
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import psycopg
from psycopg.conninfo import make_conninfo

from ledger.server_programs import EmbeddedPostgresError as EmbeddedPostgresError
from ledger.server_programs import (
    as_server_sees,
    as_server_user,
    open_to_server_user,
    reachable_binaries,
    server_uid,
    stand_in,
    user_name,
)

LOGIN = "daybook"
DATABASE = "daybook"
START_TIMEOUT_S = 60
SOCKET_PATH_LIMIT = 103  # bytes: macOS's, 107 on Linux

SERVER_OPTIONS = {
    "listen_addresses": "''",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "timezone": "UTC",
    "jit": "off",
}
THROWAWAY_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
}


CLEAR_UP = """
cat >/dev/null
pid_file="$2/postmaster.pid"
tries=100
if read -r pid <"$pid_file"; then
    kill -QUIT "$pid"
    while [ -e "$pid_file" ] && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
fi
rm -rf "$2" "$3" "$1/postgres.users" "$1/postgres.lock"
rmdir "$1"
"""


class EmbeddedPostgres:
    """One PostgreSQL server a home, shared by every command that uses the home.

    `throwaway` is for tests: nothing survives a power cut, and the server and its data go with the process that started
    it, even if that process is killed.
    """

    def __init__(self, home: Path | str, throwaway: bool = False) -> None:
        self.home = Path(home).absolute()
        self.throwaway = throwaway
        self._data = self.home / "postgres"
        self._users: int | None = None
        self._pid = 0
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """How the owner of the tables connects; everyone else connects through `Database`."""
        return self._dsn(DATABASE)

    def start(self) -> Self:
        """Starts the server of this home, or joins it if it runs; the first start ever also creates it."""
        if self._users is not None:
            return self
        try:
            self._prepare_home()
            with self._exclusively():
                self._join_or_launch()
        except PermissionError as error:
            self._refuse_foreign(Path(error.filename or self.home), error)
        atexit.register(self.stop)
        return self

    def _join_or_launch(self) -> None:
        users = self._open_users()
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if not self._answers():
                self._initialise()
                self._launch()
            self._create_database()
        except BaseException:  # an interrupted start leaves no server behind
            if _takes_alone(users) and (self._data / "postmaster.pid").exists():
                self._shut_down()
            os.close(users)
            raise
        self._users, self._pid = users, os.getpid()

    def stop(self) -> None:
        """Leaves; stops the server if nobody else uses it."""
        if self._users is None or self._pid != os.getpid():  # a forked child shares its parent's lock
            return
        atexit.unregister(self.stop)
        if self.home.exists():  # else its folder was deleted, and the server ends by itself
            with self._exclusively():
                if _takes_alone(self._users):
                    self._shut_down()
        os.close(self._users)
        self._users = None
        if self._watchdog is not None:
            self._watchdog.communicate()
            self._watchdog = None

    def discard(self) -> None:
        """Removes the home's database for good, and ends a server left behind; refuses while somebody uses it."""
        if not self._data.exists():
            return
        with self._exclusively():
            users = self._open_users()
            try:
                if not _takes_alone(users):
                    raise EmbeddedPostgresError(f"the database in {self.home} is in use: end the commands that use it first.")
                if self._server_runs():
                    self._shut_down()
                shutil.rmtree(self._data)
            finally:
                os.close(users)

    def _shut_down(self) -> None:
        how = "immediate" if self.throwaway else "fast"
        sockets = self._socket_folder()
        stopped = self._run("pg_ctl", self._data, "-w", "-s", "-m", how, "stop", check=False)
        if not stopped and self._run("pg_ctl", self._data, "status", check=False):
            raise EmbeddedPostgresError(f"the database server on {self._data} does not stop{self._log_tail()}")
        shutil.rmtree(sockets, ignore_errors=True)
        if self.throwaway:
            shutil.rmtree(self._data, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _prepare_home(self) -> None:
        created = [folder for folder in (self.home, *self.home.parents) if not folder.exists()]
        for folder in reversed(created):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        if self._data.exists() and self._data.stat().st_uid != server_uid():
            self._refuse_foreign(self._data)

    def _refuse_foreign(self, path: Path, error: OSError | None = None) -> NoReturn:
        raise EmbeddedPostgresError(
            f"{path} belongs to another user or is closed to '{user_name(os.getuid())}':"
            " run as its owner, choose another DAYBOOK_HOME, or set DAYBOOK_DATABASE_URL."
        ) from error

    def _open_users(self) -> int:
        return os.open(self.home / "postgres.users", os.O_RDWR | os.O_CREAT, 0o644)

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        # Guards only the moments of starting and leaving, so that two first commands don't both run initdb.
        lock = os.open(self.home / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        # initdb into a side folder: a first start that is killed half-way leaves nothing that looks like a database.
        making = self.home / "postgres.making"
        shutil.rmtree(making, ignore_errors=True)
        _private_folder(making)
        unsynced = ["--no-sync"] if self.throwaway else []
        self._run("initdb", making, "-U", LOGIN, "-A", "trust", "-E", "UTF8", "--locale=C", *unsynced)
        making.rename(self._data)

    def _launch(self) -> None:
        sockets = _default_socket_folder(self._data)
        _private_folder(sockets)
        for left_behind in sockets.iterdir():  # a killed server's; the folder is this server's alone
            left_behind.unlink()
        settings = {**SERVER_OPTIONS, **(THROWAWAY_OPTIONS if self.throwaway else {})}
        options = " ".join([f"-k {sockets}", *(f"-c {name}={value}" for name, value in settings.items())])
        log = as_server_sees(self._data) / "log"
        self._run("pg_ctl", self._data, "-w", "-s", "-t", START_TIMEOUT_S, "-l", log, "-o", options, "start")
        if self.throwaway:
            self._watchdog = self._watch()

    def _watch(self) -> subprocess.Popen[bytes]:
        # `cat` ends when this process does, by whatever death; then the server and its data go too.
        return subprocess.Popen(
            ["/bin/sh", "-c", CLEAR_UP, "daybook", str(self.home), str(self._data), str(self._socket_folder())],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
        )  # fmt: skip

    def _answers(self) -> bool:
        """Whether a server runs on this home; waits for one that is still starting or recovering."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._server_runs():
            try:
                psycopg.connect(self._dsn("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"a database server runs on {self._data} but does not answer: {error}. Its log is {self._data / 'log'}."
                    ) from error
                time.sleep(0.1)
            else:
                return True
        return False

    def _server_runs(self) -> bool:
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists() or not self._run("pg_ctl", self._data, "status", check=False):
            return False
        # In a container nobody may reap a killed server, and PostgreSQL takes the zombie its file names for a live one.
        with contextlib.suppress(FileNotFoundError, IndexError):
            status = Path(f"/proc/{pid_file.read_text().splitlines()[0]}/stat").read_text()
            if status.rpartition(")")[2].split()[0] == "Z":
                pid_file.unlink()
                return False
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _dsn(self, database: str) -> str:
        return make_conninfo(host=str(self._socket_folder()), user=LOGIN, dbname=database)

    def _socket_folder(self) -> Path:
        # The running server says where its socket is: it may have been started under another TMPDIR.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        return Path(lines[4]) if len(lines) > 4 and lines[4] else _default_socket_folder(self._data)

    def _run(self, program: str, data: Path, *arguments: object, check: bool = True) -> bool:
        seen = as_server_sees(data)
        command = [str(reachable_binaries() / program), "-D", str(seen), *(str(argument) for argument in arguments)]
        folder = "/" if seen == data or not data.exists() else data
        # Output goes to a file, not a pipe: the server would inherit the pipe and keep it open for ever.
        with tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, cwd=folder, **as_server_user()
                )
            except OSError as error:
                raise EmbeddedPostgresError(f"cannot run {command[0]} as '{user_name(server_uid())}': {error}") from error
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if check and done.returncode != 0:
            raise EmbeddedPostgresError(f"{program} failed on {data}: {said or done.returncode}{self._log_tail()}")
        return done.returncode == 0

    def _log_tail(self) -> str:
        log = self._data / "log"
        return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else ""


def _takes_alone(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if os.getuid() == 0 and status.st_uid == 0 and not folder.is_symlink():
        os.chown(folder, stand_in().pw_uid, stand_in().pw_gid)
    elif folder.is_symlink() or status.st_uid != server_uid():
        raise EmbeddedPostgresError(f"{folder} belongs to somebody else: remove it or set DAYBOOK_DATABASE_URL.")
    folder.chmod(0o700)


def _default_socket_folder(data: Path) -> Path:
    # Named after the database, not only its place: the server of a deleted home would take its successor's socket with it.
    identity = b""
    with contextlib.suppress(FileNotFoundError), (data / "global" / "pg_control").open("rb") as control:
        identity = control.read(8)
    name = f"daybook-{os.getuid()}-{hashlib.sha256(identity + bytes(data)).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    # Not under the home: a socket's path is short, and goes through the server's shell and its list of folders.
    fits = len(bytes(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT and re.fullmatch(r"[\w./-]+", str(folder), re.ASCII)
    if not fits or (os.getuid() == 0 and not open_to_server_user(folder.parent)):
        return Path("/tmp") / name
    return folder
