"""What a contract's fixed fees are worth, period by period (product S1, D3-D5, M5)."""

from datetime import date, timedelta
from typing import Any

import pytest
from given import JUNE, MAY, Given, billed, plain, usual
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.saying import line, said

JANUARY = date(2026, 1, 31)


def contract(*lines: dict[str, Any], **given: Any) -> Given:
    return Given(usual(), said("ContractDefined", lines=list(lines) or [line("RecurringLine")], **given))


def item(period: str, name: str = "L1") -> str:
    return f"line/C1/{name}/{period}"


def lines_of(books: Given, as_of: date) -> list[tuple[str, str, str, int]]:
    """(period start, quantity, unit price, amount) of each line of each item."""
    return [
        (key[-10:], plain(one.quantity), plain(one.unit_price), one.amount_minor)
        for key, found in sorted(books.rated(as_of).items())
        for one in found.lines
    ]


# ---- D3: when a period is due ----


@pytest.mark.parametrize(
    ("timing", "as_of", "periods"),
    [
        ("advance", date(2025, 12, 31), []),
        ("advance", date(2026, 1, 1), ["2026-01-01"]),
        ("advance", date(2026, 1, 31), ["2026-01-01"]),
        ("advance", date(2026, 2, 1), ["2026-01-01", "2026-02-01"]),
        ("arrears", date(2026, 1, 30), []),
        ("arrears", date(2026, 1, 31), ["2026-01-01"]),
        ("arrears", date(2026, 2, 27), ["2026-01-01"]),
        ("arrears", date(2026, 2, 28), ["2026-01-01", "2026-02-01"]),
    ],
)
def test_period_is_due_in_advance_on_its_first_day_in_arrears_on_its_last(timing: str, as_of: date, periods: list[str]) -> None:
    assert sorted(contract(line("RecurringLine", timing=timing)).rated(as_of)) == [item(start) for start in periods]


def test_change_of_timing_counts_for_periods_that_begin_after_it() -> None:
    books = contract(line("RecurringLine"), frequency="quarterly")
    change = said("ContractDefined", revision=2, effective_from="2026-06-01", frequency="quarterly",
                  lines=[line("RecurringLine", timing="advance")])  # fmt: skip
    books.also(change)
    assert sorted(books.rated(date(2026, 6, 29))) == [item("2026-01-01")], "the quarter at hand stays in arrears"
    assert sorted(books.rated(JUNE)) == [item("2026-01-01"), item("2026-04-01")]
    assert sorted(books.rated(date(2026, 7, 1))) == [item("2026-01-01"), item("2026-04-01"), item("2026-07-01")]


