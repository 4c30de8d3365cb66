"""Money: exact, rounded once, half away from zero; what is split sums to what was split."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import (
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    amount_minor,
    minor_digits,
    round_half_away,
    split,
    tax_by_group,
    tax_minor,
    tax_within,
    to_places,
)

law = settings(max_examples=60, deadline=None)
weights = st.lists(
    st.one_of(st.integers(0, 10**6), st.fractions(0, 100, max_denominator=60), st.decimals(0, 1000, places=3)),
    min_size=1,
    max_size=9,
).filter(any)
minors = st.integers(-(10**9), 10**9)
percents = st.sampled_from([Decimal(text) for text in ("0", "5", "8.875", "20", "23.33")])


@pytest.mark.parametrize(("currency", "digits"), [("GBP", 2), ("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_every_currency_knows_its_minor_digits(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("code", ["", "gbp", "XAU", "XXX", "POUNDS"])
def test_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        minor_digits(code)


def test_money_adds_and_mirrors_within_one_currency() -> None:
    assert Money(2200, "GBP") + Money(1206, "GBP") == Money(3406, "GBP")
    assert Money(100, "GBP") - Money(350, "GBP") == -Money(250, "GBP")
    assert str(Money(3406, "GBP").major) == "34.06"
    assert str(Money(500, "JPY").major) == "500"


def test_mixing_currencies_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "GBP") + Money(1, "EUR")
    with pytest.raises(CurrencyMismatch):
        Money(1, "GBP") - Money(1, "EUR")


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.5", 1), ("-0.5", -1), ("1.5", 2), ("2.5", 3), ("-2.5", -3), ("2.4999", 2), ("-2.4999", -2), ("0", 0)],
)
def test_a_half_rounds_away_from_zero(value: str, rounded: int) -> None:
    assert round_half_away(Decimal(value)) == rounded
    assert round_half_away(Fraction(value)) == rounded


@pytest.mark.parametrize(
    ("quantity", "price", "currency", "minor"),
    [
        (Fraction(1, 3), "100", "GBP", 3333),
        (Fraction(-1, 3), "100", "GBP", -3333),
        (Decimal("12.5"), "150.00", "GBP", 187500),
        (48, "65", "GBP", 312000),
        (Fraction(1, 2), "1", "JPY", 1),
        (1, "0.00050000", "KWD", 1),
        (1, "0.00499999", "GBP", 0),
    ],
)
def test_an_amount_is_exact_until_its_one_rounding(
    quantity: Fraction | Decimal | int, price: str, currency: str, minor: int
) -> None:
    assert amount_minor(quantity, Decimal(price), currency) == minor


def test_amounts_do_not_lose_digits_to_the_decimal_context() -> None:
    assert amount_minor(Decimal("9999999999.99999999"), Decimal("9999999999.99999999"), "GBP") == 10**22 - 20000


def test_three_twenty_minute_entries_are_three_rounded_lines() -> None:
    assert 3 * amount_minor(Fraction(20, 60), Decimal(100), "GBP") == 9999


def test_tax_per_line_and_per_rate_group_differ_by_a_cent() -> None:
    nets, percent = (2506, 2561, 2563), Decimal(15)
    assert sum(tax_minor(net, percent) for net in nets) == 1144
    assert sum(tax_by_group([(net, percent) for net in nets])) == 1145


def test_a_gross_price_holds_its_tax() -> None:
    assert tax_within(12000, Decimal(20)) == 2000
    assert tax_within(5000, Decimal(19)) == 798
    assert tax_within(-5000, Decimal(19)) == -798


def test_places_may_be_fewer_than_none() -> None:
    assert to_places(4550, -2) == 4600
    assert str(to_places(Fraction(5, 6), 8)) == "0.83333333"


@pytest.mark.parametrize("bad", [[], [0, 0], [-1, 2], [Decimal("-0.5")]])
def test_weights_that_share_nothing_are_refused(bad: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        split(100, bad)


@law
@given(minors, weights)
def test_a_split_sums_to_its_total_and_each_part_is_within_a_unit(total: int, shares: list[Fraction]) -> None:
    parts = split(total, shares)
    whole = sum(map(Fraction, shares))
    assert sum(parts) == total
    assert all(abs(part - total * Fraction(share) / whole) < 1 for part, share in zip(parts, shares, strict=True))


@law
@given(minors, weights)
def test_a_split_credit_mirrors_its_invoice(total: int, shares: list[Fraction]) -> None:
    assert split(-total, shares) == tuple(-part for part in split(total, shares))


@law
@given(st.integers(0, 10**9), weights)
def test_a_heavier_part_never_gets_less_and_no_weight_gets_nothing(total: int, shares: list[Fraction]) -> None:
    by_weight = sorted(zip(map(Fraction, shares), split(total, shares), strict=True))
    assert all(less <= more for (light, less), (heavy, more) in pairwise(by_weight))
    assert all(part == 0 for share, part in by_weight if share == 0)


@law
@given(st.lists(st.tuples(minors, percents), max_size=8))
def test_group_tax_sums_to_each_groups_tax_and_mirrors(lines: list[tuple[int, Decimal]]) -> None:
    taxes = tax_by_group(lines)
    for percent in {percent for _, percent in lines}:
        members = [index for index, line in enumerate(lines) if line[1] == percent]
        assert sum(taxes[index] for index in members) == tax_minor(sum(lines[index][0] for index in members), percent)
    assert tax_by_group([(-net, percent) for net, percent in lines]) == tuple(-tax for tax in taxes)
    assert all(abs(tax - Fraction(net) * Fraction(p) / 100) < 2 for tax, (net, p) in zip(taxes, lines, strict=True))


@law
@given(minors, percents)
def test_net_and_tax_within_sum_to_the_gross(gross: int, percent: Decimal) -> None:
    tax = tax_within(gross, percent)
    assert abs(tax_minor(gross - tax, percent) - tax) <= 1
