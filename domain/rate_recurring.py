"""What a contract's fixed fees are worth: quantity x price each period, prorated by days served (product S1)."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from domain.calendar import Period
from domain.contract import RecurringLine
from domain.contract_periods import Segment
from domain.money import amount_minor, minor_digits, to_places
from domain.proration import prorated, served_quantity
from domain.rated import RatedLine

RULE = "recurring/v1"


def rate_recurring(period: Period, segments: Sequence[Segment[RecurringLine]]) -> RatedLine:
    """Rates the days of a period on which a fee was served in one currency; without proration there is one segment."""
    first = segments[0]
    if not first.line.prorate:
        # There is no credit for an early end either.
        quantity, price = first.line.quantity, first.line.unit_price
        amount = amount_minor(quantity, price, first.state.currency)
        how = f"{quantity.normalize():f} x {price:f}, not prorated"
    else:
        amount = prorated(
            [(s.days, s.line.quantity, s.line.unit_price) for s in segments], period.full_days, first.state.currency
        )
        quantity, price, how = _shown(period, segments, amount)
    last = segments[-1]
    if price < 0:
        # A credit is a negative quantity at a positive price: e-invoice rules refuse a negative price (product M5).
        quantity, price = -quantity, -price
    return RatedLine(
        part="",
        description=last.line.description,
        charge_type=None,
        kind=last.line.description,
        service_from=first.start,
        service_to=(last.end if first.line.prorate else period.end) - timedelta(days=1),
        quantity=quantity,
        unit="period",
        unit_price=price,
        currency=first.state.currency,
        amount_minor=amount,
        gross=first.state.prices_include_tax,
        tax_code=last.line.tax_code,
        account=last.line.account,
        rule=RULE,
        arithmetic=f"{how} = {_money(amount, first.state.currency)}",
    )


def _shown(period: Period, segments: Sequence[Segment[RecurringLine]], amount: int) -> tuple[Decimal, Decimal, str]:
    """Quantity, unit price and arithmetic of a prorated period; two prices in one period have no common unit price."""
    days = period.full_days
    how = " + ".join(f"{s.days}/{days} days x {s.line.quantity.normalize():f} x {s.line.unit_price:f}" for s in segments)
    prices = {segment.line.unit_price for segment in segments}
    if len(prices) == 1:
        exact = served_quantity([(s.days, s.line.quantity) for s in segments], days)
        return to_places(exact, 8), prices.pop(), how
    currency = segments[0].state.currency
    return Decimal(1), Decimal(amount).scaleb(-minor_digits(currency)), how


def _money(amount: int, currency: str) -> str:
    digits = minor_digits(currency)
    return f"{currency} {Decimal(amount).scaleb(-digits):.{digits}f}"
