"""Credits by hand, whatever was posted before: what is left, exactly, and the books end where they would have (ADR 019)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from given import MAY, Given, usual
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.credit import REBILL, WAIVE, left_of, mirrored, more_than_stands, note, waived, waiver
from domain.difference import Adjustment, LineReference, effective, standing
from domain.invoice import CreditNoteIssued, Document, InvoiceIssued, issued, postings
from domain.rated import RatedItem, RatedLine
from domain.receivables import Issued
from domain.settling import settle
from tests.saying import approved, said

AT = datetime(2026, 5, 31, tzinfo=UTC)


def credit(books: Given, document: Document, mode: str, line_no: int | None = None) -> CreditNoteIssued | None:
    """The credit note a person would get, posted; null where it would be refused."""
    history = {key: found for (_, key), found in books.posted.items()}
    corrects = {
        LineReference(number=one.number, line_no=line.line_no): line.corrects
        for one in books.documents
        for line in one.lines
        if line.corrects is not None
    }
    taken = left_of(document, history, corrects, line_no)
    if mode == WAIVE:
        taken = tuple(left for left in taken if left.amounts.amount_minor)
        if more_than_stands(taken, history) is not None:
            return None
    if sum(left.amounts.net_minor + left.amounts.tax_minor for left in taken) <= 0:
        return None
    lines = []
    for left in taken:
        if mode == REBILL:
            lines.append((left, mirrored(left), left.sources))
            continue
        mine = books.adjustments.setdefault(left.item_key, [])
        made = waiver(left, f"w{len(mine)}", f"w{len(mine)}")
        mine.append(made.adjustment)
        lines.append((left, waived(left, made), ("w",)))
    number = f"CN-{sum(isinstance(d, CreditNoteIssued) for d in books.documents) + 1:06}"
    draft = note(document, lines, history, issued_on=MAY, due_on=MAY)
    made_note = issued(draft, number=number, series="credit_note", invoice_id=number, event_id=number, at=AT, saw_position=0)
    assert isinstance(made_note, CreditNoteIssued)
    books.documents.append(made_note)
    for key, posting in postings(made_note).items():
        books.posted[books.client_id, key].append(posting)
    return made_note


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("amend"), st.sampled_from(("e1", "e2")), st.sampled_from((0, 20, 35, 60, 75, 120))),
        st.tuples(st.just("reprice"), st.sampled_from(("93.03", "150", "160"))),
        st.tuples(st.just("discount"), st.sampled_from(("e1", "e2")), st.sampled_from((-2_500, -333, 1_700))),
        st.tuples(st.just("reject"), st.sampled_from(("e1", "e2"))),
        st.tuples(st.just("run")),
        st.tuples(
            st.just("credit"), st.integers(0, 5), st.sampled_from((None, 1, 2)), st.sampled_from((REBILL, REBILL, WAIVE))
        ),
    ),
    max_size=14,
)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_credits_among_everything_else_end_where_the_items_stand(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    books = Given(usual(), approved("e1"), approved("e2", worked_minutes=35))
    books.run()
    revision = 1
    for what, *about in steps:
        revision += 1
        match what:
            case "amend":
                books.also(approved(about[0], revision=revision, worked_minutes=about[1]))
            case "reprice":
                books.also(said("ChargeTypeDefined", revision=revision, rates={"GBP": about[0]}))
            case "discount":
                books.adjusted(f"time/{about[0]}", about[1])
            case "reject":
                books.also(said("TimeEntryAmended", time_entry_id=about[0], revision=revision))
                books.also(said("TimeEntryRejected", time_entry_id=about[0], revision=revision))
            case "run":
                books.run()
            case _:
                _credited(books, *about)
    books.run()
    assert books.due() == [], "a further run issues nothing"
    for key, item in books.rated().items():
        wanted = effective(books.adjustments.get(key, ()), item) if item.lines else []
        worth = sum(line.amount_minor for line in item.lines) + sum(one.amount_minor for one in wanted)
        stood = standing(books.posted.get(("acme", key), ()))
        assert sum(one.amount_minor for one in stood.values()) == worth, key
        for one in stood.values():
            exact = Decimal(one.amount_minor) * one.percent / 100
            assert abs(one.tax_minor - exact) <= 1, "tax ends where it would have, to the cent (M7)"


def _credited(books: Given, which: int, line_no: int | None, mode: str) -> None:
    invoices = [one for one in books.documents if isinstance(one, InvoiceIssued)]
    document = invoices[which % len(invoices)]
    if line_no is not None and line_no > len(document.lines):
        return
    before = stood(books)
    made = credit(books, document, mode, line_no)
    if made is None:
        return
    assert made.total_minor < 0
    # Never more than the document billed: its positive lines.
    most = sum(line.net_minor + line.tax_minor for line in document.lines if line.net_minor > 0)
    assert -made.total_minor <= most
    after = stood(books)
    assert sum(after.values()) - sum(before.values()) == made.net_minor
    if mode == REBILL:
        assert all(after[part] >= 0 for part, amount in before.items() if amount > 0), "never more than what stands"
    if line_no is not None:
        again = credit(books, document, mode, line_no)
        assert again is None, "a line is credited once"


def stood(books: Given) -> dict[tuple[str, str, str], int]:
    """What stands of each item, currency and part."""
    return {
        (key, *part): one.amount_minor
        for (_, key), found in books.posted.items()
        for part, one in standing(found).items()
    }


def shown(made: CreditNoteIssued | None) -> list[tuple[Decimal, Decimal, int, str, int]]:
    """(quantity, price, net, the corrected document and line) of each line."""
    assert made is not None
    return [
        (one.line.quantity, one.line.unit_price, one.net_minor, one.corrects.number, one.corrects.line_no)
        for one in made.lines
        if one.corrects is not None
    ]


def test_line_is_credited_by_what_stands_where_an_earlier_line_was_taken_back_instead() -> None:
    """Differences name the first line of an item, so that a later line can be left with more than there is."""
    books = Given(usual(), approved("e1"))
    books.run()
    for revision, minutes in enumerate((120, 30), start=2):
        books.also(approved("e1", revision=revision, worked_minutes=minutes))
        books.run()
    second = books.documents[1]
    assert shown(credit(books, second, REBILL)) == [(Decimal("-0.5"), Decimal(150), -7_500, "INV-000002", 1)]
    assert credit(books, books.documents[0], REBILL) is None
    assert books.shown() == [("time/e1", "0.5", "150", 7_500)]


def repriced(books: Given, revision: int, rate: str) -> Document:
    (document,) = books.also(said("ChargeTypeDefined", revision=revision, rates={"GBP": rate})).run()
    return document


def test_document_that_replaced_a_price_is_undone_last_line_first() -> None:
    books = Given(usual(), approved("e1"))
    books.run()
    dearer = repriced(books, 2, "160")
    assert shown(credit(books, dearer, REBILL)) == [
        (Decimal(-1), Decimal(160), -16_000, "INV-000002", 2),
        (Decimal(1), Decimal(150), 15_000, "INV-000002", 1),
    ]
    assert books.shown() == [("time/e1", "-1", "150", -15_000), ("time/e1", "1", "160", 16_000)], "as before it was issued"
    assert credit(books, dearer, REBILL) is None
    first = books.documents[0]
    assert shown(credit(books, first, REBILL)) == [(Decimal(-1), Decimal(150), -15_000, "INV-000001", 1)]
    assert books.shown() == [("time/e1", "1", "160", 16_000)]


def test_document_that_replaced_a_price_is_not_undone_once_the_item_has_moved_on() -> None:
    books = Given(usual(), approved("e1"))
    books.run()
    dearer = repriced(books, 2, "160")
    books.also(approved("e1", revision=2, worked_minutes=30))
    books.run()
    assert shown(credit(books, dearer, REBILL)) == [(Decimal("-0.5"), Decimal(160), -8_000, "INV-000002", 2)]
    assert books.shown() == [("time/e1", "0.5", "160", 8_000)]


def test_credit_takes_nothing_from_other_invoices() -> None:
    """Two invoices of one item, each credited whole, leave neither debt nor credit."""
    books = Given(usual(), approved("e1"))
    books.run()
    books.also(approved("e1", revision=2, worked_minutes=120))
    books.run()
    for document in list(books.documents):
        assert credit(books, document, REBILL) is not None
    account = settle(
        [
            Issued(
                number=one.number, issued_on=one.issued_on, due_on=one.due_on, total_minor=one.total_minor,
                corrects=tuple(
                    (line.corrects.number, -line.net_minor - line.tax_minor) for line in one.lines if line.corrects is not None
                ) if isinstance(one, CreditNoteIssued) else (),
            )
            for one in books.documents
        ]
    )  # fmt: skip
    assert (account.outstanding_minor, account.unapplied_minor) == (0, 0)
    assert sum(one.line.amount_minor for one in books.due()) == 30_000


def waiving(amount: int, name: str = "w") -> Adjustment:
    return Adjustment(adjustment_id=name, currency="GBP", amount_minor=amount, reason="", event_id=name, waives=True)


def discount(amount: int) -> Adjustment:
    return Adjustment(adjustment_id="d", currency="GBP", amount_minor=amount, reason="", event_id="d")


@pytest.mark.parametrize(
    ("worth", "adjustments", "comes_to"),
    [
        (300, [waiving(-300)], [-300]),
        (200, [waiving(-300)], [-200]),
        (400, [waiving(-300)], [-300]),
        (0, [waiving(-300)], []),
        (300, [discount(-100), waiving(-300)], [-100, -200]),
        (300, [discount(-400), waiving(-300)], [-400]),
        (300, [waiving(-200, "a"), waiving(-200, "b")], [-200, -100]),
        (300, [discount(-400)], [-400]),
    ],
)
def test_what_is_given_up_never_takes_an_item_below_nothing(
    worth: int, adjustments: list[Adjustment], comes_to: list[int]
) -> None:
    line = RatedLine(
        part="", description="x", charge_type=None, kind="x", service_from=MAY, service_to=MAY, quantity=Decimal(1), unit="each",
        unit_price=Decimal(worth), currency="GBP", amount_minor=worth, gross=False, tax_code=None, account="200", rule="x",
        arithmetic="",
    )  # fmt: skip
    item = RatedItem(key="time/e1", due_on=MAY, lines=(line,))
    assert [one.amount_minor for one in effective(adjustments, item)] == comes_to
    assert effective(adjustments, RatedItem(key="time/e1", due_on=MAY, stays=True)) == adjustments
