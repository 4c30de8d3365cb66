"""Every document against what the oracle says of the facts that document had seen, whenever and by whomever it was issued."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from tests.oracle.oracle import Expected, Invoiced, expected_after_invoicing
from tests.oracle.posted import posted_from_json
from tests.oracle.wire import Produced
from tests.system.comparison import assert_documents_agree
from tests.system.installation import Installation

Place = tuple[str, int, int]


class Issued(NamedTuple):
    """One document: its place in the ledger, the last position its run had taken in, and what it says."""

    position: int
    saw_position: int
    says: dict[str, Any]


def issued(installation: Installation) -> list[Issued]:
    """Every document, in the ledger's order."""
    says = {one["number"]: one for one in installation.json("invoices")}
    with psycopg.connect(installation.dsn) as connection:
        rows = connection.execute("SELECT position, saw_position, number FROM books.invoices ORDER BY position").fetchall()
    assert sorted(number for _, _, number in rows) == sorted(says), "a document is listed twice or not at all"
    return [Issued(position, saw, _named(says[number])) for position, saw, number in rows]


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """With the name of what was billed on each line: a correction's adds what it corrects, which is no Type of its own."""
    return {**document, "lines": [_line_named(line) for line in document["lines"]]}


def _line_named(line: dict[str, Any]) -> dict[str, Any]:
    told = line["description"]
    return line if line["corrects"] is None else {**line, "description": told.partition(", correction of ")[0]}


def assert_numbered_without_gap(documents: Sequence[Issued]) -> None:
    """1, 2, 3 and so on in each series, in the order of issue."""
    given: dict[str, list[int]] = defaultdict(list)
    for one in documents:
        prefix, _, number = one.says["number"].rpartition("-")
        given[prefix].append(int(number))
    for prefix, numbers in given.items():
        assert numbers == list(range(1, len(numbers) + 1)), f"{prefix}: {numbers}"


def replayed(installation: Installation, messages: Sequence[Produced], as_of: date) -> tuple[Invoiced, int]:
    """Holds each document against the oracle; gives what was invoiced in all, and of how many states of the book."""
    documents = issued(installation)
    assert_numbered_without_gap(documents)
    known_at = _positions(installation.dsn)
    invoiced, states = Invoiced(), 0
    for saw_position, group in groupby(documents, lambda one: one.saw_position):
        run = [one.says for one in group]
        seen = [one for one in messages if known_at.get(one[:3], saw_position + 1) <= saw_position]
        answer = expected_after_invoicing(seen, as_of, invoiced)
        assert_documents_agree(run, _of_documents(answer, run))
        invoiced = invoiced.then(posted_from_json(run), answer)
        states += 1
    return invoiced, states


def _of_documents(answer: Expected, run: Sequence[dict[str, Any]]) -> Expected:
    """The answer for those clients and currencies alone: others had been billed by another run."""
    about = {(one["client_id"], one["currency"]) for one in run}
    return replace(
        answer,
        lines=[line for line in answer.lines if (line.client_id, line.currency) in about],
        totals={key: total for key, total in answer.totals.items() if key in about},
    )


def _positions(dsn: str) -> dict[Place, int]:
    """Where in the ledger each fact stands, by its place in Kafka."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT source_topic, source_partition, source_offset, notification_id FROM ledger.daybook_events"
            " WHERE source_topic IS NOT NULL"
        ).fetchall()
    return {(topic, partition, offset): position for topic, partition, offset, position in rows}
