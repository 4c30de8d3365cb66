"""What a person means by a few letters: a client by its id or a part of its name, a charge type by its code or name.

One rule for commands, pages and API: nothing is ever filtered by a text that means nothing, for an empty list would say
that there is nothing to bill.
"""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from psycopg import Cursor

from projections.terms import load_catalogue

MOST_SHOWN: Final = 8
MOST_COMPARED: Final = 20_000
_ALIKE: Final = 0.6  # difflib's own measure of a close match


class Named(NamedTuple):
    """Something with an id that people also know by a name."""

    id: str
    name: str

    def __str__(self) -> str:
        return self.id if self.id == self.name else f"{self.id} ({self.name})"


class Unclear(Exception):
    """A text means nothing, or more than one thing; `candidates` is what may have been meant."""

    def __init__(self, message: str, candidates: Sequence[Named]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class Unknown(Unclear):
    """Nothing has that id or name: look at the near ones, or leave the filter out."""


class Ambiguous(Unclear):
    """Several have that in their id or name: use an id."""


def client_meant(cursor: Cursor[Any], given: str) -> str:
    """The id of the client meant by an id or a part of a name; raises Unclear.

    A client that facts speak of and nobody has defined yet is found by its id.
    """
    # Most callers give an id: looked up by keys, before all names are read.
    if _is_client(cursor, given):
        return given
    return meant("client", given, clients(cursor)).id


def charge_type_meant(cursor: Cursor[Any], given: str) -> str:
    """The code of the charge type meant by a code or a part of a name; raises Unclear."""
    return meant("charge type", given, charge_types(cursor)).id


def clients(cursor: Cursor[Any]) -> list[Named]:
    """Every client by name: those defined, and those of whom something waits."""
    rows = cursor.execute(
        "SELECT client_id, name FROM clients UNION SELECT w.client_id, w.client_id FROM waiting w"
        " WHERE NOT EXISTS (SELECT FROM clients c WHERE c.client_id = w.client_id)"
    ).fetchall()
    return _by_name(Named(*row) for row in rows)


def charge_types(cursor: Cursor[Any]) -> list[Named]:
    """Every charge type by the name it was last given."""
    return _by_name(Named(code, states.states[-1].name) for code, states in load_catalogue(cursor).charge_types.items())


def meant(what: str, given: str, known: Sequence[Named]) -> Named:
    """The one meant: the exact id first, then the whole id or name, then a part of either, capitals or not; raises Unclear."""
    text = given.strip().casefold()
    for found in (
        [one for one in known if one.id == given],
        [one for one in known if text in (one.id.casefold(), one.name.casefold())],
        [one for one in known if text and (text in one.id.casefold() or text in one.name.casefold())],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise Ambiguous(f"{given!r} may be any of {len(found)} {what}s: {_listed(found)}", found)
    close = near(given, known)
    if close:
        raise Unknown(f"there is no {what} {given!r}: did you mean {_listed(close, ' or ')}?", close)
    some = f"there are {_listed(known)}" if known else "there is none at all"
    raise Unknown(f"there is no {what} {given!r} and none comes near; {some}", close)


def near(given: str, known: Sequence[Named]) -> list[Named]:
    """What comes nearest to a text that matched nothing, the nearest first: by id, by name, or by a word of the name."""
    text = given.strip().casefold()
    matcher = SequenceMatcher(b=text)
    ranked: list[tuple[float, Named]] = []
    for one in known[:MOST_COMPARED]:
        likeness = max(_likeness(matcher, part) for part in (one.id, one.name, *one.name.split()))
        if likeness >= _ALIKE:
            ranked.append((likeness, one))
    return [one for _, one in sorted(ranked, key=lambda pair: -pair[0])[:MOST_SHOWN]]


def _likeness(matcher: SequenceMatcher[str], text: str) -> float:
    matcher.set_seq1(text.casefold())
    # The quick measure bounds the exact one from above, at a tenth of its cost.
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0


def _listed(found: Sequence[Named], between: str = ", ") -> str:
    shown = between.join(map(str, found[:MOST_SHOWN]))
    more = len(found) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _by_name(found: Iterable[Named]) -> list[Named]:
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))


def _is_client(cursor: Cursor[Any], given: str) -> bool:
    row = cursor.execute(
        "SELECT EXISTS (SELECT FROM clients WHERE client_id = %(id)s) OR EXISTS (SELECT FROM waiting WHERE client_id = %(id)s)"
        " OR EXISTS (SELECT FROM time_entries WHERE client_id = %(id)s)"
        " OR EXISTS (SELECT FROM invoices WHERE client_id = %(id)s)",
        {"id": given},
    ).fetchone()
    assert row is not None
    return bool(row[0])
