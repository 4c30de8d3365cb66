"""Settling against the oracle, which adds every sum up anew at each look; and what settling a long history costs."""

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.receivables import Account, Issued, Received, Returned, WrittenOff
from domain.settling import carry_on, in_order, settle
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.receivables import Document, GivenUp, Payment, Return, Said, Standing, Terms, standing

JUNE = date(2026, 6, 1)
NUMBERS = [f"I{n:02}" for n in range(1, 13)]
numbers = st.sampled_from(NUMBERS)
amounts = st.integers(1, 12).map(lambda n: n * 25)
LONG_AGO = date(2020, 1, 1)
days = st.integers(0, 25).map(lambda n: JUNE + timedelta(days=n))
instants = st.builds(lambda day, hour: datetime(day.year, day.month, day.day, hour, tzinfo=UTC), days, st.integers(0, 23))


def invoice(number: str, on: date, terms: int, total: int) -> Document:
    return Document(number=number, currency="GBP", issued_on=on, due_on=on + timedelta(days=terms), total=total)


def credit_note(number: str, on: date, takes: list[tuple[str, int]]) -> Document:
    total = -sum(amount for _, amount in takes)
    return Document(number=number, currency="GBP", issued_on=on, due_on=on, total=total, takes_back=tuple(takes))


def payment(id_: str, at: datetime, amount: int, names: list[str]) -> Payment:
    return Payment(
        event_id=id_, said_at=at, client="own", payment=id_, currency="GBP", charged=amount, surcharge=0, at=at,
        names=tuple(names),
    )  # fmt: skip


def back(id_: str, of: str, at: datetime, amount: int) -> Return:
    return Return(
        event_id=id_, said_at=at, client="own", refund=id_, payment=of, currency=None, amount=amount, at=at,
    )  # fmt: skip


payments = [f"p{n:02}" for n in range(1, 13)]
histories = st.tuples(
    st.lists(
        st.builds(invoice, numbers, days, st.sampled_from([0, 5, 30]), st.one_of(st.just(0), amounts)),
        min_size=4, max_size=12, unique_by=lambda one: one.number,
    ),
    st.lists(
        st.builds(credit_note, st.sampled_from(["X", "Y", "Z"]), days,
                  st.lists(st.tuples(numbers, amounts), min_size=1, max_size=2, unique_by=lambda take: take[0])),
        unique_by=lambda one: one.number,
    ),
    st.lists(
        st.builds(payment, st.sampled_from(payments), instants, amounts.map(lambda n: 2 * n), st.lists(numbers, max_size=2)),
        min_size=4, max_size=12, unique_by=lambda one: one.payment,
    ),
    st.lists(
        st.builds(back, st.sampled_from([f"r{n}" for n in range(6)]), st.sampled_from(payments[:8]), instants, amounts),
        min_size=2, unique_by=lambda one: (one.refund, one.payment),
    ),
    st.lists(
        st.builds(lambda n, a, d: GivenUp(number=n, currency="GBP", amount=a, on=d), numbers, amounts, days),
        max_size=3, unique_by=lambda one: one.number,
    ),
)  # fmt: skip


def issued(one: Document, credit_from: date) -> Issued:
    return Issued(
        number=one.number, issued_on=one.issued_on, due_on=one.due_on, total_minor=one.total, corrects=one.takes_back,
        takes_credit=one.issued_on >= credit_from,
    )  # fmt: skip


def happened(said: list[Said], credit_from: date) -> tuple[list[Issued], list[Received], list[Returned], list[WrittenOff]]:
    """The same in the product's words, of a client whose clock is that of London in winter."""
    paid = {one.payment for one in said if isinstance(one, Payment)}
    return (
        [issued(one, credit_from) for one in said if isinstance(one, Document)],
        [
            Received(payment_id=one.payment, amount_minor=one.charged, received_at=one.at, received_on=one.at.date(),
                     invoice_numbers=one.names)
            for one in said if isinstance(one, Payment)
        ],
        [
            Returned(refund_id=one.refund, payment_id=one.payment, amount_minor=one.amount, returned_at=one.at,
                     returned_on=one.at.date())
            for one in said if isinstance(one, Return) and one.payment in paid
        ],
        [
            WrittenOff(number=one.number, amount_minor=one.amount, written_off_on=one.on)
            for one in said if isinstance(one, GivenUp)
        ],
    )  # fmt: skip


def seen(account: Account) -> Any:
    return (
        {number: item.outstanding_minor for number, item in account.items.items()},
        {key: source.unapplied_minor for key, source in account.sources.items()},
        [(one.source, one.number, one.amount_minor, one.allocated_on) for one in account.allocations],
    )