@pytest.mark.parametrize(
    ("frequency", "given", "periods"),
    [
        ("monthly", {}, ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01"]),
        ("monthly", {"anchor_day": 31}, ["2026-01-01", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("quarterly", {}, ["2026-01-01", "2026-04-01"]),
        ("quarterly", {"anchor_month": 3}, ["2026-01-01", "2026-03-01"]),
        ("annual", {"anchor_month": 5, "anchor_day": 15}, ["2026-01-01", "2026-05-15"]),
    ],
)
def test_periods_follow_the_anchor(frequency: str, given: dict[str, Any], periods: list[str]) -> None:
    books = contract(line("RecurringLine", timing="advance"), frequency=frequency, **given)
    assert sorted(books.rated(MAY)) == [item(start) for start in periods]


def test_lines_own_frequency_wins_over_the_contracts() -> None:
    books = contract(line("RecurringLine", timing="advance", frequency="quarterly"), line("RecurringLine", line_id="L2"))
    assert sorted(books.rated(date(2026, 2, 28))) == [item("2026-01-01"), item("2026-01-01", "L2"), item("2026-02-01", "L2")]


# ---- S1: proration ----


def test_fifty_on_half_a_january_is_27_42() -> None:
    assert lines_of(contract(starts_on="2026-01-15"), JANUARY) == [("2026-01-15", "0.5483871", "50", 2742)]


@pytest.mark.parametrize(
    ("given", "line_given", "lines"),
    [
        ({"ends_on": "2026-01-10"}, {}, [("2026-01-01", "0.32258065", "50", 1613)]),
        ({}, {"ends_on": "2026-01-10"}, [("2026-01-01", "0.32258065", "50", 1613)]),
        ({}, {"starts_on": "2026-01-22"}, [("2026-01-01", "0.32258065", "50", 1613)]),
        ({}, {"starts_on": "2026-02-01"}, []),
        ({"ends_on": "2026-01-31"}, {}, [("2026-01-01", "1", "50", 5000)]),
        ({"ends_on": "2026-01-10"}, {"prorate": False}, [("2026-01-01", "1", "50", 5000)]),
        ({"starts_on": "2026-01-15"}, {"prorate": False}, [("2026-01-15", "1", "50", 5000)]),
        ({}, {"quantity": "2.5", "unit_price": "0.33333333"}, [("2026-01-01", "2.5", "0.33333333", 83)]),
        ({}, {"unit_price": "-50"}, [("2026-01-01", "-1", "50", -5000)]),
        ({}, {"quantity": "-1"}, [("2026-01-01", "-1", "50", -5000)]),
        ({"starts_on": "2026-01-15"}, {"unit_price": "-50"}, [("2026-01-15", "-0.5483871", "50", -2742)]),
        ({}, {"unit_price": "0"}, [("2026-01-01", "1", "0", 0)]),
    ],
)
def test_days_served_make_the_amount(given: dict[str, Any], line_given: dict[str, Any], lines: list[Any]) -> None:
    assert lines_of(contract(line("RecurringLine", **line_given), **given), JANUARY) == lines


def test_part_period_is_measured_by_the_full_one_that_ends_there() -> None:
    books = contract(line("RecurringLine", unit_price="90"), frequency="quarterly", anchor_month=1, starts_on="2026-03-02")
    assert lines_of(books, date(2026, 3, 31)) == [("2026-03-02", "0.33333333", "90", 3000)], "30 of the 90 days from 1 January"


def change(day: str, *lines: dict[str, Any], **given: Any) -> tuple[str, str, dict[str, Any]]:
    return said("ContractDefined", revision=given.pop("revision", 2), effective_from=day, lines=list(lines), **given)


def test_price_change_in_mid_period_prorates_if_the_line_does() -> None:
    books = contract().also(change("2026-01-11", line("RecurringLine", unit_price="81")))
    (one,) = books.rated(JANUARY)[item("2026-01-01")].lines
    assert one.amount_minor == round((10 * 50 + 21 * 81) / 31 * 100)
    assert (plain(one.quantity), one.unit_price * 100) == ("1", one.amount_minor), "two prices have no common unit price"
    assert "10/31 days x 1 x 50 + 21/31 days x 1 x 81" in one.arithmetic


def test_quantity_change_in_mid_period_keeps_the_unit_price() -> None:
    books = contract().also(change("2026-01-11", line("RecurringLine", quantity="2")))
    assert lines_of(books, JANUARY) == [("2026-01-01", "1.67741935", "50", 8387)]


def test_price_change_in_mid_period_waits_for_the_next_if_the_line_does_not_prorate() -> None:
    whole = line("RecurringLine", prorate=False)
    books = contract(whole).also(change("2026-01-11", {**whole, "unit_price": "81"}))
    assert lines_of(books, date(2026, 2, 28)) == [("2026-01-01", "1", "50", 5000), ("2026-02-01", "1", "81", 8100)]


def test_currency_change_in_mid_period_makes_a_line_in_each() -> None:
    books = contract(line("RecurringLine", unit_price="31")).also(
        change("2026-01-11", line("RecurringLine", unit_price="62"), currency="EUR")
    )
    lines = books.rated(JANUARY)[item("2026-01-01")].lines
    assert [(one.currency, one.amount_minor) for one in lines] == [("GBP", 1000), ("EUR", 4200)]
    documents = books.run(JANUARY)
    assert [(d.currency, d.net_minor) for d in documents] == [("EUR", 4200), ("GBP", 1000)]
    assert books.due(JANUARY) == []


def test_line_that_was_dropped_and_one_that_came_are_served_their_days() -> None:
    books = contract().also(change("2026-01-11", line("RecurringLine", line_id="L2", unit_price="31")))
    assert {key: one.lines[0].amount_minor for key, one in books.rated(JANUARY).items()} == {
        item("2026-01-01"): 1613,
        item("2026-01-01", "L2"): 2100,
    }


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9999)), max_size=3),
    st.integers(0, 30),
    st.one_of(st.none(), st.integers(0, 30)),
)
def test_any_period_is_the_sum_of_its_days(changes: list[tuple[int, int]], first: int, last: int | None) -> None:
    """A slow second opinion: one day after the other, as an exact fraction, rounded once."""
    from fractions import Fraction

    start = date(2026, 1, 1)
    ends_on = None if last is None else start + timedelta(days=last)
    books = contract(line("RecurringLine", starts_on=start + timedelta(days=first)), ends_on=ends_on)
    prices = [(start, Fraction(50))]
    for number, (offset, cents) in enumerate(changes, 2):
        price = Fraction(cents, 100)
        prices.append((start + timedelta(days=offset), price))
        own = line("RecurringLine", unit_price=f"{cents / 100:.2f}", starts_on=start + timedelta(days=first))
        books.also(change(str(prices[-1][0]), own, revision=number, ends_on=ends_on))
    days = [start + timedelta(days=n) for n in range(first, 31 if ends_on is None else (last or 0) + 1)]
    total = sum((max((d, n, p) for n, (d, p) in enumerate(prices) if d <= day)[2] for day in days), Fraction()) / 31 * 100
    expected = int(total + Fraction(1, 2))
    rated = books.rated(JANUARY)
    assert sum(one.amount_minor for found in rated.values() for one in found.lines) == expected


