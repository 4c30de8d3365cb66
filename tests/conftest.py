"""A real PostgreSQL for every test that asks for one: one server a session, a fresh database a test.

`DAYBOOK_TEST_DATABASE_URL` (an owner's login that may create databases and roles) replaces the embedded server.
Folders that PostgreSQL must reach are made with `reachable_folder`, not pytest's tmp_path: as root the server runs as
user nobody, who may not enter the latter.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.book import Book
from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.keyring import Keyring
from ledger.migrate import migrate
from tests import evidence
from tests.budget import COLUMN
from tests.watching import Watching

HANGS_AFTER_S = 600
"""More than the longest test takes in column ci on a machine that is busy with others."""
ROOT = Path(__file__).parent.parent
ROOMS = ("ledger", "projections", "producers", "daybook")
MIGRATION_FOLDERS = [folder for room in ROOMS if (folder := ROOT / room / "migrations").is_dir()]


@dataclass(frozen=True)
class Server:
    """A server for tests: makes and drops databases."""

    dsn: str

    def create(self, template: str = "template0") -> str:
        """A new database, empty or copied from a template; gives its owner's DSN."""
        name = f"daybook_test_{uuid.uuid4().hex[:16]}"
        self._run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(name), sql.Identifier(template))
        )
        return make_conninfo(self.dsn, dbname=name)

    def drop(self, dsn: str) -> None:
        """Drops it, whoever is still connected."""
        name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(name))))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server, gone at the end of the session (even of a killed one)."""
    given = os.environ.get("DAYBOOK_TEST_DATABASE_URL")
    if given:
        yield Server(given)
        return
    home = make_reachable_folder()
    try:
        with EmbeddedPostgres(home, throwaway=True) as server:
            yield Server(server.dsn)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def fresh_postgres(reachable_folder: Path) -> Iterator[Server]:
    """An embedded server of the test's own, where nobody has made a role yet."""
    with EmbeddedPostgres(reachable_folder, throwaway=True) as server:
        yield Server(server.dsn)


@pytest.fixture(scope="session")
def migrated_template(postgres: Server) -> Iterator[str]:
    """The name of a database with every migration applied, copied for each test."""
    dsn = postgres.create()
    migrate(dsn, MIGRATION_FOLDERS)
    yield str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
    postgres.drop(dsn)


@pytest.fixture
def empty_dsn(postgres: Server) -> Iterator[str]:
    """The owner's DSN of a database with nothing in it."""
    dsn = postgres.create()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def database(postgres: Server, migrated_template: str) -> Iterator[Database]:
    """A fresh migrated database."""
    dsn = postgres.create(migrated_template)
    with Database(dsn) as opened:
        yield opened
    postgres.drop(dsn)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A keyring of the test's own."""
    return Keyring(tmp_path / "keyring.jsonl")


@pytest.fixture
def book(database: Database, keyring: Keyring) -> Book:
    """The book in the fresh database."""
    return Book(database, keyring)


@pytest.fixture
def reachable_folder() -> Iterator[Path]:
    """An empty folder that the embedded server's user may enter."""
    folder = make_reachable_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def make_reachable_folder() -> Path:
    """A new folder under the system's temporary one, open for entering; the caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-test-"))
    folder.chmod(0o755)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """In CI, says what fails when it fails and what hangs; a test that hangs fails, by name, with the stacks of its threads."""
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Watching())
    if COLUMN == "ci":
        config.option.timeout = config.option.timeout or HANGS_AFTER_S


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist hands over what its tests saw."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["saw"] = evidence.LINES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes it."""
    evidence.LINES.extend(getattr(node, "workeroutput", {}).get("saw", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what the heavy tests saw: under `--release` this is what goes into docs/evidence/."""
    if evidence.LINES:
        terminalreporter.section(f"what was seen (column {COLUMN} of tests/budget.toml)")
        for line in evidence.LINES:
            terminalreporter.write_line(line)
