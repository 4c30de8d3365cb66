"""What an attack brought to light: values beyond belief wait and stop nobody, and dates stay what they were."""

from datetime import date
from typing import Any

import pytest

from tests.domain.given import MAY, Given, usual
from tests.saying import Row, approved, line, said


def contract(*lines: dict[str, Any], **given: Any) -> Row:
    """A monthly contract from 1 January 2026."""
    return said("ContractDefined", **{"effective_from": "2026-01-01", "starts_on": "2026-01-01", "lines": list(lines), **given})


@pytest.mark.parametrize(
    "odd",
    [
        [contract(line("RecurringLine", quantity="100000000", unit_price="1000000000"))],
        [said("ChargeTypeDefined", revision=2, rates={"GBP": "9999999999"}), *approved(worked_minutes=2_147_483_647)],
    ],
)
def test_amounts_beyond_belief_wait(odd: list[Row]) -> None:
    books = Given(usual(), odd)
    assert books.due() == []
    assert set(books.waiting.values()) == {"impossible_value"}


@pytest.mark.parametrize("rate", ["-100", "-1", "9999999999"])
def test_tax_rates_that_cannot_be_wait(rate: str) -> None:
    books = Given(usual(), said("TaxCodeDefined", revision=2, rate=rate), approved())
    assert books.due() == []
    assert books.waiting == {"e1": "unknown_tax_code"}


@pytest.mark.parametrize("days", [3_000_000, 2_147_483_647, -1])
def test_terms_beyond_the_calendar_wait(days: int) -> None:
    books = Given(usual(payment_terms_days=days), approved())
    assert books.due() == []
    assert books.waiting == {"e1": "impossible_value"}


@pytest.mark.parametrize(
    ("frequency", "price", "added_on", "net_minor"),
    [("quarterly", "300", "2026-05-11", 168_13), ("annual", "3650", "2026-03-01", 3060_00)],
)
def test_line_added_later_keeps_the_contracts_grid(frequency: str, price: str, added_on: str, net_minor: int) -> None:
    late = line("RecurringLine", frequency=frequency, unit_price=price, timing="advance")
    books = Given(usual(), contract(), contract(late, revision=2, effective_from=added_on))
    [due] = books.due()
    assert due.line.amount_minor == net_minor


@pytest.mark.parametrize(("effective_from", "starts_on"), [("2026-05-01", "2026-05-11"), ("2026-04-01", "2026-04-01")])
def test_later_revision_that_moves_the_start_waits_whatever_day_it_counts_from(effective_from: str, starts_on: str) -> None:
    fee = line("RecurringLine", unit_price="100", timing="advance")
    first = contract(fee, effective_from="2026-05-01", starts_on="2026-05-01", contract_id="K")
    moved = contract(fee, effective_from=effective_from, starts_on=starts_on, contract_id="K", revision=2)
    for facts in ([first, moved], [moved, first]):
        books = Given(usual(), facts)
        assert [(d.item_key, d.line.amount_minor) for d in books.due()] == [("line/K/L1/2026-05-01", 100_00)]
        assert books.waiting == {"K": "impossible_value"}


def test_credit_of_an_early_end_is_on_the_original_service_period() -> None:
    fee = line("RecurringLine", unit_price="310", timing="advance")
    books = Given(usual(), contract(fee, effective_from="2026-05-01", starts_on="2026-05-01"))
    books.run()
    books.also(contract(fee, effective_from="2026-05-01", starts_on="2026-05-01", ends_on="2026-05-20", revision=2))
    [credit] = books.due()
    assert credit.line.amount_minor == -110_00
    assert (credit.line.service_from, credit.line.service_to) == (date(2026, 5, 1), MAY)


@pytest.mark.parametrize(
    "odd",
    [
        [line("SeatLine", minimum_quantity=10**11, unit_price="0.00000001")],
        [line("SeatLine", term_months=2**31 - 1)],
        [line("SeatLine", policy="ratchet", term_months=-1)],
        [line("RecurringLine", quantity="1000000000", unit_price="999")],
    ],
    ids=["seats no wire can carry", "a term beyond the calendar", "a term that runs backwards", "a fee of a trillion in CLF"],
)
def test_lines_beyond_belief_wait_and_stop_no_other(odd: list[Any]) -> None:
    books = Given(usual(), said("ContractDefined", currency="CLF", lines=[*odd, line("RecurringLine", line_id="L9")]))
    assert {key.split("/")[2] for key, item in books.rated(date(2026, 1, 31)).items() if item.lines} == {"L9"}
    assert list(books.waiting.values()) == ["impossible_value"]


def test_contract_since_the_year_one_waits_instead_of_making_ten_thousands_of_periods() -> None:
    books = Given(usual(), contract(line("RecurringLine"), starts_on="0001-01-01", effective_from="0001-01-01"))
    assert books.rated() == {}
    assert books.waiting == {"C1/L1": "impossible_value"}


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_counts_at_the_ends_of_the_calendar_are_not_counted(at: str) -> None:
    books = Given(usual(time_zone="Pacific/Auckland"), said("ContractDefined", lines=[line("SeatLine")]))
    books.also(said("SeatCountReported", as_of=at, quantity=9), said("SeatCountReported", quantity=2))
    assert books.amounts(date(2026, 1, 31)) == {"line/C1/S1/2026-01-01": 2 * 6500}


def test_thousands_of_lines_for_one_product_all_wait() -> None:
    lines = [line("SeatLine", line_id=f"S{n}") for n in range(3_000)]
    books = Given(usual(), said("ContractDefined", effective_from="2026-05-01", starts_on="2026-05-01", lines=lines))
    books.rated()
    assert len(books.waiting) == 3_000
