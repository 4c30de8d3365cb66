"""What the product says, read back through its own commands, laid beside what the oracle says; the one comparison all use."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg

from tests.oracle.oracle import Expected, QueueRow
from tests.oracle.posted import QUANTITY_TOLERANCE, Line
from tests.oracle.rating import Waiting
from tests.oracle.wire import DeadLetter

Command = Callable[..., list[dict[str, Any]]]
"""Runs `daybook ARGUMENTS --json` and gives the objects it prints."""

Position = tuple[str, int, int]
"""Topic, partition and offset."""

SHOWN = 10
"""So many differing rows of each kind are listed before the rest is counted only."""


class Disagreement(AssertionError):
    """The product and the oracle differ; the message lists the first differing rows of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """All that the product says of its facts."""

    recorded: list[tuple[str, Position]]
    dead: list[DeadLetter]
    waiting: list[Waiting]
    queue: list[dict[str, Any]]
    lines: list[dict[str, Any]]


def read_back(daybook: Command, dsn: str, as_of: str) -> Actual:
    """The ledger by SQL, all else through the commands."""
    with psycopg.connect(dsn) as connection:
        recorded = connection.execute(
            "SELECT event_id::text, source_topic, source_partition, source_offset FROM ledger.daybook_events"
            " WHERE source_topic IS NOT NULL"
            # A poll that only repeats is kept aside from the book, and no less known (ADR 018).
            " UNION ALL SELECT event_id::text, source_topic, source_partition, source_offset FROM ledger.seat_polls"
            " WHERE state IS NOT NULL"
        ).fetchall()
    return Actual(
        recorded=[(row[0], row[1:]) for row in recorded],
        dead=[DeadLetter(d["topic"], d["partition"], d["offset"], d["reason"]) for d in daybook("dead-letters")],
        waiting=[Waiting(w["client_id"], w["what"], w["id"], w["reason"]) for w in daybook("waiting")],
        queue=daybook("queue", "--as-of", as_of),
        lines=daybook("queue", "--as-of", as_of, "--lines"),
    )


def assert_agrees(actual: Actual, expected: Expected) -> None:
    """Raises Disagreement unless ledger, dead letters, waiting list, queue and every line are as expected."""
    lines, empty = _told(actual.lines, expected)
    _raise_if_any(
        {
            "ledger": list(_ledger(actual, expected)),
            "dead letters": list(_listed(actual.dead, expected.dead)),
            "waiting": list(_listed(actual.waiting, expected.waiting)),
            "lines": list(_lines(lines, expected.lines)),
            "queue": list(_queue(actual.queue, expected.queue, {(one["client_id"], one["currency"]) for one in empty})),
        }
    )


def assert_documents_agree(documents: Sequence[dict[str, Any]], expected: Expected) -> None:
    """Raises Disagreement unless a run issued one document per client and currency with the expected lines and totals."""
    issued = {(d["client_id"], d["currency"]): (d["net_minor"], d["tax_minor"], d["total_minor"]) for d in documents}
    kinds = [
        f"{d['number']} is a {d['kind']} of {d['total_minor']}"
        for d in documents
        if d["kind"] != ("credit_note" if d["total_minor"] < 0 else "invoice")
    ]
    lines = [{**line, "client_id": d["client_id"], "currency": d["currency"]} for d in documents for line in d["lines"]]
    lines, empty = _told(lines, expected)
    left = {(one["client_id"], one["currency"]) for one in lines}
    for key in {(one["client_id"], one["currency"]) for one in empty} - left - expected.totals.keys():
        assert issued.pop(key) == (0, 0, 0)
    _raise_if_any(
        {
            "documents": list(_differing(issued, expected.totals))
            if len(issued) == len(documents)
            else ["two for a client"],
            "kinds of document": kinds,
            "lines": list(_lines(lines, expected.lines)),
            "tax of items": list(_differing(_taxes(lines), _expected_taxes(expected.lines))),
        }
    )


def _raise_if_any(problems: dict[str, list[str]]) -> None:
    found = {kind: rows for kind, rows in problems.items() if rows}
    if not found:
        return
    parts = [f"the product and the oracle differ in {', '.join(f'{len(rows)} {kind}' for kind, rows in found.items())}"]
    for kind, rows in found.items():
        parts += [f"{kind}:", *(f"  {row}" for row in rows[:SHOWN])]
        if len(rows) > SHOWN:
            parts.append(f"  and {len(rows) - SHOWN} more")
    raise Disagreement("\n".join(parts))


def _ledger(actual: Actual, expected: Expected) -> Iterator[str]:
    """Every event exactly once, under the place in Kafka where it was said first."""
    times = Counter(event_id for event_id, _ in actual.recorded)
    for event_id, n in sorted(times.items()):
        if n > 1:
            yield f"event {event_id} is recorded {n} times"
    yield from _differing(dict(actual.recorded), expected.recorded_at)


