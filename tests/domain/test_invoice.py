"""A document: taxed, totalled, numbered and in order (product M5-M8)."""

from datetime import date
from typing import Any

import pytest
from given import MAY, Given, billed, usual

from domain.invoice import InvoiceIssued, NoTax, draft, nets_of, postings, series_for
from tests.saying import approved, line, said


def priced(*prices: str, rounding: str = "line", **contract: Any) -> Given:
    """One fixed fee a price, all of January, at 15 % tax."""
    lines = [line("RecurringLine", line_id=f"L{n}", unit_price=price) for n, price in enumerate(prices)]
    return Given(
        usual(),
        said("ProviderDefined", revision=2, tax_rounding=rounding),
        said("TaxCodeDefined", revision=2, rate="15"),
        said("ContractDefined", lines=lines, **contract),
    )


JANUARY = date(2026, 1, 31)


@pytest.mark.parametrize(("rounding", "tax", "taxes"), [("line", 1144, [376, 384, 384]), ("rate_group", 1145, [376, 384, 385])])
def test_tax_is_rounded_by_line_or_by_rate(rounding: str, tax: int, taxes: list[int]) -> None:
    (document,) = priced("25.06", "25.61", "25.63", rounding=rounding).run(JANUARY)
    assert (document.net_minor, document.tax_minor, document.total_minor) == (7630, tax, 7630 + tax)
    assert [one.tax_minor for one in document.lines] == taxes


def test_correction_under_rate_group_still_ends_at_the_items_own_tax() -> None:
    books = priced("25.06", "25.61", "25.63", rounding="rate_group")
    books.run(JANUARY)
    books.also(said("ContractDefined", revision=2, lines=[line("RecurringLine", line_id="L2", unit_price="25.63", quantity="2")]))
    (document,) = books.run(JANUARY)
    taxes = {one.item_key: one.tax_minor for one in document.lines}
    assert taxes == {"line/C1/L0/2026-01-01": -376, "line/C1/L1/2026-01-01": -384, "line/C1/L2/2026-01-01": 769 - 385}
    assert books.due(JANUARY) == []


def test_prices_that_include_tax_give_it_up() -> None:
    (document,) = priced("99.99", "10", prices_include_tax=True).run(JANUARY)
    assert [(one.net_minor, one.tax_minor) for one in document.lines] == [(8695, 1304), (870, 130)]
    assert document.total_minor == 10999


@pytest.mark.parametrize("second", ["10", "5", "3", None])
def test_queue_and_draft_agree_on_the_net_of_a_price_that_includes_tax(second: str | None) -> None:
    books = priced("9.99", prices_include_tax=True)
    books.run(JANUARY)
    lines = [line("RecurringLine", line_id="L0", unit_price=second)] if second else []
    books.also(said("ContractDefined", revision=2, prices_include_tax=True, lines=lines))
    due = books.due(JANUARY)
    nets = nets_of(due, books.terms.states.first_or_on(JANUARY), books.catalogue, JANUARY)
    (document,) = books.drafts(JANUARY)
    assert nets == [one.net_minor for one in document.lines]
    assert books.run(JANUARY)
    assert sum(d.total_minor for d in books.documents) == (int(second) * 100 if second else 0)


# ---- M7: codes ----


