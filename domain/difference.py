"""The core idea: due = rated + adjusted - posted, item by item, as lines a client can read (product K1, T8, M5)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from domain.ids import taken_back
from domain.money import minor_digits
from domain.rated import Member, RatedItem, RatedLine

_CORRECTION = ", correction of "
ADJUSTMENT = "adjustment/v1"
"""The rule of a line that a person's adjustment made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReference:
    """A line on a document that was issued."""

    number: str
    line_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A person's change of an item's amount, with the reason: discount, no-charge, goodwill.

    One that `waives` takes off at most what the item is worth: a line given up is never credited below nothing.
    """

    adjustment_id: str
    currency: str
    amount_minor: int
    reason: str
    event_id: str
    waives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedLine:
    """One line of an item on an issued document, tax as it was then."""

    reference: LineReference
    line: RatedLine
    net_minor: int
    tax_minor: int
    tax_code: str
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What one document took of one item: its lines, the entries behind them, and the day the item was due."""

    due_on: date
    lines: tuple[PostedLine, ...]
    sources: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What all documents together say of one part of an item in one currency."""

    line: RatedLine
    quantity: Decimal
    amount_minor: int
    net_minor: int
    tax_minor: int
    tax_code: str
    percent: Decimal
    reference: LineReference


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLine:
    """A line to invoice: new, a difference, or the mirror of an old line; `corrects` names what it corrects.

    `keeps` is what stands of the part; `like` is what stands of the item, whose tax percent is kept (product M7).
    `ends_amount_minor` is what the part's amount will be once the line is issued.
    """

    item_key: str
    due_on: date
    line: RatedLine
    corrects: LineReference | None
    keeps: Standing | None
    like: Standing | None
    ends_amount_minor: int
    sources: tuple[str, ...]
    members: tuple[Member, ...]


def standing(postings: Iterable[Posting]) -> dict[tuple[str, str], Standing]:
    """Adds up an item's postings, oldest first, by (currency, part)."""
    stands: dict[tuple[str, str], Standing] = {}
    for posting in postings:
        for posted in posting.lines:
            key = (posted.line.currency, posted.line.part)
            before = stands.get(key)
            if before is None or (before.quantity == 0 and before.amount_minor == 0):
                stands[key] = _first(posted, before)
            elif _same_price(before.line, posted.line):
                stands[key] = _added(before, posted)
            else:
                # A mirrored line was posted just before: what is left is this new line.
                stands[key] = _added(replace(before, line=posted.line, reference=posted.reference), posted)
    return stands


def _same_price(one: RatedLine, other: RatedLine) -> bool:
    # A price that holds the tax is another price than the same figure without it.
    return one.unit_price == other.unit_price and one.gross == other.gross


def _first(posted: PostedLine, before: Standing | None) -> Standing:
    return Standing(
        line=posted.line,
        quantity=posted.line.quantity,
        amount_minor=posted.line.amount_minor,
        net_minor=posted.net_minor + (before.net_minor if before else 0),
        tax_minor=posted.tax_minor + (before.tax_minor if before else 0),
        tax_code=posted.tax_code,
        percent=posted.percent,
        reference=posted.reference,
    )


def _added(before: Standing, posted: PostedLine) -> Standing:
    return replace(
        before,
        quantity=before.quantity + posted.line.quantity,
        amount_minor=before.amount_minor + posted.line.amount_minor,
        net_minor=before.net_minor + posted.net_minor,
        tax_minor=before.tax_minor + posted.tax_minor,
    )


def due_lines(
    item_key: str,
    rated: RatedItem | None,
    adjustments: Sequence[Adjustment],
    postings: Sequence[Posting],
    *,
    due_on: date,
) -> tuple[DueLine, ...]:
    """The lines that bring what was posted of an item to what it is worth now; none where nothing is due.

    `due_on` is the item's own, or that of its first posting where it is no longer rated.
    """
    if rated is not None and rated.stays:
        return ()
    stands = standing(postings)
    wanted = {(line.currency, line.part): line for line in (rated.lines if rated else ())}
    if rated is not None and rated.lines:
        # What is no longer rated in a currency takes its adjustments with it: there is nothing left to discount.
        beside = {line.currency: line for line in reversed(rated.lines)}
        wanted |= {
            (a.currency, a.adjustment_id): adjusted_line(a, beside[a.currency])
            for a in _lasting(effective(adjustments, rated), stands.keys())
            if a.currency in beside
        }
    sources = _sources(rated, adjustments, postings)
    members = rated.members if rated else ()
    known = {member.time_entry_id for posting in postings for member in posting.members}
    joined = any(member.time_entry_id not in known for member in members) and bool(postings)
    main = next((stood for (_, part), stood in stands.items() if part == ""), None)
    # An adjustment's line rests on that adjustment, not on its neighbours'.
    own = {adjustment.adjustment_id: (adjustment.event_id,) for adjustment in adjustments}
    found: list[DueLine] = []
    for key in sorted(stands.keys() | wanted.keys(), key=lambda k: (k[1] != "", k)):
        # A line in another currency than before still corrects, and is taxed like, what it replaces.
        like = stands.get(key) or stands.get((key[0], "")) or main
        for line, corrects, ends in _part(wanted.get(key), stands.get(key), joined):
            found.append(
                DueLine(
                    item_key=item_key,
                    due_on=due_on,
                    line=named(line, corrects or (like.reference if like else None)),
                    corrects=corrects or (like.reference if like else None),
                    keeps=stands.get(key),
                    like=like,
                    ends_amount_minor=ends,
                    sources=own.get(key[1], sources),
                    members=members,
                )
            )
    return tuple(found)


