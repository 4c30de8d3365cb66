"""The invoice and the credit note as PDF: what is printed is the document, to the last unit, and nothing stops it."""

import hashlib
import io
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from domain.terms import catalogue_of
from producers.paper import figures
from producers.paper.printer import Printer, printer, render
from producers.paper.sheet import sheet_of
from projections.invoice_list import Parties
from tests.producers.papers import assert_says, clear, document, line, parties, said

EIGHT = Decimal("0.83333333")
KWD = {"currency": "KWD", "unit_price": Decimal("12.5"), "unit": "each"}
GROSS = {"unit": "period", "charge_type": None, "quantity": Decimal(3), "unit_price": Decimal("9.99")}
SEVEN_CENT = {"unit": "period", "unit_price": Decimal("0.07"), "net_minor": 6, "tax_minor": 1}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "one line": document([line()]),
    "500 lines": document([line(number, quantity=Decimal(number) / 4) for number in range(1, 501)]),
    "credit note": document(
        [line(1, quantity=-EIGHT, unit_price=Decimal("93.03"), net_minor=-7753, corrects={"number": "INV-000003", "line_no": 2})],
        number="CN-000001",
    ),
    "mixed signs": document([line(1), line(2, quantity=Decimal("-0.5"), corrects={"number": "INV-000003", "line_no": 4})]),
    "yen": document([line(currency="JPY", unit_price=Decimal(15_000)), line(2, currency="JPY")], currency="JPY"),
    "dinar": document([line(1, quantity=Decimal("7.125"), **KWD), line(2, quantity=Decimal(1), **KWD)], currency="KWD"),
    "euro, three taxes": document(
        [line(percent=rate, tax_code=code) for rate, code in (("20", "STD"), ("5.5", "LOW"), ("0", "RC"), ("0", "Z"))],
        currency="EUR",
    ),
    "gross prices": document([line(1, **GROSS, net_minor=2498, tax_minor=499), line(2, **GROSS, net_minor=2497, tax_minor=500)]),
    "nothing to pay": document([line(quantity=Decimal(0))]),
    "a million": document([line(quantity=Decimal(1), unit="each", unit_price=Decimal("9999999999.99"))]),
}  # fmt: skip


def printed(issued: dict[str, Any], **given: Any) -> str:
    """The text of a document between the usual parties."""
    return said(render(issued, parties(**given), clear))


