"""Rows get into tables as they were, whatever stands in them."""

import pytest

from ledger.database import Database
from projections.tables import Table, copy_in

TABLE = Table("listed", (("id", "int4"), ("texts", "text[]")), 1)
ID = "0b6b3c5e-8f0c-4a57-9a53-0d7c5b1f1f10"
LISTS: tuple[list[str] | None, ...] = (
    [], [""], ["a", "", "b"], [ID], [ID, ID.upper(), "x" * 36], ["é" * 36, ID], ["é" * 18, ID],
    ['"', "{}", "NULL", "\\", ","], None
)  # fmt: skip


@pytest.mark.parametrize("texts", LISTS, ids=repr)
def test_list_of_texts_comes_back_as_it_was(database: Database, texts: list[str] | None) -> None:
    with database.connection() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE listed (id int4, texts text[])")
        copy_in(cursor, TABLE, [(1, texts), (2, ["after"])])
        rows = cursor.execute("SELECT texts FROM listed ORDER BY id").fetchall()
    assert rows == [(texts,), (["after"],)]