def expected(one: Standing) -> Any:
    return (
        {number: one.owed(number) for number in one.invoices},
        {source: one.left(source) for source in one.came},
        [(source, number, amount, day) for (_, source), number, amount, day in one.paid],
    )


def test_settling_is_what_the_oracle_says_at_once_and_in_two_goes() -> None:
    counts: Counter[str] = Counter()

    @settings(max_examples=budget("receivables", "settled"), deadline=None)
    @given(histories, st.one_of(st.just(LONG_AGO), days, st.just(date.max)), st.integers(0, 45))
    def check(history: tuple[list[Said], ...], credit_from: date, cut: int) -> None:
        terms = [
            Terms(revision=1, since=LONG_AGO, zone="UTC", use_credit=credit_from == LONG_AGO),
            Terms(revision=2, since=credit_from, zone="UTC", use_credit=True),
        ]
        said = [*terms, *(one for part in history for one in part)]
        account = settle(*happened(said, credit_from))
        oracle = standing("own", said).accounts.get("GBP", Standing())
        assert seen(account) == expected(oracle)
        assert account == in_two_goes(said, credit_from, cut)
        counts["histories"] += 1
        counts["allocations"] += sum(one.amount_minor > 0 for one in account.allocations)
        counts["taken back"] += sum(one.amount_minor < 0 for one in account.allocations)
        counts["paid when issued"] += sum(
            one.allocated_on == account.items[one.number].document.issued_on != account.sources["payment", one.source].day
            for one in account.allocations if ("payment", one.source) in account.sources
        )  # fmt: skip

    check()
    # A history in which nothing pays anything says little.
    assert min(counts[what] for what in ("allocations", "taken back", "paid when issued")) > counts["histories"] / 20, counts
    saw(f"settling: {dict(counts)} as the oracle has them")


def in_two_goes(said: list[Said], credit_from: date, cut: int) -> Account:
    account = Account()
    every = in_order(*happened(said, credit_from))
    carry_on(account, every[:cut])
    carry_on(account, every[cut:])
    return account


LONG = 20_000
START = datetime(2000, 1, 1, tzinfo=UTC)


def at(n: int) -> datetime:
    return START + timedelta(hours=n)


def plain(number: str, n: int) -> Issued:
    return Issued(number=number, issued_on=at(n).date(), due_on=at(n).date(), total_minor=100)


def paid(n: int, amount: int, *names: str) -> Received:
    return Received(
        payment_id=f"p{n:06}", amount_minor=amount, received_at=at(n), received_on=at(n).date(), invoice_numbers=names
    )


@pytest.mark.parametrize(
    "case", ["as named", "all open", "all credit", "credit that is not used", "one pays all", "back and forth"]
)
def test_long_history_is_settled_in_seconds(case: str) -> None:
    """Where each step looks at all that was before it, this takes minutes."""
    last = LONG * 2
    invoices = [plain(f"I{n:06}", n) for n in range(LONG)]
    payments: list[Received] = []
    returns: list[Returned] = []
    left, open_, credit = 0, 0, case == "all credit"
    match case:
        case "as named":
            payments = [paid(n, 100, f"I{n:06}") for n in range(LONG)]
        case "all open":
            payments = [paid(last + n, 50) for n in range(LONG)]
            open_ = LONG * 50
        case "all credit":
            payments = [before_all(n, 150) for n in range(LONG)]
            left = LONG * 50
        case "credit that is not used":
            payments = [before_all(n, 100) for n in range(LONG)]
            left, open_ = LONG * 100, LONG * 100
        case "one pays all":
            payments = [paid(last, LONG * 100)]
        case "back and forth":
            payments = [paid(last + n, 100) for n in range(LONG)]
            returns = [
                Returned(refund_id=f"r{n:06}", payment_id=f"p{last + n:06}", amount_minor=100, returned_at=at(last + n),
                         returned_on=at(last + n).date())
                for n in range(LONG)
            ]  # fmt: skip
            open_ = LONG * 100
    start = time.perf_counter()
    invoices = [replace(one, takes_credit=credit) for one in invoices]
    account = settle(invoices, payments, returns)
    took = time.perf_counter() - start
    assert (account.outstanding_minor, account.unapplied_minor) == (open_, left)
    assert took < 10, f"{took:.1f} s"
    saw(f"settling {LONG} invoices, {case}: {took:.2f} s")


def before_all(n: int, amount: int) -> Received:
    """Money that came before every invoice."""
    return Received(payment_id=f"p{n:06}", amount_minor=amount, received_at=at(n - LONG), received_on=at(n - LONG).date())