# ---- D5: which state, closing, refusals ----


def test_later_said_state_for_an_earlier_day_keeps_to_its_days() -> None:
    books = contract().also(change("2026-03-01", line("RecurringLine", unit_price="70")))
    books.also(change("2026-02-01", line("RecurringLine", unit_price="60"), revision=3))
    assert [amount for *_, amount in lines_of(books, date(2026, 3, 31))] == [5000, 6000, 7000]


def test_change_of_frequency_counts_from_the_first_old_boundary_after_it() -> None:
    books = contract().also(change("2026-02-10", line("RecurringLine", unit_price="150"), frequency="quarterly"))
    starts = [start for start, *_ in lines_of(books, MAY)]
    assert starts == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert books.rated(MAY)[item("2026-03-01")].due_on == MAY


def test_monthly_line_that_turned_quarterly_from_ever_is_an_ordinary_difference() -> None:
    books = contract()
    books.run(date(2026, 3, 31))
    books.also(change("2026-01-01", line("RecurringLine", unit_price="140"), frequency="quarterly"))
    assert books.shown(date(2026, 3, 31)) == [
        (item("2026-01-01"), "-1", "50", -5000),
        (item("2026-01-01"), "1", "140", 14000),
        (item("2026-02-01"), "-1", "50", -5000),
        (item("2026-03-01"), "-1", "50", -5000),
    ]
    books.run(date(2026, 3, 31))
    assert books.due(date(2026, 3, 31)) == []


def test_state_that_moves_the_start_waits_and_changes_nothing() -> None:
    books = contract().also(change("2026-02-01", line("RecurringLine", unit_price="70"), starts_on="2026-01-15"))
    assert [amount for *_, amount in lines_of(books, date(2026, 2, 28))] == [5000, 5000]
    assert books.waiting == {"C1": "impossible_value"}


