"""The ledger is tested by itself: its databases have no other room's tables."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.migrate import migrate


@pytest.fixture(scope="session")
def migrated_template(postgres: Any) -> Iterator[str]:
    """The name of a database with the ledger's migrations applied, copied for each test."""
    dsn = postgres.create()
    migrate(dsn)
    yield str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
    postgres.drop(dsn)
