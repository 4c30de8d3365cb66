"""The installation the tests of runs work on."""

from pathlib import Path

import pytest

from daybook.app import App
from daybook.settings import Settings
from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from projections.views import Views
from tests.saying import said

from .shop import MAY, Shop, catalogue


@pytest.fixture
def empty_shop(database: Database, tmp_path: Path) -> Shop:
    """An installation on which nothing was said yet; 31 May 2026 is open."""
    settings = Settings(home=tmp_path, database_url=database.dsn_owner, today=MAY)
    book = Book(database, Keyring(settings.keyring_path))
    shop = Shop(App(settings, database, book, Views(book)))
    shop.open(MAY)
    return shop


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    """The same with a catalogue and one client."""
    empty_shop.tell(catalogue(), said("ClientDefined"))
    return empty_shop
