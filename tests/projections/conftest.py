"""Offices on databases of their own."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from ledger.database import Database
from ledger.keyring import Keyring
from tests.conftest import Server
from tests.projections.office import Office

MOST_OPEN = 4


@pytest.fixture
def new_office(postgres: Server, migrated_template: str, tmp_path: Path) -> Iterator[Callable[[], Office]]:
    """Opens as many empty offices as a test asks for; the server has not connections for all, so the oldest are closed."""
    opened: list[tuple[Database, str]] = []
    numbers = count(1)

    def one() -> Office:
        if len(opened) == MOST_OPEN:
            close(*opened.pop(0))
        dsn = postgres.create(migrated_template)
        database = Database(dsn)
        opened.append((database, dsn))
        home = tmp_path / f"home-{next(numbers)}"
        home.mkdir()
        return Office(database, Keyring(home / "keyring.jsonl"))

    def close(database: Database, dsn: str) -> None:
        database.close()
        postgres.drop(dsn)

    yield one
    for each in opened:
        close(*each)


@pytest.fixture
def office(new_office: Callable[[], Office]) -> Office:
    """An empty office."""
    return new_office()
