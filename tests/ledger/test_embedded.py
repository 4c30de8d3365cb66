"""The embedded server is shared by a home's commands, outlives a killed one, and leaves with the last."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from ledger.embedded import EmbeddedPostgres, EmbeddedPostgresError

ROOT = Path(__file__).parents[2]
USE_UNTIL_STDIN_CLOSES = """
import sys
from ledger.embedded import EmbeddedPostgres
EmbeddedPostgres(sys.argv[1], throwaway=len(sys.argv) > 2).start()
print("ready", flush=True)
sys.stdin.read()
"""


def run_user(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Another command that uses the home until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE_UNTIL_STDIN_CLOSES, str(home), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def answers(server: EmbeddedPostgres) -> bool:
    """Whether the server takes connections."""
    try:
        psycopg.connect(server.dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def test_second_command_joins_and_last_one_stops_the_server(reachable_folder: Path) -> None:
    home = reachable_folder / "home"
    first, second = EmbeddedPostgres(home).start(), EmbeddedPostgres(home).start()
    with psycopg.connect(first.dsn) as connection:
        connection.execute("CREATE TABLE kept ()")
    first.stop()
    assert answers(second)
    second.stop()
    assert not answers(second)
    with EmbeddedPostgres(home) as again, psycopg.connect(again.dsn) as connection:
        connection.execute("SELECT * FROM kept")


def test_server_of_a_killed_command_is_joined_then_stopped(reachable_folder: Path) -> None:
    killed = run_user(reachable_folder)
    server = EmbeddedPostgres(reachable_folder)
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE left_behind ()")
    killed.kill()
    killed.communicate()
    assert answers(server)
    with server, psycopg.connect(server.dsn) as connection:
        connection.execute("SELECT * FROM left_behind")
    assert not answers(server)


def test_commands_that_start_at_once_share_one_server(reachable_folder: Path) -> None:
    command = [sys.executable, "-c", USE_UNTIL_STDIN_CLOSES, str(reachable_folder)]
    users = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ended = [(*user.communicate(), user.returncode) for user in users]
    assert ended == [(b"ready\n", b"", 0)] * 4
    assert not answers(EmbeddedPostgres(reachable_folder))


def test_crashed_server_recovers_what_was_committed(reachable_folder: Path) -> None:
    server = EmbeddedPostgres(reachable_folder).start()
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE committed ()")
    os.kill(int((reachable_folder / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    with EmbeddedPostgres(reachable_folder) as joined, psycopg.connect(joined.dsn) as connection:
        connection.execute("SELECT * FROM committed")
        server.stop()


def test_throwaway_server_goes_with_its_killed_process(reachable_folder: Path) -> None:
    process = run_user(reachable_folder, "throwaway")
    server = EmbeddedPostgres(reachable_folder)
    assert answers(server)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while (reachable_folder / "postgres").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(server)
    assert not (reachable_folder / "postgres").exists()


def test_nobody_else_reaches_the_server(reachable_folder: Path) -> None:
    with EmbeddedPostgres(reachable_folder) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        socket_folder = Path(psycopg.conninfo.conninfo_to_dict(server.dsn)["host"])  # type: ignore[arg-type]
        assert socket_folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root borrows another user")
def test_folder_closed_to_the_servers_user_is_named(reachable_folder: Path) -> None:
    closed = reachable_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match=rf"may not enter {closed}"):
        EmbeddedPostgres(closed / "home").start()


def test_socket_folder_of_somebody_else_is_refused(reachable_folder: Path) -> None:
    server = EmbeddedPostgres(reachable_folder)
    folder = server._socket_folder()
    folder.symlink_to(reachable_folder)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
            server.start()
    finally:
        folder.unlink()
