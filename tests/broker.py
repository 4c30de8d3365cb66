"""A real Kafka broker for the tests: one Java process from Maven jars, killed and restarted at will."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

ROOT = Path(__file__).resolve().parent.parent
POM = ROOT / "tests" / "kafka-dist" / "pom.xml"
HOW_TO_GET_IT = "Debian, Ubuntu: apt install openjdk-17-jre-headless maven; macOS: brew install openjdk maven"
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]

# A killed broker may register again only when its last session has run out: 9 s unless lowered. And it looks through every
# partition first: small indexes and several threads make that seconds of tens of them.
CONFIG = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
message.max.bytes={max_bytes}
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=2000
auto.create.topics.enable=false
log.retention.check.interval.ms=1000
log.index.size.max.bytes=65536
num.recovery.threads.per.data.dir=4
"""


class BrokerError(Exception):
    """The test broker cannot be built or does not start; the message carries the end of its log."""


def missing() -> str | None:
    """Return the plain reason why no broker can run here, or None."""
    absent = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if absent:
        return f"a real Kafka broker needs Java 17+ and Maven; not on the path: {', '.join(absent)} ({HOW_TO_GET_IT})"
    return None


def jars() -> Path:
    """Return the folder of the broker's jars, fetching them through Maven on first use."""
    lib = Path(os.environ.get("DAYBOOK_TEST_KAFKA_LIB") or ROOT / ".cache" / "kafka").resolve()
    # The copy of the pom tells a whole folder of this very broker from a half-fetched or an older one.
    stamp, wanted = lib / "pom.xml", POM.read_bytes()
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return lib
    lib.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{lib.name}-", dir=lib.parent) as folder:
        fetched = Path(folder) / "lib"
        command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise BrokerError(f"Maven could not fetch the broker:\n{(done.stdout + done.stderr)[-2000:]}")
        (fetched / "pom.xml").write_bytes(wanted)
        if lib.exists():
            lib.rename(Path(folder) / "old")
        fetched.rename(lib)
    return lib


def free_port() -> int:
    """Return a port of this machine that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One Kafka broker with its own data folder; its address stays the same over every restart."""

    def __init__(self, port: int | None = None, max_bytes: int = 1_048_588) -> None:
        """`max_bytes` is the largest message it takes: Kafka's own default, unless a test needs one that is too large for us."""
        self.port = port or free_port()
        self.max_bytes = max_bytes
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._remove()

    @property
    def running(self) -> bool:
        """Whether the process is there; it may still be starting."""
        return self._process is not None

    def start(self) -> None:
        """Start the broker on its data and return as soon as it answers."""
        if self._process is not None:
            raise BrokerError("the broker is already running")
        home = self._home or self._format()
        with (home / "broker.log").open("ab") as log:
            command = [*JAVA, "-Xmx256m", "-cp", f"{jars()}/*", "kafka.Kafka", str(home / "server.properties")]
            self._process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._await_ready(home)

    def stop(self) -> None:
        """Let the broker end in order; nothing happens if it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker as a power cut would, with no chance to tidy up."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the broker hang: connections stay open and nothing is answered until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Bring the broker back on the same port and data, whether it was stopped, killed or still runs."""
        self.stop()
        self.start()

    def _format(self) -> Path:
        home = Path(tempfile.mkdtemp(prefix="daybook-kafka-"))
        self._home = home
        config = home / "server.properties"
        config.write_text(
            CONFIG.format(
                port=self.port, controller_port=free_port(), data=home / "data", max_bytes=self.max_bytes
            )
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        command = [*JAVA, "-Xmx64m", "-cp", f"{jars()}/*", "kafka.tools.StorageTool", "format", "--standalone"]
        # The `=` keeps a random id that begins with "-" from being read as an option.
        command += [f"--cluster-id={cluster}", "-c", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=READY_WITHIN_S, check=False)
        if done.returncode:
            raise BrokerError(f"the broker's storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")
        return home

    def _await_ready(self, home: Path) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            process = self._process
            ended = process is None or process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                log = (home / "broker.log").read_text(errors="replace")[-2000:]
                raise BrokerError(f"the broker {'ended' if ended else 'did not answer'} at start:\n{log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Whether the broker answers an ApiVersions request: an open port alone is not yet a broker."""
        request = b"\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"  # key 18, version 0, correlation 1, no client id
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as probe:
                probe.sendall(len(request).to_bytes(4, "big") + request)
                return len(probe.recv(8)) == 8
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _remove(self) -> None:
        self.kill()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One broker for the whole run: tests keep apart by fresh topic names, and restart it only through its methods."""
    require()
    with Broker() as running:
        yield running


def require() -> None:
    """Skips where no broker can run; on a build server it fails, for a silent skip would pass for a green light."""
    reason = missing()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
