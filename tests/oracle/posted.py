"""What was invoiced, and what is due beyond it: due = rated - posted, item by item (K1, T8, M7)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .arithmetic import tax_of_line
from .rating import Item, ItemKey, Member
from .rules import Rules

if TYPE_CHECKING:
    from .oracle import Expected

QUANTITY_TOLERANCE = Decimal("0.00000005")
"""Shown quantities have 8 places: sums of a few of them may be this far from the exact one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One line of an invoice or credit note the product has issued."""

    client_id: str
    item_key: str
    currency: str
    quantity: Decimal
    unit_price: Decimal
    net_minor: int
    tax_code: str | None = None
    tax_minor: int | None = None
    tax_percent: Decimal | None = None
    issued_on: date | None = None
    service_from: date = date.min
    charge_type: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line the queue must show; quantity and price are None where the documents fix the net only."""

    client_id: str
    item_key: str
    currency: str
    kind: str
    quantity: Decimal | None
    unit_price: Decimal | None
    hours: Fraction
    net_minor: int
    tax_code: str
    tax_minor: int
    tax_percent: Decimal
    is_correction: bool
    service_from: date = date.min


@dataclass(frozen=True, kw_only=True)
class Invoiced:
    """All lines posted so far, which entries stand in each item, and which ever did."""

    lines: tuple[Posted, ...] = ()
    standing: Mapping[ItemKey, tuple[Member, ...]] = field(default_factory=dict)
    ever: Mapping[ItemKey, frozenset[str]] = field(default_factory=dict)
    by_item: Mapping[ItemKey, tuple[Posted, ...]] = field(init=False)
    _items_of: Mapping[tuple[str, str], frozenset[ItemKey]] = field(init=False)

    def __post_init__(self) -> None:
        by_item: dict[ItemKey, list[Posted]] = defaultdict(list)
        for line in self.lines:
            by_item[line.client_id, line.item_key].append(line)
        object.__setattr__(self, "by_item", {key: tuple(lines) for key, lines in by_item.items()})
        items_of: dict[tuple[str, str], set[ItemKey]] = defaultdict(set)
        for key, entry_ids in self.ever.items():
            for entry_id in entry_ids:
                items_of[key[0], entry_id].add(key)
        object.__setattr__(self, "_items_of", {key: frozenset(items) for key, items in items_of.items()})

    def items_of(self, client_id: str, entry_id: str) -> set[ItemKey]:
        """The posted items that ever billed the entry, credited since or not."""
        own = (client_id, f"time/{quote(entry_id, safe='')}")
        return {key for key in {own, *self._items_of.get((client_id, entry_id), ())} if key in self.by_item}

    def stands(self, client_id: str, entry_id: str) -> Iterator[tuple[ItemKey, Member | None]]:
        """The items in which the entry stands now, with what it brought there (null: an entry's own item, not known)."""
        for key in self.items_of(client_id, entry_id):
            members = self.standing.get(key)
            if members is None:
                yield key, None
            yield from ((key, member) for member in members or () if member.entry_id == entry_id)

    def then(self, lines: Iterable[Posted], billed: "Expected") -> "Invoiced":
        """After one more run, which billed what `billed` had expected."""
        lines = tuple(lines)
        standing, ever = dict(self.standing), dict(self.ever)
        for key in {(line.client_id, line.item_key) for line in lines}:
            item = billed.items.get(key)
            standing[key] = item.members if item else ()
            ever[key] = ever.get(key, frozenset()) | {member.entry_id for member in standing[key]}
        return Invoiced(lines=self.lines + lines, standing=standing, ever=ever)


def posted_from_json(invoices: Iterable[Mapping[str, Any]]) -> list[Posted]:
    """The lines of `daybook invoices --json` documents (each with `lines` as in InvoiceIssued)."""
    return [
        Posted(
            client_id=invoice["client_id"],
            item_key=line["item_key"],
            currency=invoice["currency"],
            quantity=Decimal(line["quantity"]),
            unit_price=Decimal(line["unit_price"]),
            net_minor=line["net_minor"],
            tax_code=line.get("tax_code"),
            tax_minor=line.get("tax_minor"),
            tax_percent=Decimal(line["tax_percent"]) if "tax_percent" in line else None,
            service_from=date.fromisoformat(line.get("service_from", "0001-01-01")),
            charge_type=line.get("charge_type"),
            description=line.get("description", ""),
            issued_on=date.fromisoformat(invoice["issued_on"]),
        )
        for invoice in invoices
        for line in invoice["lines"]
    ]


def posted_from_lines(lines: Iterable[Line], issued_on: date) -> list[Posted]:
    """Invoices the oracle's own queue: for tests without the product."""
    return [
        Posted(
            client_id=line.client_id,
            item_key=line.item_key,
            currency=line.currency,
            quantity=Decimal(1) if line.quantity is None else line.quantity,
            unit_price=Decimal(line.net_minor) if line.unit_price is None else line.unit_price,
            net_minor=line.net_minor,
            tax_code=line.tax_code,
            tax_minor=line.tax_minor,
            tax_percent=line.tax_percent,
            issued_on=issued_on,
            service_from=line.service_from,
            description=line.kind,
        )
        for line in lines
    ]


