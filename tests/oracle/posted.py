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
from .rating import Item
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
    issued_on: date | None = None


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
    is_correction: bool


@dataclass(frozen=True, kw_only=True)
class Invoiced:
    """All lines posted so far, and which entries each item billed."""

    lines: tuple[Posted, ...] = ()
    entries: Mapping[tuple[str, str], frozenset[str]] | None = None  # (client, item) -> entry ids; None: not known
    by_item: Mapping[tuple[str, str], tuple[Posted, ...]] = field(init=False)
    _items_of: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = field(init=False)

    def __post_init__(self) -> None:
        by_item: dict[tuple[str, str], tuple[Posted, ...]] = defaultdict(tuple)
        for line in self.lines:
            by_item[line.client_id, line.item_key] += (line,)
        object.__setattr__(self, "by_item", dict(by_item))
        items_of: dict[tuple[str, str], frozenset[tuple[str, str]]] = defaultdict(frozenset)
        for key, entry_ids in (self.entries or {}).items():
            for entry_id in entry_ids:
                items_of[key[0], entry_id] |= {key}
        object.__setattr__(self, "_items_of", dict(items_of))

    def items_of(self, client_id: str, entry_id: str) -> set[tuple[str, str]]:
        """The posted items known to have billed the entry."""
        own = (client_id, f"time/{quote(entry_id, safe='')}")
        return {key for key in {own, *self._items_of.get((client_id, entry_id), ())} if key in self.by_item}

    def then(self, lines: Iterable[Posted], billed: "Expected") -> "Invoiced":
        """After one more run, which billed what `billed` had expected."""
        lines = tuple(lines)
        entries = dict(self.entries or {})
        for line in lines:
            key = (line.client_id, line.item_key)
            if item := billed.items.get(key):
                entries[key] = entries.get(key, frozenset()) | frozenset(item.entries)
        return Invoiced(lines=self.lines + lines, entries=entries)


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
            issued_on=issued_on,
        )
        for line in lines
    ]


def differences(
    key: tuple[str, str],
    item: Item | None,
    posted: Sequence[Posted],
    percent: Callable[[str, date | None], Decimal],
    rules: Rules,
) -> list[Line]:
    """The lines due for one item: new, of the difference, or mirrored and new."""
    if item is not None and not posted:
        tax_minor = tax_of_line(item.net_minor, percent(item.tax_code, None), rules)
        return [_line(key, item, item.quantity, item.unit_price, item.net_minor, item.tax_code, tax_minor)]
    first = posted[0]
    code = first.tax_code or (item.tax_code if item else "")
    rate = percent(code, first.issued_on)
    tax_due = tax_of_line(item.net_minor if item else 0, rate, rules) - sum(
        tax_of_line(line.net_minor, rate, rules) if line.tax_minor is None else line.tax_minor for line in posted
    )
    due = list(_due(item, posted))
    lines = []
    for number, (currency, quantity, unit_price, net_minor) in enumerate(due, 1):
        share = tax_due if number == len(due) else tax_of_line(net_minor, rate, rules)
        tax_due -= share
        line = _line(key, item, quantity, unit_price, net_minor, code, share)
        lines.append(replace(line, currency=currency, is_correction=True))
    return lines


def _line(
    key: tuple[str, str],
    item: Item | None,
    quantity: Decimal | None,
    unit_price: Decimal | None,
    net_minor: int,
    tax_code: str,
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
        is_correction=False,
    )


_Due = tuple[str, Decimal | None, Decimal | None, int]


def _due(item: Item | None, posted: Sequence[Posted]) -> Iterator[_Due]:
    """(currency, quantity, unit price, net) of each line due beyond what was posted."""
    if item is not None and item.quantity is None:  # mixed prices: only the net is fixed
        net_minor = item.net_minor - sum(line.net_minor for line in posted if line.currency == item.currency)
        if net_minor:
            yield item.currency, None, None, net_minor
        return
    standing: dict[tuple[str, Decimal], tuple[Decimal, int]] = {}
    for line in posted:
        quantity, net_minor = standing.get((line.currency, line.unit_price), (Decimal(0), 0))
        standing[line.currency, line.unit_price] = (quantity + line.quantity, net_minor + line.net_minor)
    wanted = None if item is None or item.unit_price is None else (item.currency, item.unit_price)
    for price, (quantity, net_minor) in standing.items():
        if price != wanted and (net_minor or abs(quantity) > QUANTITY_TOLERANCE):
            yield price[0], -quantity, price[1], -net_minor
    if wanted is None or item is None or item.quantity is None:
        return
    had_quantity, had_net = standing.get(wanted, (Decimal(0), 0))
    quantity, net_minor = item.quantity - had_quantity, item.net_minor - had_net
    if wanted not in standing or net_minor or abs(quantity) > QUANTITY_TOLERANCE:
        yield wanted[0], quantity, wanted[1], net_minor
