"""The Dockerfile is carried out and the services of compose.yaml run as it says, against a real Kafka and a real PostgreSQL.

There is no engine in it: `tests/packaging/image.py` and `compose.py` do what one would. The release column installs what
constraints.txt lists from the registry, as the Dockerfile says; otherwise the same versions come from this environment.
"""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

from producers.kafka_files import produce
from tests import evidence
from tests.broker import Broker, require
from tests.budget import budget
from tests.conftest import ROOT, Server, make_reachable_folder
from tests.packaging.compose import Container, Network, network
from tests.packaging.image import Image, build, cannot_build
from tests.saying import approved, said

pytestmark = pytest.mark.kafka
HEALTHY_WITHIN_S = 60
BASICS = [
    said("ProviderDefined"), said("TaxCodeDefined"), said("ChargeTypeDefined"), said("InvoiceSeriesDefined"),
    said("InvoiceSeriesDefined", code="CREDIT", prefix="CN-", document="credit_note"), said("ClientDefined"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the containers' user may enter."""
    if reason := cannot_build():
        pytest.skip(reason)
    made = make_reachable_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def image(folder: Path) -> Image:
    """What the Dockerfile makes."""
    instead: dict[str, Callable[[Image], None]] = {}
    if not budget("image", "downloads"):
        instead["-r constraints.txt"] = install_from_here
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    return build(folder, dockerfile, (ROOT / ".dockerignore").read_text("utf-8"), instead=instead)


def install_from_here(image: Image) -> None:
    """Brings what constraints.txt lists from the environment of the tests, which was installed by the same hashes."""
    (site,) = (image.layer / "opt/daybook/lib").glob("python3.*/site-packages")
    for name, version in re.findall(r"^([\w.-]+)==([^\s\\]+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform
        assert found.version == version, f"{name} {found.version} is installed here, not {version}: run ./run test once"
        for file in found.files or ():
            if file.parts[0] != ".." and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), site / file)


@dataclass
class Composed:
    """compose.yaml, with its containers so far."""

    image: Image
    net: Network
    services: dict[str, Any]
    folder: Path
    stack: ExitStack

    def start(self, name: str) -> Container:
        service = self.services[name]
        home = self.folder / "daybook-home"
        if not home.exists():  # a named volume begins as what the image has there, with its owner and mode
            shutil.copytree(self.image.layer / "var/lib/daybook", home)
            user, _, group = self.image.user.partition(":")
            shutil.chown(home, int(user), int(group))
        own = service["command"]
        made = Container(self.image, service, self.net, {"daybook-home": home}, self.folder / f"{name}.log", own)
        self.stack.callback(made.remove)
        made.start()
        return made


@pytest.fixture(scope="module")
def composed(image: Image, folder: Path) -> Iterator[Composed]:
    """Empty servers under the names and addresses of compose.yaml."""
    require()
    from ledger.embedded import EmbeddedPostgres

    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    data, wires = make_reachable_folder(), make_reachable_folder()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        stack.callback(shutil.rmtree, wires, ignore_errors=True)
        server = Server(stack.enter_context(EmbeddedPostgres(data, throwaway=True)).dsn)
        socket = Path(re.findall(r"host=(\S+)", server.dsn)[0]) / ".s.PGSQL.5432"
        broker = stack.enter_context(Broker())
        net = stack.enter_context(network(wires, socket, broker.port))
        composed = Composed(image, net, services, wires, stack.enter_context(ExitStack()))
        composed.services["kafka"]["port"] = broker.port
        yield composed


def until(met: Callable[[], object], within_s: float = HEALTHY_WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.3)


def test_an_image_holds_the_product_and_nothing_of_the_repository(image: Image) -> None:
    layer = image.layer
    (site,) = (layer / "opt/daybook/lib").glob("python3.*/site-packages")
    assert {"daybook", "ledger", "psycopg", "kafka"} <= {path.name for path in site.iterdir()}
    assert not list(site.glob("hatchling*"))
    assert not list(site.glob("pip*"))
    assert not list(site.glob("*editable*"))
    assert list((site / "daybook" / "web" / "templates").iterdir())
    assert {path.name for room in ("ledger", "producers") for path in (site / room / "migrations").iterdir()} >= {"0002_book.sql"}
    assert not (layer / "src").exists()
    assert (image.entrypoint, image.user, image.workdir) == (["daybook"], "10001:10001", "/var/lib/daybook")
    assert image.command == ["web", "--host", "0.0.0.0"]


def test_the_services_run_as_composed(composed: Composed) -> None:
    began = time.monotonic()
    migrate = composed.start("migrate")
    assert migrate.ended() == 0, migrate.said()
    topics = composed.start("topics")
    assert topics.ended() == 0, topics.said()
    assert "created daybook.invoices" in topics.said()
    worker, web = composed.start("worker"), composed.start("web")
    until(web.healthy)
    until(worker.healthy)
    status = json.loads(web.execute("python3", "-c", READ, "http://127.0.0.1:8000/readyz").stdout)
    assert status["status"] == "ready", status
    assert {check["check"] for check in status["checks"]} >= {"database", "migrations", "views", "worker consumer"}
    assert_has_no_rights(web)
    assert_takes_facts_and_tells_of_invoices(composed, worker, web)
    doctor = json.loads(web.execute("daybook", "doctor", "--json").stdout)
    assert [one["check"] for one in doctor if not one["ok"]] == ["people"]
    for container in (worker, web):
        assert container.stop(float(container.service["stop_grace_period"].removesuffix("s"))) == 0, container.said()
    installed = "from the registry" if budget("image", "downloads") else "from this environment"
    evidence.saw(
        f"image: Dockerfile carried out without an engine (dependencies {installed}), migrate, topics, worker and web of"
        f" compose.yaml run and healthy as user 10001 on a read-only root, stopped in order; {time.monotonic() - began:.0f} s"
    )


READ = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"
RIGHTS = """
import json, os, re, sys
status = dict(re.findall(r"^(\\w+):\\s*(.*)$", open("/proc/self/status").read(), re.M))
def writable(folder):
    try:
        open(os.path.join(folder, "tried"), "w").close()
        return True
    except OSError as error:
        return error.strerror
print(json.dumps({"uid": os.getuid(), "caps": status["CapEff"] + status["CapBnd"], "no_new": status["NoNewPrivs"],
                  "writable": {f: writable(f) for f in sys.argv[1:]}}))
"""


def assert_has_no_rights(container: Container) -> None:
    folders = ["/opt/daybook", "/etc", "/", "/tmp", "/var/lib/daybook"]
    found = json.loads(container.execute("python3", "-c", RIGHTS, *folders).stdout)
    assert found["uid"] == 10001
    assert set(found["caps"]) == {"0"}
    assert found["no_new"] == "1"
    assert [folder for folder, answer in found["writable"].items() if answer is True] == ["/tmp", "/var/lib/daybook"]
    assert found["writable"]["/opt/daybook"] in ("Read-only file system", "Permission denied")


def assert_takes_facts_and_tells_of_invoices(composed: Composed, worker: Container, web: Container) -> None:
    """From Kafka to an issued invoice, by the commands that an operator types; both containers share one keyring."""
    produce([*BASICS, *approved("e1", note="on site")], f"127.0.0.1:{composed.services['kafka']['port']}")
    until(lambda: '"batch_ingested"' in worker.said())
    until(lambda: json.loads(web.execute("daybook", "queue", "--json").stdout or "[]"))
    issued = web.execute("daybook", "invoice", "--accept-changes", "--json")
    assert issued.returncode == 0, issued.stderr
    (document,) = json.loads(issued.stdout)
    assert (document["client_id"], document["net_minor"]) == ("acme", 15_000)
    until(lambda: '"documents_published"' in worker.said())
    keyring = composed.folder / "daybook-home" / "keyring.jsonl"
    assert (keyring.stat().st_uid, oct(keyring.stat().st_mode & 0o777)) == (10001, "0o600")