@pytest.mark.parametrize("issued", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_what_is_printed_is_the_document(issued: dict[str, Any]) -> None:
    assert_says(render(issued, parties(), clear), issued)


def test_an_invoice_says_all_that_the_law_and_the_client_ask_for() -> None:
    text = printed(
        DOCUMENTS["mixed signs"], client={"tax_number": "GB123"}, name="VAT 20 %", wording="Reverse charge: you account for VAT"
    )
    for one in (
        "Northwind IT", "Unit 4, Canal Mills", "Leeds LS12 0XX", "VAT number GB000000000", "Acme Corp", "1 High Street",
        "Manchester M1 0XX", "VAT number GB123", "Invoice\n", "Number INV-000012", "Issued (tax point) 31 May 2026",
        "Due 30 Jun 2026", "Your order PO-4711", "1 Remote Support 20 May 2026 1.25 h 150.00 20 % 187.50",
        "corrects INV-000003 line 4", "VAT 20 % STD", "Reverse charge: you account for VAT", "Please pay GBP 135.00 by ",
        "Example Bank\nsort code 00-00-00", "Please quote INV-000012.", "Page 1 of 1",
    ):  # fmt: skip
        assert one in text, one


def test_a_credit_note_is_called_one_and_asks_for_nothing() -> None:
    text = printed(DOCUMENTS["credit note"])
    assert "Credit note\nNumber CN-000001" in text
    assert "corrects INV-000003 line 2" in text
    corrects, words = {"number": "INV-000003", "line_no": 2}, "Remote Support, correction of INV-000003 line 2"
    told = printed(document([line(1, description=words, corrects=corrects)]))
    assert told.count("INV-000003 line 2") == 1, "said once, in the line's own words"
    assert "Total credit GBP -93.04" in text
    assert "GBP 93.04 is credited to your account." in text
    assert not re.search(r"Due|Invoice\n|Please|Bank", text)


def test_an_invoice_that_was_voided_says_by_what_and_asks_for_nothing() -> None:
    text = said(render(DOCUMENTS["mixed signs"], parties(), clear, pay_url="https://pay.example/x", voided_by="CN-000007"))
    assert "Voided by CN-000007" in text
    assert "Voided by CN-000007. There is nothing to pay." in " ".join(text.split())
    assert not re.search(r"Please|Bank|Due|pay\.example", text)


def test_an_invoice_that_was_written_off_says_so_and_asks_for_nothing() -> None:
    given_up = {**DOCUMENTS["mixed signs"], "status": "written_off"}
    text = " ".join(said(render(given_up, parties(), clear, pay_url="https://pay.example/x")).split())
    assert "Written off What was still open of this invoice was written off. There is nothing to pay." in text
    assert not re.search(r"Please|Bank|pay\.example", text)
    assert "Total GBP 135.00" in text, "as issued"


def test_an_invoice_of_nothing_asks_for_nothing() -> None:
    text = printed(DOCUMENTS["nothing to pay"])
    assert "Total GBP 0.00" in text
    assert "There is nothing to pay." in text
    assert "Bank" not in text


@pytest.mark.parametrize(
    ("given", "printed_as"),
    [
        ({"quantity": EIGHT, "unit_price": Decimal("93.03"), "net_minor": 7753}, "0:50 h 93.03 20 % 77.53"),
        ({"quantity": Decimal("-12.5")}, "-12.50 h 150.00 20 % -1,875.00"),
        # A share of a period is as short as it still multiplies out; a reading is printed as it was read.
        ({"quantity": Decimal("52.13333333"), "unit": "seat", "unit_price": Decimal(65)}, "52.13333 seats 65.00 20 % 3,388.67"),
        ({"quantity": Decimal("1400.4"), "unit": "GB", "unit_price": Decimal("0.001")}, "1,400.4 GB 0.001 20 % 1.40"),
        # A price that does not lead to the amount is not printed.
        ({"quantity": Decimal(2), "unit": "each", "net_minor": 29_000}, "2 each 20 % 290.00"),
        ({"quantity": Decimal(2), "unit": "a unit that is far too long"}, "2 150.00 20 % 300.00"),
        ({**GROSS, "net_minor": 2498, "tax_minor": 499}, "3 9.99\nincl. tax\n20 % 24.98"),
        (SEVEN_CENT | {"quantity": Decimal("1.00000000")}, "1 0.07\nincl. tax\n20 % 0.06"),
        (SEVEN_CENT | {"quantity": Decimal("0.99999999")}, "1 0.07\nincl. tax\n20 % 0.06"),
    ],
)
def test_quantity_times_price_is_the_amount(given: dict[str, Any], printed_as: str) -> None:
    assert printed_as in printed(document([line(**given)]))


def test_lines_of_a_charge_type_are_summed_and_only_a_true_product_has_a_price() -> None:
    third = line(quantity=Decimal("0.33333333"), unit_price=Decimal(100), net_minor=3333)
    fee = line(4, charge_type=None, unit="period", quantity=Decimal(1))
    text = printed(document([third, third | {"line_no": 2}, third | {"line_no": 3}, fee]))
    assert "Remote Support 3 lines 1.00 h 99.99" in text  # and 1 h at 100.00 would be 100.00
    text = printed(document([line(1), line(2), fee]))
    assert "Remote Support 2 lines 2.50 h 150.00 375.00" in text
    assert "lines" not in printed(document([line(1), line(2)]))


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ((2026, 5, 1), (2026, 5, 31), "1–31 May 2026"),
        ((2026, 4, 28), (2026, 5, 27), "28 Apr – 27 May 2026"),
        ((2025, 12, 15), (2026, 1, 14), "15 Dec 2025 – 14 Jan 2026"),
        ((2026, 5, 1), (2026, 5, 1), "1 May 2026"),
    ],
)
def test_service_periods_say_month_and_year_once(first: tuple[int, int, int], last: tuple[int, int, int], shown: str) -> None:
    assert figures.days(date(*first), date(*last)).replace("\u00a0", " ") == shown


def test_every_page_has_its_number_and_the_columns_their_heads() -> None:
    pages = [said_on(page) for page in PdfReader(io.BytesIO(render(DOCUMENTS["500 lines"], parties(), clear))).pages]
    assert len(pages) > 8
    for number, text in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in text
        assert "No. Description Served Quantity Price Tax Net GBP" in text
        assert "Invoice INV-000012" in text


def said_on(page: Any) -> str:
    return str(page.extract_text()).replace("\u00a0", " ")


