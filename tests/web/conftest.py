"""An installation behind the web application, on the embedded log and a fresh database, and browsers signed in to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from daybook import feeding
from daybook.app import App
from daybook.settings import Settings
from daybook.web import people
from daybook.web.app import create_app
from daybook.web.limits import Limits, Rate
from ledger.book import Book
from ledger.database import Database
from projections.views import Views
from tests.conftest import Server
from tests.saying import Row, approved, said

TODAY = date(2026, 5, 31)
BASE = "http://127.0.0.1:8000"
HOLD_ALL = {name: Rate(100_000, 1) for name in ("sign-in", "generate", "events", "decide", "rate-as-of", "known-at", "pdf")}

BASICS: Sequence[Row] = (
    said("ProviderDefined"),
    said("TaxCodeDefined"),
    said("ChargeTypeDefined"),
    said("InvoiceSeriesDefined"),
    said("InvoiceSeriesDefined", code="CREDIT", prefix="CN-", document="credit_note"),
)

OFFICE: Sequence[Row] = (
    *BASICS,
    said("ClientDefined"),
    said("ClientDefined", client_id="buildco", name="Buildco Ltd"),
    *approved("e1"),
    *approved("e2", client_id="buildco", worked_minutes=90),
    said("TimeEntryLogged", time_entry_id="e3", worked_minutes=30),
)


@dataclass
class Web:
    """The application and ways to be somebody in it."""

    app: App
    limits: Limits = field(default_factory=lambda: Limits(HOLD_ALL))
    secure: bool = False

    def __post_init__(self) -> None:
        self.asgi = create_app(self.app, secure=self.secure, limits=self.limits)

    def anonymous(self, **headers: str) -> TestClient:
        """Somebody who has proved nothing; redirects are not followed."""
        return TestClient(self.asgi, base_url=BASE, headers=headers, follow_redirects=False, raise_server_exceptions=False)

    def browser(self, role: str = "biller", name: str | None = None) -> TestClient:
        """Somebody who signed in."""
        name = name or f"{role}-browser"
        people.add_person(self.app, name, role)
        client = self.anonymous(**{"sec-fetch-site": "same-origin"})
        assert client.post(f"/sign-in/{people.make_link(self.app, name)}").status_code == 303
        return client

    def program(self, role: str = "biller", name: str | None = None) -> TestClient:
        """A program with a token."""
        name = name or f"{role}-token"
        if any(known == name for known, _, _ in people.tokens(self.app)):
            people.revoke_token(self.app, name)
        token, _ = people.add_token(self.app, name, role, timedelta(days=1))
        return self.anonymous(authorization=f"Bearer {token}")

    def feed(self, rows: Sequence[Row]) -> None:
        """Facts, through the log into the book and the views."""
        feeding.feed(self.app, rows, feeding.Fed())
        self.app.views.catch_up()

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a query finds, or changes, as the application."""
        with self.app.database.connection() as connection:
            cursor = connection.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def web(postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """An installation of the module's own, with nothing said yet."""
    yield from _web(postgres, migrated_template, tmp_path_factory.mktemp("home"))


@pytest.fixture
def office(postgres: Server, migrated_template: str, tmp_path: Path) -> Iterator[Web]:
    """An installation of the test's own: two clients with approved time, in May 2026."""
    for made in _web(postgres, migrated_template, tmp_path):
        made.feed(OFFICE)
        yield made


def _web(postgres: Server, template: str, home: Path) -> Iterator[Web]:
    dsn = postgres.create(template)
    settings = Settings(database_url=dsn, home=home, today=TODAY)
    from ledger.keyring import Keyring

    with Database(dsn) as database:
        book = Book(database, Keyring(settings.keyring_path))
        app = App(settings, database, book, Views(book))
        app.open_today()
        yield Web(app)
    postgres.drop(dsn)
