"""The pages without a browser: what is posted back, what is refused, how figures are written, what is vendored."""

import hashlib
import html
import json
import re
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from daybook.web import pages_render, pages_runs
from daybook.web.pages_generate import read_confirmed, read_only
from daybook.web.pages_item import NotUnderstood, read_amount
from daybook.web.pages_view import read_view
from runs.generate import Outcome
from tests.saying import approved
from tests.web.conftest import TODAY, Web

STATIC = Path(pages_render.__file__).parent / "static" / "vendor"
VENDORED = {
    STATIC / "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    STATIC / "pico.min.css": "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db",
    Path(__file__).parent / "vendor" / "axe" / "axe.min.js": "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
}
"""htmx.org 4.0.1 (dist/htmx.min.js), @picocss/pico 2.1.1 (css/pico.min.css), axe-core 4.14.1 (axe.min.js), as npm packs them."""


@pytest.mark.parametrize(("path", "sha256"), VENDORED.items(), ids=lambda value: getattr(value, "name", "")[:20])
def test_what_is_vendored_is_what_was_published(path: Path, sha256: str) -> None:
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def test_no_page_has_inline_scripts_or_styles() -> None:
    for template in pages_render.TEMPLATES.glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|https?://|\|\s*safe", text), template.name


@pytest.mark.parametrize(
    ("quantity", "unit", "shown"),
    [
        ("12.5", "hour", "12.50"), ("0.33333333", "hour", "0:20"), ("-0.33333333", "hour", "-0:20"), ("1400", "GB", "1,400"),
        ("0.5", "user", "0.5"),
    ],
)
def test_quantities_multiply_out_as_printed(quantity: str, unit: str, shown: str) -> None:
    assert pages_render.quantity(Decimal(quantity), unit) == shown


PRICES = [("180", "GBP", "180.00"), ("0.00125", "GBP", "0.00125"), ("5000", "JPY", "5,000")]


@pytest.mark.parametrize(("price", "currency", "shown"), PRICES)
def test_prices_have_at_least_their_currencys_places(price: str, currency: str, shown: str) -> None:
    assert pages_render.price(Decimal(price), currency) == shown


def test_service_periods_say_the_month_once() -> None:
    assert pages_render.days(date(2026, 5, 1), date(2026, 5, 31)).replace("\xa0", " ") == "1–31 May 2026"
    assert pages_render.days(date(2026, 4, 30), date(2026, 5, 1)).replace("\xa0", " ") == "30 Apr – 1 May 2026"


AMOUNTS = [("-25.00", "GBP", -2500), ("−1.5", "GBP", -150), ("12", "JPY", 12), ("0.125", "KWD", 125)]
NO_AMOUNTS = [("1,5", "GBP"), ("", "GBP"), ("1.005", "GBP"), ("NaN", "GBP"), ("1e99", "GBP"), ("1", "???")]
NO_CONFIRMATIONS = [
    "", "{}", "[1]", '[["a", "GBP", 1.5]]', '[["a", "GBP", true]]', '[["a\\u0000", "GBP", 1]]', "[" * 9_999,
]  # fmt: skip


@pytest.mark.parametrize(("text", "currency", "minor"), AMOUNTS)
def test_amounts_are_read_in_minor_units(text: str, currency: str, minor: int) -> None:
    assert read_amount(text, currency) == minor


@pytest.mark.parametrize(("text", "currency"), NO_AMOUNTS)
def test_amounts_that_are_none_are_said_to_be_none(text: str, currency: str) -> None:
    with pytest.raises(NotUnderstood):
        read_amount(text, currency)


@pytest.mark.parametrize("text", NO_CONFIRMATIONS)
def test_a_confirmation_of_another_make_is_not_taken(text: str) -> None:
    assert read_confirmed(text) is None


def test_a_confirmation_is_read_as_it_was_written() -> None:
    assert read_confirmed('[["a", "GBP", 100], ["a", "EUR", -5]]') == {("a", "GBP"): 100, ("a", "EUR"): -5}
    assert read_only('["a"]') == ["a"]
    assert read_only("[1]") is None


def test_a_view_leaves_out_what_it_cannot_read_and_says_so() -> None:
    view = read_view({"from": "31.5.2026", "to": "2026-05-01", "as_of": "9999-12-31", "page": "x", "client": " a\0b "}, TODAY)
    assert (view.since, view.until, view.as_of, view.page, view.client) == (None, date(2026, 5, 1), TODAY, 1, "ab")
    assert len(view.faults) == 2


