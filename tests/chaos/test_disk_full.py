"""A database whose disk is full: it says so, nothing is lost or half written, and it goes on when there is room again."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook.app import migration_folders
from ledger.migrate import migrate
from tests.broker import Broker, require
from tests.chaos.fleet import peak_rss_mb
from tests.chaos.postgres import Postgres
from tests.chaos.test_faults import catches_up, fresh_names, known, tell, working
from tests.conftest import Server, make_reachable_folder
from tests.evidence import saw
from tests.system.installation import Installation
from tests.system.kafka import LARGEST
from tests.system.test_operating import serve

pytestmark = pytest.mark.kafka

SIZE_MB = 700
TODAY = "2026-05-31"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = make_reachable_folder()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "tmpfs", str(folder)]
    done = subprocess.run(mounted, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode != 0:
        folder.rmdir()
        reason = "a small disk needs the right to mount one (run as root, where containers are given CAP_SYS_ADMIN)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_is_named_and_what_waits_is_recorded_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    require()
    with Postgres(small_disk / "home") as postgres, Broker(max_bytes=LARGEST) as broker:
        server = Server(postgres.dsn)
        installation = Installation(server.create(), tmp_path / "home", broker.bootstrap, today=TODAY, group="full")
        migrate(installation.dsn, migration_folders())
        installation.home.mkdir()
        installation.run("topics", "--partitions", "12")
        names = fresh_names("full")
        told = [next(names)]
        with serve(installation) as served, working(installation) as worker:
            served.becomes(lambda wrong: not wrong)
            tell(installation, told[-1])
            catches_up(installation, worker, told)
            ballast = fill(small_disk)
            # More than the pages that are there can hold: the tables must grow, and cannot.
            told += [next(names) for _ in range(4_000)]
            tell(installation, *told[1:])
            wrong = served.becomes(lambda wrong: "No space left on device" in wrong.get("worker consumer", ""))
            assert known(installation, told) == told[:1], "a batch is recorded as a whole or not at all"
            peak = peak_rss_mb(worker.pid)
            ballast.unlink()
            seconds = catches_up(installation, worker, told)
            served.becomes(lambda wrong: not wrong)
            assert worker.stop() == 0
        assert all(check["ok"] for check in installation.json("verify"))
    saw(f"disk full: /readyz said {wrong['worker consumer'][:110]!r}; all 4,000 facts {seconds:.1f} s after room; RSS {peak} MB")


def fill(folder: Path) -> Path:
    """Writes until nothing more fits; gives the file to be taken away again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            pass
    return ballast
