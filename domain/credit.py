"""Crediting by hand: what is left of an issued document, and the lines that take it back (product K1, K2, M5, M7; ADR 019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from domain.difference import ADJUSTMENT, Adjustment, LineReference, PostedLine, Posting, adjusted_line, named, standing
from domain.invoice import Document, Draft, InvoiceLine
from domain.rated import Member, RatedLine

REBILL = "rebill"
WAIVE = "waive"
MODES = (REBILL, WAIVE)

History = Mapping[str, Sequence[Posting]]
"""What was posted of each item, oldest first, by item key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """A quantity with what it comes to; `amount_minor` is in the line's own terms (gross where the price holds the tax)."""

    quantity: Decimal = Decimal(0)
    amount_minor: int = 0
    net_minor: int = 0
    tax_minor: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            quantity=self.quantity + other.quantity,
            amount_minor=self.amount_minor + other.amount_minor,
            net_minor=self.net_minor + other.net_minor,
            tax_minor=self.tax_minor + other.tax_minor,
        )

    def __neg__(self) -> "Amounts":
        return Amounts(
            quantity=-self.quantity, amount_minor=-self.amount_minor, net_minor=-self.net_minor, tax_minor=-self.tax_minor
        )

    @property
    def sign(self) -> int:
        """1 where it bills, -1 where it takes back, 0 where there is nothing; a free line is told by its quantity."""
        of = self.amount_minor or self.quantity
        return (of > 0) - (of < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of one line after what corrected it since: the line as it was posted, and where."""

    item_key: str
    due_on: date
    posted: PostedLine
    amounts: Amounts
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """What an item is to be adjusted by, so that what is credited of it does not come back."""

    item_key: str
    adjustment: Adjustment


def left_of(
    document: Document, history: History, corrects: Mapping[LineReference, LineReference], line_no: int | None = None
) -> tuple[Left, ...]:
    """What is left of a document, or of one of its lines, the last lines of each item first; none where nothing is.

    Of a line: its own figures less what was taken back of it, at most what stands of its part of the item.
    With it goes what stands of the adjustments that took off it since; a line given up whole is left out.
    A line that takes back is undone only with the whole document, and only where the item has not moved on since.
    `corrects` says which line each later line of these items corrects.
    """
    found: list[Left] = []
    meant = [line for line in document.lines if line_no is None or line.line_no == line_no]
    for key in dict.fromkeys(line.item_key for line in meant):
        own = [line for line in meant if line.item_key == key]
        found += _left_of_item(document, own, history[key], corrects, whole=line_no is None)
    return tuple(found)


def _left_of_item(
    document: Document,
    lines: Sequence[InvoiceLine],
    postings: Sequence[Posting],
    corrects: Mapping[LineReference, LineReference],
    *,
    whole: bool,
) -> list[Left]:
    item = _Item(postings, corrects)
    found: list[Left] = []
    own_parts = {_part(line.line) for line in lines}
    for line in reversed(lines):
        reference = LineReference(number=document.number, line_no=line.line_no)
        own = item.left(reference, undone=whole)
        beside = [one for one in item.taken_off(reference) if _part(one.line) not in own_parts]
        group = [(item.posted[reference], own), *((one, item.stands[_part(one.line)]) for one in beside)]
        if beside and not sum(amounts.amount_minor for _, amounts in group):
            continue  # given up whole: nothing of it is left to take back
        for one, amounts in group:
            if amounts.sign:
                item.stands[_part(one.line)] += -amounts
                found.append(_left(line, one, amounts))
    return found


class _Item:
    """One item's lines on all documents: which corrects which, and what stands of each part."""

    def __init__(self, postings: Sequence[Posting], corrects: Mapping[LineReference, LineReference]) -> None:
        self.posted = {one.reference: one for posting in postings for one in posting.lines}
        self.stands = {part: _amounts(one) for part, one in standing(postings).items()}
        self._last = {_part(one.line): one.reference.number for one in self.posted.values()}
        self._by: dict[LineReference, list[PostedLine]] = {}
        for reference, one in self.posted.items():
            if reference in corrects:
                self._by.setdefault(corrects[reference], []).append(one)

    def left(self, reference: LineReference, *, undone: bool) -> Amounts:
        """What is left of a line; one that took back what others billed is left only where it is to be `undone`."""
        one = self.posted[reference]
        billed, stands = _of(one), self.stands[_part(one.line)]
        if billed.sign < 0 <= stands.sign:
            return billed if undone and self._last[_part(one.line)] == reference.number else Amounts()
        own = self._remains(one)
        if own.sign != billed.sign or stands.sign != own.sign:
            return Amounts()
        return own if abs(own.amount_minor) <= abs(stands.amount_minor) else stands

    def _remains(self, one: PostedLine) -> Amounts:
        """A line's figures less what lines of its part took back of it, and what was taken back of those again."""
        against = [by for by in self._by.get(one.reference, ()) if _part(by.line) == _part(one.line)]
        return sum((self._remains(by) for by in against if _of(by).sign == -_of(one).sign), _of(one))

    def taken_off(self, reference: LineReference) -> list[PostedLine]:
        """The first line of each adjustment that still takes off what a line bills.

        Those made since name the line; one of its own document belongs to the first of the item's lines there.
        """
        one = self.posted[reference]
        found: dict[tuple[str, str], PostedLine] = {}
        together = [by for by in self.posted.values() if by.reference.number == reference.number]
        first = min((by.reference.line_no for by in together if by.line.rule != ADJUSTMENT), default=0)
        for by in [*self._by.get(reference, ()), *(together if first == reference.line_no else ())]:
            part = _part(by.line)
            if by.line.rule == ADJUSTMENT and part[0] == one.line.currency and self.stands[part].sign == -_of(one).sign:
                found.setdefault(part, by)
        return list(found.values())


def _left(line: InvoiceLine, posted: PostedLine, amounts: Amounts) -> Left:
    return Left(item_key=line.item_key, due_on=line.due_on, posted=posted, amounts=amounts, sources=line.source_event_ids)


def _part(line: RatedLine) -> tuple[str, str]:
    return line.currency, line.part


def _of(posted: PostedLine) -> Amounts:
    line = posted.line
    return Amounts(quantity=line.quantity, amount_minor=line.amount_minor, net_minor=posted.net_minor, tax_minor=posted.tax_minor)


def _amounts(stands: object) -> Amounts:
    return Amounts(**{name: getattr(stands, name) for name in ("quantity", "amount_minor", "net_minor", "tax_minor")})


def more_than_stands(taken: Sequence[Left], history: History) -> str | None:
    """The item of which more would be given up than stands of it, because of a discount that stays; null where none."""
    for key in dict.fromkeys(one.item_key for one in taken):
        own = [one for one in taken if one.item_key == key]
        currency = own[0].posted.line.currency
        stands = sum(one.amount_minor for (of, _), one in standing(history[key]).items() if of == currency)
        if sum(one.amounts.amount_minor for one in own) > stands:
            return key
    return None


# ---- the lines that take it back ----


def mirrored(left: Left) -> RatedLine:
    """The line that returns an item to the queue: what is left of it, the other way round."""
    line, reference = left.posted.line, left.posted.reference
    back = replace(
        line,
        quantity=-left.amounts.quantity,
        amount_minor=-left.amounts.amount_minor,
        arithmetic=f"what is left of {reference.number} line {reference.line_no} taken back",
    )
    return named(back, reference)


def waiver(left: Left, adjustment_id: str, event_id: str) -> Waiver:
    """The adjustment that gives up what is left of a line, so that the item is worth that much less (product K2)."""
    amount = -left.amounts.amount_minor
    return Waiver(
        item_key=left.item_key,
        adjustment=Adjustment(
            adjustment_id=adjustment_id,
            currency=left.posted.line.currency,
            amount_minor=amount,
            reason="",
            event_id=event_id,
            waives=amount < 0,
        ),
    )


def waived(left: Left, made: Waiver) -> RatedLine:
    """The line that posts it: as the difference would have it, so that nothing of it is due afterwards."""
    reference = left.posted.reference
    line = adjusted_line(made.adjustment, left.posted.line)
    return named(replace(line, arithmetic=f"what is left of {reference.number} line {reference.line_no} given up"), reference)


def note(
    document: Document,
    taken: Sequence[tuple[Left, RatedLine, tuple[str, ...]]],
    history: History,
    *,
    issued_on: date,
    due_on: date,
) -> Draft:
    """A credit note's draft from lines with their sources: each takes back its tax to the cent, at the percent it had (M7)."""
    lines = tuple(
        InvoiceLine(
            line_no=number,
            item_key=left.item_key,
            due_on=left.due_on,
            line=line,
            net_minor=-left.amounts.net_minor,
            tax_code=left.posted.tax_code,
            tax_percent=left.posted.percent,
            tax_minor=-left.amounts.tax_minor,
            corrects=left.posted.reference,
            source_event_ids=sources,
            members=_members(left.item_key, taken, history),
        )
        for number, (left, line, sources) in enumerate(taken, start=1)
    )
    return Draft(
        client_id=document.client_id,
        currency=document.currency,
        issued_on=issued_on,
        due_on=due_on,
        lines=lines,
        net_minor=sum(one.net_minor for one in lines),
        tax_minor=sum(one.tax_minor for one in lines),
    )


def _members(item_key: str, taken: Sequence[tuple[Left, RatedLine, tuple[str, ...]]], history: History) -> tuple[Member, ...]:
    """The entries that stand in the item afterwards: those of before, unless nothing of it is left."""
    stands = {part: _amounts(one) for part, one in standing(history[item_key]).items()}
    for left, line, _ in taken:
        if left.item_key == item_key:
            stands[_part(line)] = stands.get(_part(line), Amounts()) + _line_amounts(left, line)
    return history[item_key][-1].members if any(one.sign for one in stands.values()) else ()


def _line_amounts(left: Left, line: RatedLine) -> Amounts:
    back = -left.amounts
    return replace(back, quantity=line.quantity)
