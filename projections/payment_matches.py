"""Whose a payment of an unknown payer may be: by the invoices it names, by its amount, by a client's name in its reference."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Cursor

from projections.payment_list import PaymentRow

MOST: Final = 3
_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"[^\s,;]+")
_SHORTEST: Final = 4
"""Fewer letters than that are in too many names."""
_COMMON: Final = frozenset(
    {"group", "holdings", "limited", "services", "company", "international", "partners", "from", "payment"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A client that a payment may be of, and what speaks for it."""

    client_id: str
    client_name: str
    because: tuple[str, ...]


def suggestions(cursor: Cursor[Any], payments: Sequence[PaymentRow]) -> dict[str, tuple[Suggestion, ...]]:
    """By payment id: the few clients that most speaks for, the likeliest first. Nothing is matched by this alone."""
    if not payments:
        return {}
    names: dict[str, str] = dict(cursor.execute("SELECT client_id, name FROM clients").fetchall())
    by_number = _documents(cursor, {number for one in payments for number in _numbers(one)})
    by_amount = _amounts(cursor, payments)
    words = _words_of(names)
    found = {}
    for one in payments:
        reasons: dict[str, list[tuple[int, str]]] = {}
        for number in _numbers(one):
            for client_id in by_number.get(number, ()):
                reasons.setdefault(client_id, []).append((4, f"it names {number}"))
        for client_id, number in by_amount.get((one.currency, one.for_invoices_minor), ()):
            reasons.setdefault(client_id, []).append((2, f"{number} is open for just this amount"))
        for word in dict.fromkeys(_significant(one.provider_ref or "")):
            for client_id in words.get(word, ()):
                reasons.setdefault(client_id, []).append((1, "the reference has its name"))
        known = [(client_id, why) for client_id, why in reasons.items() if client_id in names]
        known.sort(key=lambda pair: (-sum(weight for weight, _ in set(pair[1])), names[pair[0]].casefold(), pair[0]))
        found[one.payment_id] = tuple(
            Suggestion(client_id=client_id, client_name=names[client_id], because=tuple(dict.fromkeys(text for _, text in why)))
            for client_id, why in known[:MOST]
        )
    return found


def _numbers(one: PaymentRow) -> tuple[str, ...]:
    """What may be an invoice's number: those named, and every word of the reference."""
    return tuple(dict.fromkeys((*one.invoice_numbers, *_NUMBER.findall(one.provider_ref or "")[:20])))


def _documents(cursor: Cursor[Any], numbers: Iterable[str]) -> dict[str, list[str]]:
    rows = cursor.execute("SELECT number, client_id FROM invoices WHERE number = ANY(%s)", (sorted(numbers),)).fetchall()
    found: dict[str, list[str]] = {}
    for number, client_id in rows:
        found.setdefault(number, []).append(client_id)
    return found


def _amounts(cursor: Cursor[Any], payments: Sequence[PaymentRow]) -> dict[tuple[str, int], list[tuple[str, str]]]:
    wanted = sorted({(one.currency, one.for_invoices_minor) for one in payments})
    rows = cursor.execute(
        "SELECT o.currency, o.outstanding_minor, o.client_id, o.number FROM open_items o"
        " JOIN unnest(%s::text[], %s::bigint[]) AS k(c, m) ON o.currency = k.c AND o.outstanding_minor = k.m"
        ' WHERE o.outstanding_minor > 0 ORDER BY o.due_on, o.number COLLATE "C" LIMIT 1000',
        ([currency for currency, _ in wanted], [minor for _, minor in wanted]),
    ).fetchall()
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for currency, minor, client_id, number in rows:
        found.setdefault((currency, minor), []).append((client_id, number))
    return found


def _words_of(names: dict[str, str]) -> dict[str, list[str]]:
    """Clients by the words of their names; a word that many have says nothing."""
    found: dict[str, list[str]] = {}
    for client_id, name in names.items():
        for word in dict.fromkeys(_significant(name)):
            found.setdefault(word, []).append(client_id)
    return {word: client_ids for word, client_ids in found.items() if len(client_ids) <= MOST}


def _significant(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold()) if len(word) >= _SHORTEST and word not in _COMMON]