@pytest.mark.parametrize(
    ("line_code", "type_code", "client_code", "outcome"),
    [
        ("LOW", "STD", None, ("LOW", 750)),
        (None, "LOW", "STD", ("LOW", 750)),
        (None, None, "LOW", ("LOW", 750)),
        ("STD", "STD", "RC", ("RC", 0)),
        ("STD", "STD", "ZERO", ("ZERO", 0)),
        ("STD", "STD", "NOBODY", None),
        (None, None, None, None),
        ("NOBODY", "STD", "STD", None),
        ("NEXT", "STD", "STD", None),
        ("ODD", "STD", "STD", None),
    ],
)
def test_tax_code_is_the_lines_else_the_charge_types_else_the_clients(
    line_code: str | None, type_code: str | None, client_code: str | None, outcome: tuple[str, int] | None
) -> None:
    codes = [
        said("TaxCodeDefined", code="LOW", rate="5"),
        said("TaxCodeDefined", code="RC", rate="20", kind="reverse_charge"),
        said("TaxCodeDefined", code="ZERO", rate="0", kind="zero"),
        said("TaxCodeDefined", code="NEXT", effective_from="2026-06-01"),
        said("TaxCodeDefined", code="ODD", kind="sometimes"),
    ]
    books = Given(usual(tax_code=client_code), codes, said("ChargeTypeDefined", revision=2, tax_code=type_code))
    books.also(said("ContractDefined", lines=[line("RateLine", rates={"GBP": "150"}, tax_code=line_code)]), approved())
    if outcome is None:
        assert books.due() == []
        assert books.waiting == {"e1": "unknown_tax_code"}
    else:
        (document,) = books.run()
        assert (document.lines[0].tax_code, document.lines[0].tax_minor) == outcome


def test_tax_point_is_the_day_of_issue() -> None:
    books = Given(usual(), said("TaxCodeDefined", revision=2, effective_from="2026-05-31", rate="25"), approved())
    assert books.drafts(date(2026, 5, 30))[0].tax_minor == 3000
    assert books.drafts(MAY)[0].tax_minor == 3750


def test_correction_keeps_the_percent_of_the_line_it_corrects() -> None:
    books = Given(usual(), approved())
    books.run()
    books.also(said("TaxCodeDefined", revision=2, rate="25"), approved(revision=2, worked_minutes=90))
    assert billed(books.run()) == [("time/e1", "0.5", "150", 7500, 1500)]


def test_document_of_what_cannot_be_taxed_is_refused_by_name() -> None:
    books = Given(usual(), approved())
    due = books.due()
    books.also(said("TaxCodeDefined", revision=2, kind="sometimes"))
    with pytest.raises(NoTax, match="time/e1"):
        draft(due, client=books.terms.states.states[0], terms_days=30, catalogue=books.catalogue, issued_on=MAY)


# ---- M6: kinds ----


@pytest.mark.parametrize(
    ("adjusted", "kind", "number", "total"),
    [
        (0, "InvoiceIssued", "INV-000001", 18000),
        (-15000, "InvoiceIssued", "INV-000001", 0),
        (-15001, "CreditNoteIssued", "CN-000001", -1),
    ],
)
def test_total_below_zero_is_a_credit_note_and_zero_an_invoice(adjusted: int, kind: str, number: str, total: int) -> None:
    books = Given(usual(), approved())
    if adjusted:
        books.adjusted("time/e1", adjusted)
    (document,) = books.run()
    assert (type(document).__name__, document.number, document.total_minor) == (kind, number, total)


def test_one_document_per_currency_and_the_contracts_wins_over_the_clients() -> None:
    rates = said("ChargeTypeDefined", revision=2, rates={"GBP": "150", "JPY": "20000", "KWD": "40.1235"})
    books = Given(
        usual(), rates, said("ContractDefined", contract_id="J", currency="JPY", is_default=False),
        said("ContractDefined", contract_id="K", currency="KWD", is_default=False),
        said("ContractDefined", contract_id="G"),
        approved("g"), approved("j", contract_id="J"), approved("k", contract_id="K"),
    )  # fmt: skip
    assert [(d.currency, d.net_minor, d.tax_minor) for d in books.run()] == [
        ("GBP", 15000, 3000), ("JPY", 20000, 4000), ("KWD", 40124, 8025),
    ]  # fmt: skip


def test_due_date_is_the_issue_date_and_the_last_revisions_terms() -> None:
    books = Given(usual(), said("ClientDefined", revision=2, effective_from="2027-01-01", payment_terms_days=14), approved())
    assert books.run()[0].due_on == date(2026, 6, 14)


# ---- order, numbers ----