def _listed(actual: Iterable[tuple[Any, ...]], expected: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    is_, ought = Counter(actual), Counter(expected)
    for row in sorted((is_ - ought).elements()):
        yield f"not expected: {tuple(row)}"
    for row in sorted((ought - is_).elements()):
        yield f"missing: {tuple(row)}"


def _differing(actual: dict[Any, Any], expected: dict[Any, Any]) -> Iterator[str]:
    for key in sorted(actual.keys() | expected.keys()):
        if actual.get(key) != expected.get(key):
            yield f"{key}: is {actual.get(key)}, expected {expected.get(key)}"


def _told(lines: Sequence[dict[str, Any]], expected: Expected) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines, and apart from them corrections that come to nothing, of items that the oracle expects nothing of.

    Of an item whose prices differ within its period the papers fix the net alone. A line of one price may be taken back and
    put anew in the other form for the same money (T8: unit price and quantity differ), which the oracle cannot foresee.
    """
    wanted = {(line.client_id, line.item_key) for line in expected.lines}
    mixed = {key for key, item in expected.items.items() if item.quantity is None} - wanted
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in lines:
        sums[line["client_id"], line["item_key"]][line["currency"]] += line["net_minor"]
        sums[line["client_id"], line["item_key"]]["tax"] += line.get("tax_minor", 0)
    empty = {key for key in mixed & sums.keys() if not any(sums[key].values())}
    told: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for line in lines:
        told[(line["client_id"], line["item_key"]) in empty].append(line)
    return told


def _lines(actual: Sequence[dict[str, Any]], expected: Sequence[Line]) -> Iterator[str]:
    """Item by item: currency, quantity, unit price and net of every line; net alone where only that is fixed."""
    is_: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    ought: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for found in actual:
        is_[found["client_id"], found["item_key"]].append(found)
    for line in expected:
        ought[line.client_id, line.item_key].append(line)
    for key in sorted(is_.keys() | ought.keys()):
        if not _same_lines(is_.get(key, []), ought.get(key, [])):
            shown, wanted = [_shown(one) for one in is_.get(key, [])], [_wanted(one) for one in ought.get(key, [])]
            yield f"{key}: is {shown}, expected {wanted}"


Shown = tuple[str, Decimal | None, Decimal | None, int]


def _shown(line: dict[str, Any]) -> Shown:
    return line["currency"], Decimal(line["quantity"]), Decimal(line["unit_price"]), line["net_minor"]


def _wanted(line: Line) -> Shown:
    return line.currency, line.quantity, line.unit_price, line.net_minor


def _same_lines(actual: Sequence[dict[str, Any]], expected: Sequence[Line]) -> bool:
    if any(line.quantity is None for line in expected):
        return _nets(actual) == _nets([{"currency": line.currency, "net_minor": line.net_minor} for line in expected])
    left = [_shown(one) for one in actual]
    for line in expected:
        same = next((one for one in left if _close(one, _wanted(line))), None)
        if same is None:
            return False
        left.remove(same)
    return not left


def _nets(lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    nets: dict[str, int] = defaultdict(int)
    for line in lines:
        nets[line["currency"]] += line["net_minor"]
    return nets


def _close(one: Shown, other: Shown) -> bool:
    (currency, quantity, price, net), (wanted_currency, wanted, wanted_price, wanted_net) = one, other
    assert quantity is not None
    assert wanted is not None
    near = abs(quantity - wanted) <= QUANTITY_TOLERANCE
    return near and (currency, price, net) == (wanted_currency, wanted_price, wanted_net)


def _queue(
    actual: Sequence[dict[str, Any]], expected: dict[tuple[str, str], QueueRow], empty: set[tuple[str, str]]
) -> Iterator[str]:
    """Row by row; those that have an `empty` correction (`_told`) have lines and Types more."""
    rows = {(row["client_id"], row["currency"]): row for row in actual}
    if len(rows) < len(actual):
        yield "a client has two rows in one currency"
    for key in sorted(rows.keys() | expected.keys()):
        row, ought = rows.get(key), expected.get(key)
        if key in empty and row is not None:
            ought = replace(ought or QueueRow(), lines_exact=False)
            ought.types = ought.types | set(row["types"])
        if row is None or ought is None:
            yield f"{key}: {'missing' if row is None else 'not expected'}: {row or ought}"
        elif not _same_row(row, ought):
            yield f"{key}: is {row}, expected {ought}"


def _same_row(row: dict[str, Any], ought: QueueRow) -> bool:
    off = abs(Fraction(Decimal(row["hours"])) - ought.hours)
    return (
        (row["net_minor"], row["unapproved_minutes"]) == (ought.net_minor, ought.unapproved_minutes)
        and set(row["types"]) == ought.types
        and len(row["types"]) == len(ought.types)
        # Each shown quantity has 8 places.
        and off <= Fraction(max(row["lines"], 1), 10**8)
        and (row["lines"] == ought.lines or not ought.lines_exact)
    )


def _taxes(lines: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    taxes: dict[tuple[str, str, str], int] = defaultdict(int)
    for line in lines:
        taxes[line["client_id"], line["item_key"], line["currency"]] += line["tax_minor"]
    return taxes


def _expected_taxes(lines: Sequence[Line]) -> dict[tuple[str, str, str], int]:
    taxes: dict[tuple[str, str, str], int] = defaultdict(int)
    for line in lines:
        taxes[line.client_id, line.item_key, line.currency] += line.tax_minor
    return taxes
