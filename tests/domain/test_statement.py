"""A statement is the account told by days: its rows sum to the balance, whatever happened and wherever it starts."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.receivables import Issued, Received, Returned, WrittenOff
from domain.settling import settle
from domain.statement import Statement, statement_of
from tests.domain.test_receivables import back, credit_note, day, invoice, paid

LATER = day(60)


def of(*happened: object, since: date | None = None, as_of: date = LATER, takes_credit: bool = False) -> Statement:
    """The statement of an account of some documents, payments, returns and write-offs."""
    account = settle(
        [replace(one, takes_credit=takes_credit) for one in happened if isinstance(one, Issued)],
        [one for one in happened if isinstance(one, Received)],
        [one for one in happened if isinstance(one, Returned)],
        [one for one in happened if isinstance(one, WrittenOff)],
        as_of=as_of,
    )
    return statement_of(account, "GBP", since, as_of)


def rows(found: Statement) -> list[tuple[date, str, str, int, int]]:
    return [(one.on, one.kind, one.reference, one.amount_minor, one.balance_minor) for one in found.entries]


def test_everything_stands_on_it_by_day_with_the_balance_after_it() -> None:
    given_up = WrittenOff(number="B", amount_minor=40, written_off_on=day(9))
    found = of(
        invoice("A", 100, 1, 5), invoice("B", 50, 2, 40), paid("p1", 120, 4, "A"), back("r1", "p1", 30, 8), given_up,
        credit_note("CN", 10, 6, "B"), since=day(1), as_of=day(12),
    )  # fmt: skip
    assert rows(found) == [
        (day(1), "invoice", "A", 100, 100),
        (day(2), "invoice", "B", 50, 150),
        (day(4), "payment", "p1", -120, 30),
        (day(6), "credit_note", "CN", -10, 20),
        (day(8), "return", "r1", 30, 50),
        # 20 of the payment and 10 of the credit note paid B; the refund took the payment's part back: 40 were open.
        (day(9), "write_off", "B", -40, 10),
    ]
    assert (found.brought_forward_minor, found.balance_minor, found.outstanding_minor, found.unapplied_minor) == (0, 10, 10, 0)
    assert [(one.number, one.outstanding_minor, one.days_overdue) for one in found.unpaid] == [("A", 10, 7)]
    assert found.overdue_minor == 10


def test_what_was_before_is_brought_forward() -> None:
    found = of(invoice("A", 100, 1), paid("p1", 30, 3), invoice("B", 50, 5), since=day(4))
    assert found.brought_forward_minor == 70
    assert rows(found) == [(day(5), "invoice", "B", 50, 120)]


def test_what_comes_later_is_not_on_it() -> None:
    found = of(invoice("A", 100, 1), paid("p1", 30, 13), since=day(1), as_of=day(12))
    assert rows(found) == [(day(1), "invoice", "A", 100, 100)]


def test_more_returned_or_given_up_than_there_was_counts_as_far_as_there_was() -> None:
    found = of(
        invoice("A", 100), paid("p1", 60, 3), back("r1", "p1", 90, 4), back("r2", "p1", 5, 6),
        WrittenOff(number="A", amount_minor=500, written_off_on=day(5)), since=day(1),
    )  # fmt: skip
    assert [(kind, amount) for _, kind, _, amount, _ in rows(found)] == [
        ("invoice", 100), ("payment", -60), ("return", 60), ("write_off", -100),
    ]  # fmt: skip
    assert found.balance_minor == 0


@pytest.mark.parametrize(
    ("happened", "starts"),
    [
        ([], date(2026, 5, 1)),
        ([invoice("A", 100, 2)], date(2026, 5, 1)),
        ([invoice("A", 100, -40)], date(2026, 3, 21)),
        ([invoice("A", 100, -40), paid("p", 100, 3)], date(2026, 5, 1)),
    ],
)
def test_without_a_day_it_starts_last_month_or_where_the_oldest_open_invoice_was_issued(
    happened: list[object], starts: date
) -> None:
    assert of(*happened, as_of=date(2026, 6, 20)).since == starts


HAPPENED = st.lists(
    st.one_of(
        st.builds(lambda n, total, on: invoice(f"I{n}", total, on), st.integers(1, 4), st.integers(1, 500), st.integers(1, 40)),
        st.builds(
            lambda n, total, on, of: credit_note(f"C{n}", total, on, f"I{of}"),
            st.integers(1, 3), st.integers(1, 300), st.integers(1, 40), st.integers(1, 4),
        ),
        st.builds(lambda n, total, on: paid(f"p{n}", total, on), st.integers(1, 4), st.integers(1, 700), st.integers(1, 40)),
        st.builds(
            lambda n, of, total, on: back(f"r{n}", f"p{of}", total, on),
            st.integers(1, 4), st.integers(1, 4), st.integers(1, 700), st.integers(1, 40),
        ),
        st.builds(
            lambda n, total, on: WrittenOff(number=f"I{n}", amount_minor=total, written_off_on=day(on)),
            st.integers(1, 4), st.integers(1, 500), st.integers(1, 40),
        ),
    ),
    max_size=14,
    unique_by=lambda one: (type(one).__name__, getattr(one, "refund_id", getattr(one, "payment_id", getattr(one, "number", "")))),
)  # fmt: skip


@given(HAPPENED, st.integers(0, 45), st.integers(0, 45), st.booleans())
@settings(max_examples=300, deadline=None)
def test_brought_forward_and_rows_are_the_balance_of_the_account(
    happened: list[object], start: int, end: int, takes_credit: bool
) -> None:
    since, as_of = day(min(start, end)), day(max(start, end))
    found = of(*happened, since=since, as_of=as_of, takes_credit=takes_credit)
    assert found.balance_minor == found.outstanding_minor - found.unapplied_minor
    assert found.brought_forward_minor + sum(one.amount_minor for one in found.entries) == found.balance_minor
    assert [one.on for one in found.entries] == sorted(one.on for one in found.entries)
    assert all(since <= one.on <= as_of for one in found.entries)
    assert sum(found.ages.values()) == sum(one.outstanding_minor for one in found.unpaid) == found.outstanding_minor
    assert sum(one.outstanding_minor for one in found.unpaid if one.days_overdue) == found.overdue_minor
    before = of(*happened, since=date.min, as_of=day(min(start, end) - 1), takes_credit=takes_credit)
    assert found.brought_forward_minor == before.balance_minor