def test_hours_come_first_by_charge_type_then_the_contracts_lines() -> None:
    books = Given(
        usual(), said("ChargeTypeDefined", code="ADVICE", name="Advice"),
        said("ContractDefined", effective_from="2026-05-01", starts_on="2026-05-01",
             lines=[line("RecurringLine"), line("RecurringLine", line_id="L2", description="Backup")]),
        approved("b", worked_on="2026-05-02"), approved("a", worked_on="2026-05-02"), approved("z", worked_on="2026-05-01"),
        approved("c", charge_type="ADVICE"),
    )  # fmt: skip
    (document,) = books.run()
    fees = ["C1/L2/2026-05-01", "C1/L1/2026-05-01"]
    assert [one.item_key.split("/", 1)[1] for one in document.lines] == ["c", "z", "a", "b", *fees]
    assert [one.line_no for one in document.lines] == [1, 2, 3, 4, 5, 6]


def number(defined: list[Any], *, named: str | None = "MAIN", credit_note: bool = False, year: int = 2026) -> tuple[str, str]:
    books = Given(usual(invoice_series=named), defined)
    client = books.terms.latest
    assert client is not None
    series = series_for(client, books.catalogue, credit_note=credit_note, issued_on=date(year, 5, 31))
    return series.counter, series.number(7)


@pytest.mark.parametrize(
    ("defined", "given", "counter", "printed"),
    [
        ([], {}, "invoice", "INV-000007"),
        ([], {"credit_note": True}, "credit_note", "CN-000007"),
        ([said("InvoiceSeriesDefined")], {}, "invoice/MAIN", "A-0007"),
        ([said("InvoiceSeriesDefined")], {"named": None}, "invoice", "INV-000007"),
        ([said("InvoiceSeriesDefined")], {"named": "OTHER"}, "invoice", "INV-000007"),
        ([said("InvoiceSeriesDefined")], {"credit_note": True}, "credit_note", "CN-000007"),
        ([said("InvoiceSeriesDefined", prefix="{year}/", restart="yearly")], {}, "invoice/MAIN/2026", "2026/0007"),
        ([said("InvoiceSeriesDefined", prefix="{year}/", restart="yearly")], {"year": 2027}, "invoice/MAIN/2027", "2027/0007"),
        ([said("InvoiceSeriesDefined", prefix="{year}/")], {}, "invoice/MAIN", "2026/0007"),
        # Numbers that do not show their year must not start over with it; nor may two series print the same.
        ([said("InvoiceSeriesDefined", restart="yearly")], {}, "invoice/MAIN", "A-0007"),
        ([said("InvoiceSeriesDefined", prefix="INV-", digits=6)], {}, "invoice", "INV-000007"),
        ([said("InvoiceSeriesDefined", code="CR", prefix="CR-", document="credit_note")], {"credit_note": True},
         "credit_note/CR", "CR-0007"),
        ([said("InvoiceSeriesDefined", code="MAIN", document="credit_note", prefix="X-")], {}, "invoice", "INV-000007"),
        ([said("InvoiceSeriesDefined"), said("InvoiceSeriesDefined", revision=2, prefix="B-", digits=2)], {},
         "invoice/MAIN", "B-07"),
    ],
)  # fmt: skip
def test_number_comes_from_its_series(defined: list[Any], given: dict[str, Any], counter: str, printed: str) -> None:
    assert number(defined, **given) == (counter, printed)


def test_posting_remembers_lines_members_sources_and_the_day_due() -> None:
    books = Given(usual(), approved())
    (document,) = books.run()
    assert isinstance(document, InvoiceIssued)
    (posting,) = postings(document).values()
    assert posting.due_on == date(2026, 5, 20)
    assert [member.time_entry_id for member in posting.members] == ["e1"]
    assert len(posting.sources) == 2
    assert (posting.lines[0].net_minor, posting.lines[0].tax_minor, posting.lines[0].percent) == (15000, 3000, 20)
    assert len(document.lines[0].source_sha256) == 64
