"""Installations on databases of their own, and brokers on which the topics of the wire contract can be made."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, require
from tests.conftest import Server
from tests.system.in_process import InProcess
from tests.system.installation import Installation
from tests.system.kafka import LARGEST


@pytest.fixture
def dsn(postgres: Server, migrated_template: str) -> Iterator[str]:
    """The owner's DSN of a fresh migrated database."""
    made = postgres.create(migrated_template)
    yield made
    postgres.drop(made)


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    """A broker of the module's own: topics have fixed names. It takes messages that are too large for Daybook."""
    require()
    with Broker(max_bytes=LARGEST) as running:
        yield running


@pytest.fixture
def installation(dsn: str, own_broker: Broker, tmp_path: Path) -> Installation:
    """An installation on Kafka, its topics made; what earlier tests of the module produced is still there."""
    made = Installation(dsn, tmp_path / "home", own_broker.bootstrap, group=f"daybook-{tmp_path.name}")
    made.home.mkdir()
    made.run("topics", "--partitions", "12")
    return made


@pytest.fixture
def in_process(postgres: Server, migrated_template: str, tmp_path: Path) -> Iterator[Callable[[], InProcess]]:
    """Opens as many installations without Kafka as a test asks for."""
    opened: list[str] = []

    def one() -> InProcess:
        opened.append(postgres.create(migrated_template))
        home = tmp_path / f"home-{len(opened)}"
        home.mkdir()
        return InProcess(Installation(opened[-1], home))

    yield one
    for made in opened:
        postgres.drop(made)
