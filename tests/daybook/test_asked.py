"""What people type for money is read in one way at every place that asks for it, and a comma is never guessed at."""

from collections.abc import Callable

import pytest

from daybook.asked import NoAmount, NotTaken, read_minor, read_money, without_thousands
from daybook.web.forms import boxes
from daybook.web.forms.fields import Field
from daybook.web.pages_item import NotUnderstood, read_amount
from daybook.web.pages_reminder_policy import read_policy
from domain.money import UnknownCurrency
from runs.errors import Refused
from schemas.scalars import Misfit
from tests.daybook.commands import Run, refused


def minimum(text: str, currency: str) -> int:
    """The least balance worth a reminder, as its page reads it."""
    faults: dict[str, str] = {}
    names = ("new_invoice", "statement", "statement_day", "offsets", "opted_out")
    read = read_policy({**dict.fromkeys(names, ""), "minimum": text}, currency, faults)
    if faults:
        raise NotTaken(faults)
    return int(read["minimum_balance_minor"])


READERS: dict[str, Callable[[str, str], int]] = {
    "anything": read_minor,
    "a payment": lambda text, currency: read_money(text, currency, "amount"),
    "an adjustment": read_amount,
    "a form's amount": boxes.to_minor,
    "a minimum": minimum,
}
TAKEN = [
    ("1,234.50", "GBP", 123_450), ("1,234,567.8", "GBP", 123_456_780), ("1,234", "JPY", 1_234), ("12", "JPY", 12),
    ("1,234.567", "BHD", 1_234_567), ("1,234", "BHD", 1_234_000), (" 12.5 ", "GBP", 1_250),
]  # fmt: skip
COMMAS = [
    ("1,5", "GBP", "“1,5” has a comma that parts no thousands: write 1.5, with a point."),
    ("1234,50", "GBP", "write 1234.50, with a point."),
    ("1.234,50", "GBP", "write 1234.50, with a point."),
    ("1,5", "BHD", "write 1.5, with a point."),
    ("1,5", "JPY", "write it as in 123,450."),
    ("12,34.50", "GBP", "write it as in 1,234.50."),
    ("1,2345", "GBP", "write it as in 1,234.50."),
    ("1,234.50,6", "GBP", "write it as in 1,234.50."),
    (",234", "GBP", "write it as in 1,234.50."),
    ("12,", "GBP", "write it as in 1,234.50."),
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("text", "currency", "minor"), TAKEN)
def test_commas_part_thousands_wherever_money_is_typed(reader: str, text: str, currency: str, minor: int) -> None:
    assert READERS[reader](text, currency) == minor


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("text", "currency", "line"), COMMAS)
def test_any_other_comma_is_sent_back_with_what_to_write(reader: str, text: str, currency: str, line: str) -> None:
    with pytest.raises((Refused, Misfit), match="has a comma that parts no thousands") as told:
        READERS[reader](text, currency)
    assert line in (told.value.problem if isinstance(told.value, Misfit) else str(told.value))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "currency", "line"),
    [("1.005", "GBP", "GBP has 2 decimal places"), ("0.5", "JPY", "JPY has 0 decimal"), ("1e13", "GBP", "beyond belief"),
     ("1_000", "GBP", "is no amount such as"), ("１２", "GBP", "is no amount such as"), ("NaN", "GBP", "is no amount")],
)  # fmt: skip
def test_what_is_no_amount_is_told_in_the_same_words(reader: str, text: str, currency: str, line: str) -> None:
    with pytest.raises((NoAmount, NotTaken, NotUnderstood, Misfit)) as told:
        READERS[reader](text, currency)
    assert line in (told.value.problem if isinstance(told.value, Misfit) else str(told.value))


def test_an_amount_may_be_below_zero_where_it_takes_off() -> None:
    assert (read_minor("-1,000.5", "GBP"), read_minor("−25", "GBP")) == (-100_050, -2_500)
    with pytest.raises(UnknownCurrency):
        read_minor("1", "???")


def test_a_price_in_a_form_is_kept_without_its_thousands() -> None:
    price = Field(name="price", label="Price", kind="decimal")
    assert boxes._one(price, "1,250.125", False, "GBP") == "1250.125"
    assert boxes._prices([{"currency": "gbp", "amount": "1,250"}]) == {"GBP": "1250"}
    with pytest.raises(Misfit) as told:
        boxes._prices([{"currency": "GBP", "amount": "1,5"}])
    assert (told.value.problem, told.value.field) == (
        "“1,5” has a comma that parts no thousands: write 1.5, with a point.", "[0].amount",
    )  # fmt: skip
    assert without_thousands("0.125") == "0.125"


def test_an_adjustment_at_the_command_line_takes_thousands_and_no_other_comma(month: Run) -> None:
    key = month("queue", "--lines", "--client", "acme", "--json").rows[0]["item_key"]
    refused(month("adjust", key, "--client", "acme", "--amount", "1,5", "--reason", "why"), "write 1.5, with a point")
    before = net(month)
    assert month("adjust", key, "--client", "acme", "--amount", "1,012.50", "--reason", "parts").code == 0
    assert net(month) == before + 101_250


def net(month: Run) -> int:
    return sum(int(row["net_minor"]) for row in month("queue", "--client", "acme", "--json").rows)