def _confirmed(client: TestClient) -> dict[str, str]:
    """The hidden fields of the confirmation page."""
    text = client.get("/generate").text
    return {name: html.unescape(value) for name, value in re.findall(r'name="(as_of|confirmed|only)" value="([^"]*)"', text)}


def _run(office: Web, client: TestClient, data: dict[str, str]) -> str:
    answer = client.post("/generate", data=data)
    assert answer.status_code == 303
    for thread in threading.enumerate():
        if thread.name == f"run-{answer.headers['location'].removeprefix('/runs/')}":
            thread.join(30)
    return client.get(answer.headers["location"]).text


def test_a_client_whose_figure_changed_after_the_confirmation_is_left_out_with_both_figures(office: Web) -> None:
    client = office.browser("biller")
    data = _confirmed(client)
    assert sorted(json.loads(data["confirmed"])) == [["acme", "GBP", 15000], ["buildco", "GBP", 22500]]
    office.feed(approved("e9", client_id="buildco", worked_minutes=60))
    text = _run(office, client, data)
    assert "1 document issued" in text
    assert "The figure changed after you confirmed it." in text
    assert "GBP\xa0225.00" in text
    assert "GBP\xa0375.00" in text
    assert "1 left out" in text


def test_what_was_issued_is_on_its_page_and_not_issued_again(office: Web) -> None:
    client = office.browser("biller")
    data = _confirmed(client)
    assert "2 documents issued" in _run(office, client, data)
    assert "Nothing was issued" in _run(office, client, data)
    number = re.findall(r'href="/invoices/([^"]+)"', client.get("/invoices").text)[0]
    assert "Tax summary" in client.get(f"/invoices/{number}").text
    assert "Source events" in client.get(f"/explain?number={number}&line=1").text
    assert client.get("/explain?number=NONE&line=1").status_code == 404


def test_a_correction_and_what_it_corrects_name_each_other(office: Web) -> None:
    client = office.browser("biller")
    _run(office, client, _confirmed(client))
    office.feed(approved("e1", revision=2, worked_minutes=75))
    assert "1 document issued" in _run(office, client, _confirmed(client))
    numbers = re.findall(r'href="/invoices/([^"]+)"', client.get("/invoices?client=acme").text)
    later, first = (client.get(f"/invoices/{number}").text for number in numbers)
    assert f'corrects <a href="/invoices/{numbers[1]}#line-1">' in later
    assert f'corrected by <a href="/invoices/{numbers[0]}#line-1">' in first


def test_one_run_at_a_time(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    free, entered = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> Outcome:
        entered.set()
        free.wait(30)
        return Outcome()

    monkeypatch.setattr(pages_runs, "generate", slow)
    client = office.browser("biller")
    data = _confirmed(client)
    first = client.post("/generate", data=data).headers["location"]
    assert entered.wait(10)
    assert client.post("/generate", data=data).headers["location"] == first
    progress = client.get(first, headers={"hx-request": "true"}).text
    free.set()
    assert 'hx-trigger="every 400ms"' in progress
    assert "0 of 2 clients done" in progress


def test_a_run_that_breaks_says_so(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Outcome:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(pages_runs, "generate", broken)
    client = office.browser("biller")
    text = _run(office, client, _confirmed(client))
    assert "The run did not finish" in text
    assert "secret detail" not in text


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/queue/hold", {"about": "client_id=acme&item=time/e1", "reason": " "}, 422),
        ("/queue/hold", {"about": "client_id=acme&item=time/none", "reason": "x"}, 404),
        ("/queue/release", {"about": "client_id=acme&item=time/e1", "reason": "x"}, 409),
        ("/queue/adjust", {"about": "client_id=acme&item=time/e1", "reason": "x", "amount": "0"}, 409),
        ("/generate", {"as_of": "soon", "confirmed": "[]"}, 409),
    ],
)
def test_a_decision_that_cannot_be_taken_changes_nothing(office: Web, path: str, data: dict[str, str], status: int) -> None:
    before = office.app.book.head()
    assert office.browser("biller").post(path, data=data).status_code == status
    assert office.app.book.head() == before


def test_personal_text_is_shown_to_billers_and_forgotten_with_its_key(office: Web) -> None:
    office.feed(approved("e7", note="Anna's laptop"))
    assert "Anna&#39;s laptop" in office.browser("biller").get("/time").text
    viewer = office.browser("viewer").get("/time").text
    assert "Anna" not in viewer
    assert "(for billers only)" in viewer
    office.app.book.keyring.forget("acme")
    assert "(forgotten)" in office.browser("biller").get("/time").text
