"""Documents as PDF, from the facts to the file: what was issued is what is printed, for those who may have it."""

import io
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pypdf import PdfReader

from daybook.app import now
from daybook.web.limits import Limits
from runs.generate import generate
from tests.conftest import Server
from tests.producers.papers import assert_says, said
from tests.saying import Row, approved
from tests.saying import line as contract_line
from tests.saying import said as fact
from tests.web.conftest import BASICS, TODAY, Web, _web

API = "/api/v1/invoices"
MANY = 500
HERE = {"address": ["1 High Street"], "city": "Manchester", "postcode": "M1 0XX", "country": "GB"}


def told() -> Iterator[Row]:
    """A client of each kind."""
    yield from BASICS
    rates = {"GBP": "93.03", "JPY": "15000", "KWD": "12.345"}
    yield fact("ChargeTypeDefined", revision=2, rates=rates)
    for client_id in ("one", "many", "yen", "dinar", "gross", "nothing", "credit"):
        currency = {"yen": "JPY", "dinar": "KWD"}.get(client_id, "GBP")
        yield fact("ClientDefined", client_id=client_id, name=f"{client_id.capitalize()} Ltd", currency=currency, **HERE)
    for number in range(MANY):
        day = f"2026-05-{number % 28 + 1:02d}"
        yield from approved(f"m{number}", client_id="many", worked_minutes=5 + number % 50, worked_on=day)
    for client_id in ("one", "yen", "dinar", "credit"):
        yield from approved(f"{client_id}-1", client_id=client_id, worked_minutes=50)
    yield from approved("yen-2", client_id="yen", worked_minutes=7)
    yield from approved("dinar-2", client_id="dinar", worked_minutes=7)
    yield from approved("nothing-1", client_id="nothing", billable_minutes=0)
    lines = [contract_line("RecurringLine", line_id=f"L{price}", unit_price=price) for price in ("9.99", "100", "0.07")]
    inclusive = {"prices_include_tax": True, "starts_on": "2026-05-01", "lines": lines}
    yield fact("ContractDefined", client_id="gross", contract_id="G", **inclusive)


@pytest.fixture(scope="module")
def issued(postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """An installation in which each client has its invoice, and one a credit note too."""
    for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("home")):
        web.feed(list(told()))
        generate(web.app.views, TODAY, now())
        item = {"client_id": "credit", "item_key": "time/credit-1", "reason": "goodwill", "amount_minor": -2_000}
        assert web.program("biller").post("/api/v1/items/adjust", json=item).status_code == 200
        generate(web.app.views, TODAY, now())
        yield web


def of(web: Web, client_id: str, kind: str = "invoice") -> dict[str, object]:
    """A client's document, as the API gives it."""
    found = [one for one in web.program("viewer").get(f"{API}?client={client_id}").json() if one["kind"] == kind]
    assert len(found) == 1
    return dict(found[0])


@pytest.mark.parametrize("client_id", ["one", "many", "yen", "dinar", "gross", "nothing"])
def test_pdf_says_what_was_issued(issued: Web, client_id: str) -> None:
    document = of(issued, client_id)
    answer = issued.program("biller").get(f"{API}/{document['number']}.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{document['number']}.pdf"
    assert_says(answer.content, document)
    text = said(answer.content)
    assert f"{client_id.capitalize()} Ltd\n1 High Street\nManchester M1 0XX\n" in text
    lines = document["lines"]
    assert isinstance(lines, list)
    assert len(lines) == {"many": MANY, "yen": 2, "dinar": 2, "gross": 3}.get(client_id, 1)
    if client_id == "gross":
        assert text.count("incl. tax") == 3
        assert {Decimal(one["net_minor"] + one["tax_minor"]) / 100 for one in lines} == {Decimal("9.99"), 100, Decimal("0.07")}


def test_credit_note_names_what_it_corrects(issued: Web) -> None:
    document, invoice = of(issued, "credit", "credit_note"), of(issued, "credit")
    made = issued.program("biller").get(f"{API}/{document['number']}.pdf").content
    assert_says(made, document)
    assert f"{invoice['number']} line 1" in " ".join(said(made).split())


def test_page_leads_to_the_same_file(issued: Web) -> None:
    number = of(issued, "one")["number"]
    browser = issued.browser("biller", "ann")
    assert f'href="/invoices/{number}.pdf" download>PDF</a>' in browser.get(f"/invoices/{number}").text
    answer = browser.get(f"/invoices/{number}.pdf")
    assert answer.content == issued.program("biller").get(f"{API}/{number}.pdf").content
    assert answer.headers["content-type"] == "application/pdf"


def test_nothing_there_is_said_to_be_so(issued: Web) -> None:
    for number in ("A-9999", "%2e%2e%2fetc%2fpasswd", "x" * 200, "%00"):
        answer = issued.program("viewer").get(f"{API}/{number}.pdf")
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert issued.browser("viewer").get(f"/invoices/{number}.pdf").status_code == 404


def test_a_viewer_has_no_address_and_what_was_forgotten_nobody_has(office: Web) -> None:
    office.feed([fact("ClientDefined", revision=2, **HERE)])
    generate(office.app.views, TODAY, now())
    number = of(office, "acme")["number"]
    biller, viewer = office.program("biller"), office.program("viewer")
    shown, hidden = (said(who.get(f"{API}/{number}.pdf").content) for who in (biller, viewer))
    assert "Acme Corp\n1 High Street\nManchester M1 0XX\n" in shown
    assert "Acme Corp\n(for billers only)\n" in hidden
    assert "High Street" not in hidden
    office.app.book.keyring.forget("acme")
    assert "Acme Corp\n(forgotten)\n" in said(biller.get(f"{API}/{number}.pdf").content)


def test_bytes_stay_whatever_is_said_later(office: Web) -> None:
    office.feed([fact("ClientDefined", revision=2, **HERE)])
    generate(office.app.views, TODAY, now())
    number = of(office, "acme")["number"]
    client = office.program("biller")
    before = client.get(f"{API}/{number}.pdf").content
    office.feed(
        [
            fact("ClientDefined", revision=3, name="Acme International plc", address=["1 New Road"]),
            fact("ProviderDefined", revision=2, name="Southwind IT", bank="Other Bank", logo="AAAA"),
            fact("TaxCodeDefined", revision=2, name="Renamed VAT", wording="Other words"),
            fact("ChargeTypeDefined", revision=2, name="Renamed Support"),
        ]
    )
    assert client.get(f"{API}/{number}.pdf").content == before
    office.app.views.rebuild()
    assert client.get(f"{API}/{number}.pdf").content == before


def test_too_many_at_once_are_told_to_wait(issued: Web) -> None:
    client = Web(issued.app, limits=Limits()).program("viewer", "eager")
    number = of(issued, "one")["number"]
    answers = [client.get(f"{API}/{number}.pdf").status_code for _ in range(62)]
    assert answers[:60] == [200] * 60
    assert answers[-1] == 429


def test_file_can_be_read_to_its_last_page(issued: Web) -> None:
    made = issued.program("biller").get(f"{API}/{of(issued, 'many')['number']}.pdf").content
    pages = PdfReader(io.BytesIO(made)).pages
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1].extract_text().replace("\u00a0", " ")
    assert len(made) < 2_000_000
