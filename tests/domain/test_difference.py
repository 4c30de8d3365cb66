"""The core idea: due = rated + adjusted - posted, item by item (product K1, T8, M5, M7)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from given import MAY, Given, billed, usual
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.difference import Adjustment, DueLine, LineReference, PostedLine, Posting, due_lines, standing
from domain.money import tax_minor, tax_within
from domain.rated import Member, RatedItem, RatedLine
from tests.saying import approved, line, said

E1 = "time/e1"
DAY = date(2026, 5, 20)


def test_new_item_is_one_line() -> None:
    assert Given(usual(), approved()).shown() == [(E1, "1", "150", 15000)]


def test_same_price_is_one_line_of_the_difference_with_its_explanation() -> None:
    grid = said("ChargeTypeDefined", revision=2, minimum_minutes=60, increment_minutes=15)
    books = Given(usual(), grid, approved(worked_minutes=50))
    assert billed(books.run()) == [(E1, "1", "150", 15000, 3000)]
    books.also(said("TimeEntryAmended", worked_minutes=75))
    assert books.due() == []
    assert books.waiting == {"e1": "amended_after_invoicing"}
    books.also(said("TimeEntryApproved", revision=2))
    (one,) = books.due()
    assert (one.line.quantity, one.line.amount_minor, one.line.unit_price) == (Decimal("0.25"), 3750, 150)
    assert one.corrects == LineReference(number="INV-000001", line_no=1)
    assert "correction of INV-000001 line 1" in one.line.description
    assert "75 min worked -> 75 min" in one.line.arithmetic
    assert "less 150.00 of INV-000001 line 1" in one.line.arithmetic
    assert len(one.sources) == 4, "logged, approved, amended, approved"
    assert one.line.service_from == one.line.service_to == DAY, "on the original service day"
    books.run()
    assert books.due() == []


def test_other_price_is_the_old_line_mirrored_and_the_new_one() -> None:
    books = Given(usual(), approved())
    books.run()
    books.also(said("ChargeTypeDefined", revision=2, rates={"GBP": "160"}))
    assert books.shown() == [(E1, "-1", "150", -15000), (E1, "1", "160", 16000)]
    (document,) = books.run()
    assert (document.net_minor, document.tax_minor) == (1000, 200)
    assert books.due() == []
    books.also(said("ChargeTypeDefined", revision=3, rates={"GBP": "150"}))
    assert books.shown() == [(E1, "-1", "160", -16000), (E1, "1", "150", 15000)]
    books.run()
    assert books.due() == []


def test_replacement_that_is_called_and_dated_otherwise_still_comes_after_its_mirror() -> None:
    """An entry that moves to a charge type and day that sort before the old ones: lines of one item stay in order."""
    books = Given(usual(), said("ChargeTypeDefined", code="ADVICE", name="Advice", rates={"GBP": "120"}), approved())
    books.run()
    books.also(approved(revision=2, charge_type="ADVICE", worked_on="2026-05-02"), approved("other"))
    (document,) = books.run()
    assert [one.net_minor for one in document.lines if one.item_key == E1] == [-15000, 12000]
    assert [one.tax_minor for one in document.lines if one.item_key == E1] == [-3000, 2400]
    assert books.due() == []
    books.also(approved(revision=3, charge_type="ADVICE", worked_on="2026-05-02", worked_minutes=90))
    assert books.shown() == [(E1, "0.5", "120", 6000)]


def test_withdrawn_item_is_credited_and_comes_back_as_a_difference() -> None:
    books = Given(usual(), approved())
    books.run()
    books.also(said("TimeEntryWithdrawn", revision=2))
    (credit,) = books.run()
    assert (credit.TOPIC, credit.total_minor, credit.number) == ("credit_note.issued.v1", -18000, "CN-000001")
    assert books.due() == []
    books.also(approved(revision=3))
    (one,) = books.due()
    assert (one.line.amount_minor, one.corrects) == (15000, LineReference(number="INV-000001", line_no=1))


def test_adjustment_is_a_line_of_its_own_and_goes_with_its_item() -> None:
    books = Given(usual(), approved()).adjusted(E1, -2500)
    assert books.shown() == [(E1, "1", "150", 15000), (E1, "-1", "25", -2500)]
    books.run()
    assert books.due() == []
    books.adjusted(E1, 100)
    assert books.shown() == [(E1, "1", "1", 100)]
    books.run()
    books.also(said("TimeEntryWithdrawn", revision=2))
    assert sum(one.line.amount_minor for one in books.due()) == -12600
    books.run()
    assert books.due() == []


def test_adjustment_keeps_the_percent_its_item_was_taxed_at() -> None:
    books = Given(usual(), approved())
    books.run()
    books.also(said("TaxCodeDefined", revision=2, rate="5")).adjusted(E1, -1000)
    assert billed(books.run()) == [(E1, "-1", "10", -1000, -200)]


def test_change_of_currency_mirrors_in_the_old_and_bills_in_the_new() -> None:
    books = Given(usual(), approved()).adjusted(E1, -2500)
    books.run()
    books.also(said("ChargeTypeDefined", revision=2, rates={"GBP": "150", "EUR": "170"}), said("ContractDefined", currency="EUR"))
    first, second = books.run()
    assert (first.currency, first.net_minor, second.currency, second.net_minor) == ("EUR", 17000, "GBP", -12500)
    assert first.lines[0].corrects == LineReference(number="INV-000001", line_no=1)
    assert books.due() == []


def test_changed_tax_code_or_account_alone_is_no_difference() -> None:
    books = Given(usual(), said("TaxCodeDefined", code="LOW", rate="5"), approved())
    books.run()
    books.also(said("ChargeTypeDefined", revision=2, tax_code="LOW", account="999", name="Renamed"))
    assert books.due() == []


def test_nothing_is_posted_once() -> None:
    books = Given(usual(), approved(billable_minutes=0))
    assert billed(books.run()) == [(E1, "0", "150", 0, 0)]
    assert books.due() == []
    assert books.documents[0].total_minor == 0
    books.also(said("TimeEntryWithdrawn", revision=2))
    assert books.due() == []


def test_waiting_item_takes_no_adjustment_meanwhile() -> None:
    books = Given(usual(), approved())
    books.run()
    books.also(said("TimeEntryAmended")).adjusted(E1, -1000)
    assert books.due() == []


def test_price_that_comes_to_hold_the_tax_is_another_price() -> None:
    books = Given(usual(), said("ContractDefined", lines=[line("RecurringLine", unit_price="120")]))
    as_of = date(2026, 1, 31)
    assert [d.total_minor for d in books.run(as_of)] == [14400]
    books.also(said("ContractDefined", revision=2, prices_include_tax=True, lines=[line("RecurringLine", unit_price="120")]))
    (document,) = books.run(as_of)
    assert [(one.net_minor, one.tax_minor) for one in document.lines] == [(-12000, -2400), (10000, 2000)]
    assert books.due(as_of) == []
    assert sum(d.total_minor for d in books.documents) == 12000


# ---- laws ----

PRICES = [Decimal("93.03"), Decimal(150), Decimal("0.33333333")]
PERCENTS = [Decimal(20), Decimal("17.5"), Decimal(0)]


def rated_line(minutes: int, price: Decimal, currency: str, gross: bool) -> RatedLine:
    return RatedLine(
        part="", description="", charge_type=None, kind="", service_from=DAY, service_to=DAY,
        quantity=Decimal(minutes) / 4, unit="hour", unit_price=price, currency=currency,
        amount_minor=round(minutes * price * 25), gross=gross, tax_code=None, account="", rule="", arithmetic="",
    )  # fmt: skip


worth = st.one_of(
    st.none(),
    st.builds(
        rated_line, st.integers(-3, 9), st.sampled_from(PRICES), st.sampled_from(["GBP", "GBP", "EUR"]), st.booleans()
    ),
)
member = Member(time_entry_id="e1", minutes=1, fixed=False, worked_on=DAY, started_at=None)


def item(lines: tuple[RatedLine, ...]) -> RatedItem:
    return RatedItem(key=E1, due_on=DAY, lines=lines, members=(member,))


def posting(due: tuple[DueLine, ...], number: int, percent: Decimal) -> Posting:
    """The due lines as a document would post them, tax as `domain.invoice` works it out."""
    before: dict[tuple[str, str], int] = {}
    lines = []
    for line_no, one in enumerate(due, 1):
        part = (one.line.currency, one.line.part)
        own = one.like.percent if one.like else percent
        had = before.get(part, one.keeps.tax_minor if one.keeps else 0)
        tax = (tax_within if one.line.gross else tax_minor)(one.ends_amount_minor, own) - had
        before[part] = had + tax
        lines.append(
            PostedLine(
                reference=LineReference(number=f"INV-{number}", line_no=line_no), line=one.line,
                net_minor=one.line.amount_minor - (tax if one.line.gross else 0), tax_minor=tax, tax_code="STD", percent=own,
            )
        )  # fmt: skip
    return Posting(due_on=DAY, lines=tuple(lines), sources=(), members=due[-1].members)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(worth, st.integers(-500, 500), st.booleans()), min_size=1, max_size=7))
def test_after_any_postings_what_stands_is_what_it_is_worth_and_nothing_more_is_due(
    story: list[tuple[RatedLine | None, int, bool]],
) -> None:
    """Each step: the item's worth changes, perhaps somebody adjusts it, perhaps a run bills it."""
    postings: list[Posting] = []
    adjustments: list[Adjustment] = []
    now: RatedItem | None = None
    for number, (line_now, adjusted, runs) in enumerate(story):
        now = item((line_now,)) if line_now is not None else None
        if adjusted:
            name = f"a{number}"
            adjustments.append(
                Adjustment(adjustment_id=name, currency="GBP", amount_minor=adjusted, reason="", event_id=name)
            )
        due = due_lines(E1, now, adjustments, postings, due_on=DAY)
        if due and (runs or number == len(story) - 1):
            postings.append(posting(due, number, Decimal(20)))
    assert due_lines(E1, now, adjustments, postings, due_on=DAY) == ()
    stands = {key: one for key, one in standing(postings).items() if one.quantity or one.amount_minor}
    fresh = standing([posting(due, 99, Decimal(20))]) if (due := due_lines(E1, now, adjustments, [], due_on=DAY)) else {}
    fresh = {key: one for key, one in fresh.items() if one.quantity or one.amount_minor}
    assert stands.keys() == fresh.keys()
    for key, one in stands.items():
        scratch = fresh[key]
        assert (one.quantity, one.amount_minor, one.line.unit_price) == (
            scratch.quantity, scratch.amount_minor, scratch.line.unit_price,
        )  # fmt: skip
        assert (one.net_minor, one.tax_minor) == (scratch.net_minor, scratch.tax_minor), "tax ends where it would from scratch"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_total_billed_never_depends_on_when_runs_were_made(data: st.DataObject) -> None:
    """The whole domain: facts in any order with runs anywhere between end in what one run at the end would bill."""
    facts: list[Any] = [
        said("ChargeTypeDefined", revision=2, rates={"GBP": "93.03"}, rounding_scope="ticket", increment_minutes=15),
        said("ChargeTypeDefined", code="ONSITE", name="At site", rates={"GBP": "120"}, minimum_minutes=30),
        said("ContractDefined", lines=[line("RecurringLine"), line("RateLine", charge_type="ONSITE")]),
        said("ContractDefined", revision=2, effective_from="2026-03-11", lines=[line("RecurringLine", unit_price="81")]),
        *approved("a", ticket_id="T1", worked_minutes=50),
        *approved("b", ticket_id="T1", worked_minutes=20),
        *approved("a", ticket_id="T2", worked_minutes=35, revision=2),
        *approved("c", charge_type="ONSITE", worked_minutes=20),
        said("TimeEntryWithdrawn", time_entry_id="c", revision=2),
        *approved("c", charge_type="REMOTE", worked_minutes=45, revision=3),
        said("TimeEntryRejected", time_entry_id="b", at=datetime(2026, 6, 1, tzinfo=UTC)),
        *approved("d", worked_minutes=0),
    ]
    books = Given(usual())
    for fact in data.draw(st.permutations(facts)):
        books.also(fact)
        if data.draw(st.integers(0, 3)) == 0:
            books.run()
    books.run()
    once = Given(usual(), *facts)
    once.run()
    assert books.due() == []
    assert _worth(books) == _worth(once)


def _worth(books: Given) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for document in books.documents:
        for one in document.lines:
            net, tax = found.get(one.item_key, (0, 0))
            found[one.item_key] = (net + one.net_minor, tax + one.tax_minor)
    return {key: value for key, value in found.items() if value != (0, 0)}


def test_tax_of_corrections_ends_where_it_would_have_from_scratch() -> None:
    """Three steps of 0.03 at 20 % would be 0.01 each; together 0.09 are taxed 0.02, so the second step brings none."""
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rates={"GBP": "1.80"}))
    taxes = []
    for revision in (1, 2, 3):
        books.also(approved(revision=revision, worked_minutes=revision))
        (document,) = books.run(MAY)
        taxes.append((document.net_minor, document.tax_minor))
    assert taxes == [(3, 1), (3, 0), (3, 1)]
    assert sum(tax for _, tax in taxes) == tax_minor(9, Decimal(20)) == 2