@pytest.mark.parametrize("several", [False, True])
def test_totals_never_stand_on_a_page_without_lines(several: bool) -> None:
    turns = 0
    for count in range(24, 44):
        lines = [line(number) for number in range(1, count + 1)]
        if several:
            lines[-1] |= {"charge_type": None, "unit": "period"}
        pages = [said_on(page) for page in PdfReader(io.BytesIO(render(document(lines), parties(), clear))).pages]
        (closing,) = [text for text in pages if "\nTotal GBP" in text]
        assert re.search(rf"^{count} Remote", closing, re.MULTILINE), count
        assert len(re.findall(r"^(?:\d+ )?Remote Support", closing, re.MULTILINE)) >= 2, count
        turns += closing is not pages[0]
    assert 0 < turns < 20


SAME = """
import hashlib, sys
from tests.producers.papers import clear, parties
from tests.producers.test_paper import DOCUMENTS
from producers.paper.printer import render
print(*(hashlib.sha256(render(one, parties(), clear)).hexdigest() for one in DOCUMENTS.values()))
"""


def test_the_same_document_is_the_same_bytes_in_every_process() -> None:
    here = [hashlib.sha256(render(one, parties(), clear)).hexdigest() for one in DOCUMENTS.values()]
    assert len(set(here)) == len(here)
    env = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", SAME], env=env, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == here
    fresh = Printer()
    assert [hashlib.sha256(fresh.printed(sheet_of(one, parties(), clear)).pdf).hexdigest() for one in DOCUMENTS.values()] == here


def test_dates_of_the_file_are_those_of_the_document() -> None:
    about = PdfReader(io.BytesIO(render(DOCUMENTS["one line"], parties(), clear))).metadata
    assert about is not None
    assert (about.title, about.author) == ("Invoice INV-000012", "Northwind IT")
    assert (about.creation_date, about.modification_date) == (about.creation_date, about.creation_date)
    assert about.creation_date is not None
    assert about.creation_date.date() == date(2026, 5, 31)


def test_typefaces_are_embedded_and_only_the_shipped_one() -> None:
    reader = PdfReader(io.BytesIO(render(DOCUMENTS["one line"], parties(), clear)))
    found = set()
    for font in reader.pages[0]["/Resources"]["/Font"].values():  # type: ignore[index]
        (inner,) = font.get_object()["/DescendantFonts"]
        descriptor = inner.get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)
        found.add(re.sub(r"^/[A-Z]{6}\+", "", descriptor["/FontName"]))
    assert found == {"Inter-Regular", "Inter-SemiBold"}


def test_what_a_reader_may_not_see_is_said_once() -> None:
    hidden = said(render(document([line()]), parties(), lambda text: "(for billers only)" if text else ""))
    assert hidden.count("(for billers only)") == 1
    assert "High Street" not in hidden
    assert "Unit 4, Canal Mills" in hidden


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ({"country": "DE", "city": "Köln", "postcode": "50667"}, "1 High Street\n50667 Köln\nGermany\n"),
        ({"country": "US", "city": "Reno", "region": "NV", "postcode": "89501"}, "1 High Street\nReno NV 89501\nUnited States\n"),
        ({"country": None, "city": None, "postcode": None}, "1 High Street\nInvoice"),
    ],
)
def test_addresses_are_written_as_in_their_country(client: dict[str, Any], address: str) -> None:
    assert f"Acme Corp\n{address}" in printed(document([line()]), client=client)


def test_nobody_defined_is_named_by_id_and_paper_is_that_of_the_country() -> None:
    bare = render(document([line()]), Parties(client=None, catalogue=catalogue_of([])), clear)
    assert "To\nacme Invoice\n" in said(bare)
    assert PdfReader(io.BytesIO(bare)).pages[0].mediabox.width == pytest.approx(595.28, abs=0.1)
    american = render(document([line()]), parties(provider={"country": "US"}), clear)
    assert PdfReader(io.BytesIO(american)).pages[0].mediabox.width == pytest.approx(612, abs=0.1)


def test_one_printer_serves_many_threads() -> None:
    wanted = {name: render(one, parties(), clear) for name, one in DOCUMENTS.items()}
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda name: (name, render(DOCUMENTS[name], parties(), clear)), list(DOCUMENTS) * 3)
    for name, pdf in made:
        assert pdf == wanted[name]
    assert printer(Path("/nowhere")).printed(sheet_of(DOCUMENTS["one line"], parties(), clear)).pdf == wanted["one line"]
