"""The difference between two states of the queue: which lines appear, go or change, and what that bills or credits."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from projections.queue import QueueLine

State = tuple[Sequence[QueueLine], Sequence[dict[str, Any]], dict[str, str]]
"""The queue's lines, what waits, and the clients' names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedLine:
    """A line that would appear, go or change; `before_minor` or `after_minor` is null where there is no such line then.

    Description, period, quantity and price are those it would have (of a line that goes: had).
    A held line stays off the run, so that it counts in no sum.
    """

    client_id: str
    client_name: str
    item_key: str
    change: str
    description: str
    charge_type: str | None
    service_from: date
    service_to: date
    quantity: Decimal
    unit: str
    unit_price: Decimal
    currency: str
    before_minor: int | None
    after_minor: int | None
    difference_minor: int
    corrects: dict[str, Any] | None
    held: bool
    arithmetic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What a client's queue comes to in one currency, before and after; `billed_minor` and `credited_minor` of the items."""

    client_id: str
    client_name: str
    currency: str
    before_minor: int
    after_minor: int
    difference_minor: int
    billed_minor: int
    credited_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedWaiting:
    """Something that would wait from now on (`reason`), or no longer (`reason_before`, and `reason` null)."""

    client_id: str
    what: str
    id: str
    reason: str | None
    reason_before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What facts would do as of a billing date; `left_out` more clients are touched than were looked at."""

    as_of: date
    sums: tuple[Sum, ...]
    lines: tuple[ChangedLine, ...]
    waiting: tuple[ChangedWaiting, ...]
    repeats: int
    left_out: int


def compared(before: State, after: State, *, as_of: date, repeats: int, left_out: int) -> Preview:
    """The difference from one state of some clients to the next."""
    names = {**before[2], **after[2]}
    lines = list(_changed(_keyed(before[0]), _keyed(after[0]), names))
    return Preview(
        as_of=as_of,
        sums=tuple(_sums(before[0], after[0], lines, names)),
        lines=tuple(lines),
        waiting=tuple(_waiting(before[1], after[1])),
        repeats=repeats,
        left_out=left_out,
    )


Key = tuple[Any, ...]


def _keyed(lines: Iterable[QueueLine]) -> dict[Key, QueueLine]:
    """Lines by what makes them the same line before and after: the item, its currency, what it corrects, and which of those."""
    found: dict[Key, QueueLine] = {}
    seen: Counter[Key] = Counter()
    for line in lines:
        corrects = (line.corrects["number"], line.corrects["line_no"]) if line.corrects else ("", 0)
        key = (line.client_id, line.item_key, line.currency, *corrects)
        seen[key] += 1
        found[*key, seen[key]] = line
    return found


def _changed(before: dict[Key, QueueLine], after: dict[Key, QueueLine], names: dict[str, str]) -> Iterable[ChangedLine]:
    # In the queue's own order: what is there afterwards first, then what went.
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and _told(old) == _told(new):
            continue
        line = new or old
        assert line is not None
        old_minor, new_minor = old.net_minor if old else None, new.net_minor if new else None
        yield ChangedLine(
            client_id=line.client_id,
            client_name=names.get(line.client_id, line.client_id),
            item_key=line.item_key,
            change="appears" if old is None else "goes" if new is None else "changes",
            description=line.description,
            charge_type=line.charge_type,
            service_from=line.service_from,
            service_to=line.service_to,
            quantity=line.quantity,
            unit=line.unit,
            unit_price=line.unit_price,
            currency=line.currency,
            before_minor=old_minor,
            after_minor=new_minor,
            difference_minor=(new_minor or 0) - (old_minor or 0),
            corrects=line.corrects,
            held=line.hold is not None,
            arithmetic=line.arithmetic,
        )


def _told(line: QueueLine) -> tuple[Any, ...]:
    """All of a line that its client would read."""
    return (
        line.description, line.charge_type, line.service_from, line.service_to, line.quantity, line.unit, line.unit_price,
        line.net_minor,
    )  # fmt: skip


def _sums(
    before: Iterable[QueueLine], after: Iterable[QueueLine], changed: Iterable[ChangedLine], names: dict[str, str]
) -> Iterable[Sum]:
    old, new = _nets(before), _nets(after)
    # Of an item corrected by a line back and a line anew, what both come to counts.
    items: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for line in changed:
        if not line.held:
            items[line.client_id, line.currency, line.item_key] += line.difference_minor
    billed: defaultdict[tuple[str, str], int] = defaultdict(int)
    credited: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (client_id, currency, _), difference in items.items():
        (billed if difference > 0 else credited)[client_id, currency] += difference
    for key in sorted(old.keys() | new.keys()):
        if old.get(key, 0) == new.get(key, 0) and key not in billed and key not in credited:
            continue
        client_id, currency = key
        yield Sum(
            client_id=client_id,
            client_name=names.get(client_id, client_id),
            currency=currency,
            before_minor=old.get(key, 0),
            after_minor=new.get(key, 0),
            difference_minor=new.get(key, 0) - old.get(key, 0),
            billed_minor=billed[key],
            credited_minor=credited[key],
        )


def _nets(lines: Iterable[QueueLine]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        if line.hold is None:
            key = (line.client_id, line.currency)
            found[key] = found.get(key, 0) + line.net_minor
    return found


def _waiting(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> Iterable[ChangedWaiting]:
    old = {(one["client_id"], one["what"], one["id"]): one["reason"] for one in before}
    new = {(one["client_id"], one["what"], one["id"]): one["reason"] for one in after}
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            client_id, what, id_ = key
            yield ChangedWaiting(client_id=client_id, what=what, id=id_, reason=new.get(key), reason_before=old.get(key))
