"""What people wrote lies nowhere in clear, and can be forgotten without a figure changing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from psycopg import sql

from ledger.database import Database
from ledger.keyring import Keyring
from runs import decide
from runs.generate import generate
from runs.open_day import open_day
from tests.daybook.canaries import CANARIES, poisoned, told
from tests.oracle.story import NOON, Story
from tests.projections.office import Office

MAY = date(2026, 5, 31)
DAYBOOK = str(Path(sys.executable).parent / "daybook")


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    """A ledger with canaries in every field that people write in, in its log, its dead letters and its decisions."""
    office = Office(database, Keyring(tmp_path / "keyring.jsonl"))
    open_day(office.book, MAY, NOON)
    office.take([*told(Story()).said, *poisoned()])
    office.views.catch_up()
    for key in ("time/e1", "time/e2"):
        item = decide.Item("acme", key, "GBP")
        decide.hold(office.book, item, reason="CANARY-hold", by="me", at=NOON)
        decide.adjust(office.book, item, -100, None, reason="CANARY-adjustment", by="me", at=NOON)
    decide.release(office.book, decide.Item("acme", "time/e1", "GBP"), reason="CANARY-release", by="me", at=NOON)
    generate(office.views, MAY, NOON)
    office.views.catch_up()
    return office


def everything(database: Database) -> Iterator[tuple[str, str]]:
    """Every row of every table of every schema of ours, as text, with bytes as the text they may be."""
    with database.owner() as connection:
        columns = connection.execute(
            "SELECT c.table_schema, c.table_name, array_agg(c.column_name::text), array_agg(c.data_type::text)"
            " FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND t.table_type = 'BASE TABLE' GROUP BY 1, 2"
        ).fetchall()
        for schema, table, names, kinds in columns:
            parts = sql.SQL(", ").join(
                sql.SQL("encode({}, 'escape')" if kind == "bytea" else "{}::text").format(sql.Identifier(name))
                for name, kind in zip(names, kinds, strict=True)
            )
            statement = sql.SQL("SELECT concat_ws(' ', {}) FROM {}.{}").format(parts, *map(sql.Identifier, (schema, table)))
            for (row,) in connection.execute(statement):
                yield f"{schema}.{table}", row


def test_no_canary_lies_in_clear(office: Office) -> None:
    seen = {"tables": set(), "rows": 0}
    for table, row in everything(office.book.database):
        seen["tables"].add(table)
        seen["rows"] += 1
        assert "CANARY" not in row, f"{table}: {row[:300]}"
    expected = {"ledger.daybook_events", "ledger.embedded_log", "ledger.dead_letters", "books.terms", "books.time_entries",
                "books.holds", "books.adjustments", "books.invoice_lines", "books.due_lines", "books.posted"}  # fmt: skip
    assert expected <= seen["tables"]
    keyring = office.book.keyring.path.read_text()
    assert "CANARY" not in keyring


def test_a_canary_in_clear_would_be_found(office: Office) -> None:
    with office.books() as cursor:
        cursor.execute("UPDATE terms SET state = state || 'CANARY'::bytea WHERE subject = 'acme'")
    assert any("CANARY" in row for _, row in everything(office.book.database))


def test_every_canary_can_be_read_with_the_key_and_not_without(office: Office) -> None:
    def opened() -> str:
        texts = []
        for event in office.book.history("acme"):
            for value in strings(json.loads(event.state)):
                texts.append(office.book.keyring.decrypt(value) or "" if value.startswith("enc:") else value)
        return "\n".join(texts)

    assert all(canary in opened() for canary in CANARIES)
    assert office.book.keyring.forget("acme")
    assert "CANARY" not in opened()


def strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from strings(one)
        case dict():
            for one in value.values():
                yield from strings(one)


def test_after_forgetting_books_chain_and_rebuild_are_as_before(office: Office) -> None:
    before = office.live()

    def daybook(*words: str) -> str:
        command, environment = [DAYBOOK, *words], office.environment()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    number = json.loads(daybook("invoices", "--json"))[0]["number"]
    assert "CANARY-note" in daybook("explain", number, "--json")
    assert "CANARY-hold" in daybook("queue", "--lines", "--json")
    daybook("forget", "acme", "--yes")
    explained = daybook("explain", number, "--json")
    assert "CANARY" not in explained
    assert "(forgotten)" in explained
    assert "(forgotten)" in daybook("queue", "--lines", "--json")
    daybook("verify")
    daybook("rebuild")
    daybook("verify")
    assert office.live() == before
    office.loop = office.new_loop()
    office.take(told(Story()).said)  # repeats after the erasure: known by their ids
    assert office.live() == before
