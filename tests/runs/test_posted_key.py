"""What no code can undo: the database itself refuses to post an item twice as one and the same posting."""

import psycopg
import pytest

from tests.saying import approved

from .shop import Shop


def test_an_item_cannot_be_posted_twice_as_the_same_posting(shop: Shop) -> None:
    shop.tell(approved())
    shop.generate()
    with shop.app.database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM books.posted").fetchone() == (1,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO books.posted SELECT * FROM books.posted")
        connection.rollback()