def test_closed_client_is_billed_for_what_was_served_and_opens_no_period() -> None:
    books = contract(line("RecurringLine", timing="advance"))
    books.also(said("ClientDefined", revision=2, effective_from="2026-03-10", status="closed"))
    assert [start for start, *_ in lines_of(books, MAY)] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    books.also(said("ClientDefined", revision=3, effective_from="2026-05-01"))
    assert [start for start, *_ in lines_of(books, MAY)][-1] == "2026-05-01"


def test_after_may_was_invoiced_april_shows_nothing_negative() -> None:
    books = contract(line("RecurringLine"), line("RecurringLine", line_id="L2", timing="advance"))
    books.run(MAY)
    assert all(books.due(as_of) == [] for as_of in (date(2026, 4, 30), date(2026, 5, 1), date(2026, 5, 30), MAY))


# ---- what waits ----


@pytest.mark.parametrize(
    ("lines", "given", "waiting"),
    [
        ([line("RecurringLine", tax_code="NOBODY")], {}, {"C1/L1": "unknown_tax_code"}),
        ([line("RecurringLine", tax_code=None)], {}, {"C1/L1": "unknown_tax_code"}),
        ([line("RecurringLine", timing="whenever")], {}, {"C1/L1": "unknown_value"}),
        ([line("RecurringLine", frequency="daily")], {}, {"C1/L1": "unknown_value"}),
        ([line("RecurringLine")], {"currency": "QQQ"}, {"C1/L1": "unknown_value"}),
        ([line("RecurringLine")], {"frequency": "daily"}, {"C1/L1": "unknown_value"}),
        ([line("RecurringLine")], {"anchor_day": 32}, {"C1/L1": "impossible_value"}),
        ([line("RecurringLine"), line("RecurringLine")], {}, {"C1/L1": "ambiguous_line"}),
        ([line("AllowanceLine")], {}, {"C1/A1": "not_yet_supported"}),
        ([line("RateLine")], {}, {}),
    ],
)
def test_line_waits_with_its_reason(lines: list[dict[str, Any]], given: dict[str, Any], waiting: dict[str, str]) -> None:
    books = contract(*lines, **given)
    assert not any(one.lines for one in books.rated(MAY).values())
    assert books.waiting == waiting


def test_odd_line_parks_no_other() -> None:
    books = contract(line("RecurringLine", tax_code="NOBODY"), line("RecurringLine", line_id="L2"))
    assert lines_of(books, JANUARY) == [("2026-01-01", "1", "50", 5000)]


def test_what_was_invoiced_stays_while_its_line_waits() -> None:
    books = contract(contract_id="A/B")
    books.run(JANUARY)
    books.also(said("ContractDefined", contract_id="A/B", revision=2, lines=[line("RecurringLine", tax_code="NOBODY")]))
    assert books.due(JANUARY) == []
    books.also(said("ContractDefined", contract_id="A/B", revision=3, lines=[line("AllowanceLine", line_id="L1")]))
    assert books.due(JANUARY) == []
    assert books.waiting == {"A/B/L1": "not_yet_supported"}


def test_state_agreed_for_later_does_not_stop_todays_invoice() -> None:
    books = contract().also(change("2027-01-01", line("RecurringLine", tax_code="NEXT")))
    books.also(said("TaxCodeDefined", code="NEXT", effective_from="2027-01-01"))
    assert books.amounts(JANUARY) == {item("2026-01-01"): 5000}
    assert books.waiting == {}


def test_period_whose_own_tax_code_is_unknown_stays_out_of_the_document() -> None:
    books = contract(line("RecurringLine", tax_code="OLD"))
    books.also(change("2026-02-01", line("RecurringLine")))
    assert billed(books.run(date(2026, 2, 28))) == [(item("2026-02-01"), "1", "50", 5000, 1000)]
    assert books.waiting == {"C1/L1": "unknown_tax_code"}