def differences(
    key: ItemKey,
    item: Item | None,
    posted: Sequence[Posted],
    percent: Callable[[str, date | None], Decimal],
    rules: Rules,
    has_joined: bool,
    kind_then: Callable[[Posted], str],
) -> list[Line]:
    """The lines due for one item: new, of the difference, or mirrored and new; `has_joined`: an entry is new in it (T2)."""
    if item is not None and not posted:
        rate = percent(item.tax_code, None)
        tax_minor = tax_of_line(item.net_minor, rate, rules)
        return [_line(key, item, item.quantity, item.unit_price, item.net_minor, item.tax_code, rate, tax_minor)]
    first = posted[0]
    code = first.tax_code or (item.tax_code if item else "")
    rate = percent(code, first.issued_on) if first.tax_percent is None else first.tax_percent
    due = list(_due(item, posted, has_joined))
    tax_due = _tax_due(item, posted, rate, rules)
    last = {currency: number for number, (currency, *_) in enumerate(due)}
    lines = []
    for number, (currency, quantity, unit_price, net_minor, mirrored) in enumerate(due):
        share = tax_due[currency] if number == last[currency] else tax_of_line(net_minor, rate, rules)
        tax_due[currency] -= share
        line = _line(key, item, quantity, unit_price, net_minor, code, rate, share)
        kind = kind_then(mirrored) if mirrored else line.kind
        lines.append(replace(line, currency=currency, kind=kind, is_correction=True))
    return lines


def _tax_due(item: Item | None, posted: Sequence[Posted], rate: Decimal, rules: Rules) -> dict[str, int]:
    """By currency: the tax of the item's new net less the tax posted (M7)."""
    due: dict[str, int] = defaultdict(int)
    if item is not None:
        due[item.currency] = tax_of_line(item.net_minor, rate, rules)
    for line in posted:
        due[line.currency] -= tax_of_line(line.net_minor, rate, rules) if line.tax_minor is None else line.tax_minor
    return due


def _line(
    key: tuple[str, str],
    item: Item | None,
    quantity: Decimal | None,
    unit_price: Decimal | None,
    net_minor: int,
    tax_code: str,
    tax_percent: Decimal,
    tax_minor: int,
) -> Line:
    hourly = not key[1].startswith("line/")
    return Line(
        client_id=key[0],
        item_key=key[1],
        currency=item.currency if item else "",
        kind=item.kind if item else "",
        quantity=quantity,
        unit_price=unit_price,
        hours=Fraction(round(quantity * 60), 60) if hourly and quantity is not None else Fraction(),
        net_minor=net_minor,
        tax_code=tax_code,
        tax_minor=tax_minor,
        tax_percent=tax_percent,
        is_correction=False,
        service_from=item.service_from if item else date.min,
    )


_Due = tuple[str, Decimal | None, Decimal | None, int, Posted | None]


def _due(item: Item | None, posted: Sequence[Posted], has_joined: bool) -> Iterator[_Due]:
    """(currency, quantity, unit price, net) of each line due beyond what was posted, and the line it mirrors, if it does."""
    standing: dict[tuple[str, Decimal], tuple[Decimal, int, Posted]] = {}
    for line in posted:
        price = (line.currency, line.unit_price)
        quantity, net_minor, first = standing.pop(price, (Decimal(0), 0, line))
        quantity, net_minor = quantity + line.quantity, net_minor + line.net_minor
        if net_minor or abs(quantity) > QUANTITY_TOLERANCE:
            standing[price] = (quantity, net_minor, first)
    if item is not None and item.quantity is None:  # mixed prices: only the net is fixed
        had_net = sum(net for (currency, _), (_, net, _) in standing.items() if currency == item.currency)
        if item.net_minor != had_net:
            yield item.currency, None, None, item.net_minor - had_net, None
        return
    wanted = None if item is None or item.unit_price is None else (item.currency, item.unit_price)
    for price, (quantity, net_minor, first) in standing.items():
        if price != wanted:
            yield price[0], -quantity, price[1], -net_minor, first
    if wanted is None or item is None or item.quantity is None:
        return
    had_quantity, had_net = standing[wanted][:2] if wanted in standing else (Decimal(0), 0)
    quantity, net_minor = item.quantity - had_quantity, item.net_minor - had_net
    is_new_price = bool(standing) and wanted not in standing
    # An item of 0.00 is posted once, whatever its price (T8).
    if is_new_price or has_joined or net_minor or abs(quantity) > QUANTITY_TOLERANCE:
        yield wanted[0], quantity, wanted[1], net_minor, None
