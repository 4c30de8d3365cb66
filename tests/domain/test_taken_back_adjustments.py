"""An adjustment and the one that takes it back: they cancel out before an invoice, and are told apart after one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from domain.difference import Adjustment, LineReference, PostedLine, Posting, due_lines
from domain.ids import taken_back
from domain.rated import RatedItem, RatedLine

DAY = date(2026, 5, 20)
LINE = RatedLine(
    part="", description="Remote Support", charge_type="REMOTE", kind="Remote Support", service_from=DAY, service_to=DAY,
    quantity=Decimal(1), unit="hour", unit_price=Decimal(150), currency="GBP", amount_minor=15_000, gross=False, tax_code="STD",
    account="200", rule="time/v1", arithmetic="60 min",
)  # fmt: skip
ITEM = RatedItem(key="time/e1", due_on=DAY, lines=(LINE,), sources=("e",), members=())
GIVEN = Adjustment(adjustment_id="a", currency="GBP", amount_minor=-2_500, reason="", event_id="a1")
UNDONE = replace(GIVEN, adjustment_id=taken_back("a"), amount_minor=2_500, event_id="a2")
OTHER = replace(GIVEN, adjustment_id="b", event_id="b1")


def amounts(adjustments: tuple[Adjustment, ...], postings: tuple[Posting, ...] = ()) -> list[int]:
    return sorted(one.line.amount_minor for one in due_lines("time/e1", ITEM, adjustments, postings, due_on=DAY))


def posting(*lines: RatedLine) -> Posting:
    return Posting(
        due_on=DAY,
        lines=tuple(
            PostedLine(
                reference=LineReference(number="INV-1", line_no=number), line=line, net_minor=line.amount_minor,
                tax_minor=0, tax_code="STD", percent=Decimal(0),
            )
            for number, line in enumerate(lines, start=1)
        ),
        sources=("e",),
        members=(),
    )  # fmt: skip


def posted_adjustment(one: Adjustment) -> RatedLine:
    sign = -1 if one.amount_minor < 0 else 1
    return replace(
        LINE, part=one.adjustment_id, quantity=Decimal(sign), unit="each", unit_price=Decimal(25), amount_minor=one.amount_minor
    )


@pytest.mark.parametrize("order", [(GIVEN, UNDONE, OTHER), (OTHER, UNDONE, GIVEN)])
def test_before_an_invoice_neither_is_a_line_and_others_stay(order: tuple[Adjustment, ...]) -> None:
    assert amounts(order) == [-2_500, 15_000]


def test_after_the_first_was_invoiced_the_second_is_a_line() -> None:
    assert amounts((GIVEN, UNDONE), (posting(LINE, posted_adjustment(GIVEN)),)) == [2_500]


def test_after_both_were_invoiced_nothing_is_due() -> None:
    both = (posting(LINE, posted_adjustment(GIVEN)), posting(posted_adjustment(UNDONE)))
    assert amounts((GIVEN, UNDONE), both) == []


def test_without_its_opposite_an_adjustment_stays() -> None:
    assert amounts((GIVEN,)) == [-2_500, 15_000]
    assert amounts((UNDONE,)) == [2_500, 15_000]
