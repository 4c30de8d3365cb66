"""Runs the services of compose.yaml without an engine: own network, processes, read-only root and rights, as the file says.

What the containers find under the names `postgres` and `kafka` are the tests' own real servers.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.packaging.image import Image

RELAY = Path(__file__).parent / "relay.py"
START = """
set -e
image=$1 merged=$2 hidden=$3 hosts=$4; shift 4
# The layer lies in the very system that is below it, which the kernel refuses for two read-only layers: so a copy of it.
mount -t tmpfs tmpfs "$merged"
mkdir "$merged/image" "$merged/root"
cp -a "$image/." "$merged/image"
mount -t overlay overlay -o "ro,lowerdir=$merged/image:/" "$merged/root"
merged=$merged/root
mount -t proc proc "$merged/proc"
mount --rbind /dev "$merged/dev"
mount -t tmpfs -o ro tmpfs "$merged$hidden"
mount --bind "$hosts" "$merged/etc/hosts"
while [ "$1" != -- ]; do
    case $1 in
        tmpfs) mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$merged$2" ;;
        volume) mount --bind "$3" "$merged$2"; shift ;;
    esac
    shift 2
done
shift
exec chroot "$merged" "$@"
"""


@dataclass
class Network:
    """A network that only the containers are on, with wires to the servers of the tests."""

    holder: int
    folder: Path

    @property
    def hosts(self) -> Path:
        """/etc/hosts of every container: an engine answers such names by DNS."""
        return self.folder / "hosts"


@contextmanager
def network(folder: Path, postgres_socket: Path, kafka_port: int) -> Iterator[Network]:
    """Makes it; it is gone afterwards."""
    wire = folder / "kafka.sock"
    (folder / "hosts").write_text("127.0.0.1 localhost kafka postgres\n")
    (folder / "hosts").chmod(0o644)
    kafka, database = f"unix:{wire}", f"unix:{postgres_socket}"
    outside = _relay([], [kafka, f"tcp:127.0.0.1:{kafka_port}"])
    # Kafka tells its clients the address that it has outside, so that one leads there too.
    wires = ["tcp:127.0.0.1:19092", kafka, f"tcp:127.0.0.1:{kafka_port}", kafka, "tcp:127.0.0.1:5432", database]
    inside = _relay(["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"], wires)
    try:
        yield Network(inside.pid, folder)
    finally:
        for one in (inside, outside):
            one.kill()
            one.wait()


def _relay(before: list[str], pairs: list[str]) -> "subprocess.Popen[str]":
    started = subprocess.Popen([*before, sys.executable, str(RELAY), *pairs], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@dataclass
class Container:
    """A service's container: runs, is asked for its health, is stopped, as an engine would."""

    image: Image
    service: dict[str, Any]
    net: Network
    volumes: dict[str, Path]
    log: Path
    own: list[str] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Starts it as process 1 of its own."""
        merged = self.log.with_suffix(".root")
        merged.mkdir()
        assert self.service["read_only"], "only a read-only root is known here"
        mounts = [word for path in self.service.get("tmpfs", ()) for word in ("tmpfs", path)]
        for volume in self.service.get("volumes", ()):
            name, _, path = volume.partition(":")
            mounts += ["volume", path, str(self.volumes[name])]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nsenter", f"--net=/proc/{self.net.holder}/ns/net",
                 "unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
                 "sh", "-c", START, "sh", str(self.image.layer), str(merged), str(ROOT), str(self.net.hosts), *mounts, "--",
                 *self._as_user(self.image.entrypoint + self.own)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _as_user(self, command: list[str]) -> list[str]:
        """A command with the image's user and environment, and without the rights that the service gives up."""
        user, _, group = self.image.user.partition(":")
        rights = ["--bounding-set=-all", "--inh-caps=-all"] if "ALL" in self.service.get("cap_drop", ()) else []
        if "no-new-privileges:true" in self.service.get("security_opt", ()):
            rights.append("--no-new-privs")
        env = {"HOME": "/var/lib/daybook", **self.image.env}
        env |= {name: _given(value) for name, value in self.service.get("environment", {}).items()}
        said = [f"{name}={value}" for name, value in env.items()]
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *rights,
                "env", "-i", "-C", self.image.workdir, *said, *command]  # fmt: skip

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, as `docker compose exec` does."""
        pid = self._first()
        enter = ["nsenter", f"--target={pid}", "--mount", "--pid", "--net", "--ipc", "--uts", f"--root=/proc/{pid}/root"]
        return subprocess.run([*enter, *self._as_user(list(command))], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)  # fmt: skip

    def healthy(self) -> bool:
        """What its health check says now."""
        test = self.service.get("healthcheck", {}).get("test") or ["CMD", *self.image.healthcheck]
        assert test[0] == "CMD", "only commands without a shell are known here"
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        return self.execute(*test[1:]).returncode == 0

    def ended(self, within_s: float = 60) -> int:
        """Its exit code, waited for."""
        assert self._process is not None
        return self._process.wait(within_s)

    def stop(self, within_s: float) -> int:
        """Tells process 1 to stop; gives its exit code."""
        os.kill(self._first(), signal.SIGTERM)
        return self.ended(within_s)

    def remove(self) -> None:
        """Ends it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def _first(self) -> int:
        assert self._process is not None
        pid = self._process.pid
        deadline = time.monotonic() + 10
        while not (children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return int(children[0])


def _given(value: str) -> str:
    """A value of the file; `${NAME:-other}` is what it is where nobody sets NAME."""
    return value.partition(":-")[2].removesuffix("}") if value.startswith("${") else str(value)
