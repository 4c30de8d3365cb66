"""What every test of publishing begins with."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ledger.book import Book
from tests.producers.desk import Desk

if TYPE_CHECKING:
    from tests.broker import Broker


@pytest.fixture
def desk(broker: "Broker", book: Book) -> Iterator[Desk]:
    made = Desk(broker, book)
    yield made
    made.close()
