"""A broker and a database behind links that can be spoilt, and one installation on them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from daybook.app import migration_folders
from ledger.migrate import migrate
from tests.broker import Broker, free_port, require
from tests.chaos import toxiproxy
from tests.chaos.postgres import Postgres
from tests.chaos.toxiproxy import Link, Toxiproxy
from tests.conftest import Server
from tests.system.installation import Installation
from tests.system.kafka import LARGEST
from tests.system.test_operating import Served, serve

TODAY = "2026-05-31"


class BrokerBehindALink(Broker):
    """A broker that tells those who come through the link to come through it again: else clients go round it."""

    def __init__(self, advertised_port: int) -> None:
        super().__init__(max_bytes=LARGEST)
        self.linked_port = free_port()
        self._advertised_port = advertised_port

    def _format(self) -> Path:
        home = super()._format()
        config = home / "server.properties"
        listeners = next(line for line in config.read_text().splitlines() if line.startswith("listeners="))
        with config.open("a") as file:
            # Of two lines with one name the last counts.
            file.write(
                f"{listeners},LINKED://127.0.0.1:{self.linked_port}\n"
                f"advertised.listeners=PLAINTEXT://{self.bootstrap},LINKED://127.0.0.1:{self._advertised_port}\n"
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LINKED:PLAINTEXT\n"
                "inter.broker.listener.name=PLAINTEXT\n"
            )
        return home


@dataclass(frozen=True)
class Site:
    """Servers, and the links that workers reach them by; whoever else comes, comes directly."""

    postgres: Postgres
    broker: Broker
    to_postgres: Link
    to_broker: Link


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One for all tests of a module."""
    require()
    toxiproxy.require()
    advertised = free_port()
    with Toxiproxy() as proxy, Postgres() as postgres, BrokerBehindALink(advertised) as broker:
        to_broker = proxy.link("broker", broker.linked_port, advertised)
        yield Site(postgres, broker, proxy.link("postgres", postgres.port), to_broker)


@pytest.fixture
def installation(site: Site, tmp_path: Path) -> Iterator[Installation]:
    """One with a database of its own and healthy links, as its operator reaches it."""
    for link in (site.to_postgres, site.to_broker):
        link.heal()
    server = Server(site.postgres.dsn)
    made = Installation(server.create(), tmp_path / "home", site.broker.bootstrap, today=TODAY, group=f"g-{tmp_path.name}")
    migrate(made.dsn, migration_folders())
    made.home.mkdir()
    made.run("topics", "--partitions", "12")
    yield made
    for link in (site.to_postgres, site.to_broker):
        link.heal()
    server.drop(made.dsn)


@pytest.fixture
def linked(site: Site, installation: Installation) -> Installation:
    """The same, as a worker behind the links reaches it."""
    dsn = site.postgres.through(site.to_postgres.port, installation.dsn)
    return replace(installation, dsn=dsn, kafka=f"127.0.0.1:{site.to_broker.port}")


@pytest.fixture
def served(installation: Installation) -> Iterator[Served]:
    """Its web, which reaches the database directly."""
    with serve(installation) as running:
        yield running