def effective(adjustments: Sequence[Adjustment], rated: RatedItem) -> list[Adjustment]:
    """What adjustments come to: those that waive take off, one after the other, at most what the item comes to without them.

    One of which nothing is left is not among them; an item that stays as it was invoiced keeps them as they are.
    """
    if rated.stays or not any(one.waives for one in adjustments):
        return list(adjustments)
    worth: dict[str, int] = {}
    for line in rated.lines:
        worth[line.currency] = worth.get(line.currency, 0) + line.amount_minor
    found = [one for one in adjustments if not one.waives]
    for one in found:
        worth[one.currency] = worth.get(one.currency, 0) + one.amount_minor
    for one in sorted((one for one in adjustments if one.waives), key=lambda a: a.adjustment_id):
        left = max(worth.get(one.currency, 0), 0)
        taken = min(-one.amount_minor, left)
        if taken > 0:
            worth[one.currency] = left - taken
            found.append(replace(one, amount_minor=-taken))
    return found


def _lasting(adjustments: Sequence[Adjustment], posted: Iterable[tuple[str, str]]) -> list[Adjustment]:
    """The adjustments a client is to see: one taken back before either was invoiced leaves no two lines that cancel out."""
    seen = {part for _, part in posted}
    known = {a.adjustment_id for a in adjustments}
    undone = {
        one
        for a in adjustments
        if (opposite := taken_back(a.adjustment_id)) in known and not {a.adjustment_id, opposite} & seen
        for one in (a.adjustment_id, opposite)
    }
    return [a for a in adjustments if a.adjustment_id not in undone]


def _part(wanted: RatedLine | None, stands: Standing | None, joined: bool) -> list[tuple[RatedLine, LineReference | None, int]]:
    """The lines for one part of an item, each with what it corrects and what the part's amount ends at."""
    if stands is None:
        return [(wanted, None, wanted.amount_minor)] if wanted is not None else []
    empty = stands.quantity == 0 and stands.amount_minor == 0
    if wanted is None:
        return [] if empty else [(_mirror(stands), stands.reference, 0)]
    if empty or _same_price(wanted, stands.line):
        quantity = wanted.quantity - stands.quantity
        amount = wanted.amount_minor - stands.amount_minor
        if quantity == 0 and amount == 0 and not joined:
            return []
        return [(_difference(wanted, stands, quantity, amount), stands.reference, wanted.amount_minor)]
    return [
        (_mirror(stands), stands.reference, 0),
        (wanted, stands.reference, wanted.amount_minor),
    ]


def _mirror(stands: Standing) -> RatedLine:
    return replace(
        stands.line,
        quantity=-stands.quantity,
        amount_minor=-stands.amount_minor,
        arithmetic=f"{_place(stands.reference)} taken back in full",
    )


def _difference(wanted: RatedLine, stands: Standing, quantity: Decimal, amount: int) -> RatedLine:
    digits = minor_digits(wanted.currency)
    before = f"{Decimal(stands.amount_minor).scaleb(-digits):.{digits}f}"
    # On the original service period (product K1): the new rating's days are those that are left, not those corrected.
    period = stands.line if stands.quantity or stands.amount_minor else wanted
    return replace(
        wanted,
        service_from=period.service_from,
        service_to=period.service_to,
        quantity=quantity,
        amount_minor=amount,
        arithmetic=f"{wanted.arithmetic}; less {before} of {_place(stands.reference)}",
    )


def _place(reference: LineReference) -> str:
    return f"{reference.number} line {reference.line_no}"


def adjusted_line(adjustment: Adjustment, beside: RatedLine) -> RatedLine:
    """An adjustment as a line of its own: one unit, negative where it takes off (product M5)."""
    digits = minor_digits(adjustment.currency)
    sign = -1 if adjustment.amount_minor < 0 else 1
    return replace(
        beside,
        part=adjustment.adjustment_id,
        description=f"Adjustment: {beside.description}",
        quantity=Decimal(sign),
        unit="each",
        unit_price=Decimal(abs(adjustment.amount_minor)).scaleb(-digits),
        currency=adjustment.currency,
        amount_minor=adjustment.amount_minor,
        rule=ADJUSTMENT,
        arithmetic="adjusted by hand",
    )


def named(line: RatedLine, corrects: LineReference | None) -> RatedLine:
    """The line as the client reads it: a correction says what it corrects."""
    if corrects is None:
        return line
    described = line.description.partition(_CORRECTION)[0]
    return replace(line, description=f"{described}{_CORRECTION}{_place(corrects)}")


def _sources(rated: RatedItem | None, adjustments: Sequence[Adjustment], postings: Sequence[Posting]) -> tuple[str, ...]:
    """The events behind a difference: those of what was posted and those of what it is now."""
    posted = [source for posting in postings for source in posting.sources]
    now = [*(rated.sources if rated else ()), *(adjustment.event_id for adjustment in adjustments)]
    return tuple(dict.fromkeys([*posted, *now]))
