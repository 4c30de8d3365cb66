"""The list of clients and a client's account: balances of any day, drawn and in figures, and everything ever recorded."""

import csv
import io
import re
from datetime import date
from time import perf_counter
from typing import Any

import pytest
from playwright.sync_api import expect

from daybook import feeding
from daybook.web.charts import WIDTH, ageing_bar
from projections.balances import Balance
from runs.decide import find_item, hold
from tests.saying import approved, said
from tests.web.browser import chromium, served, visiting
from tests.web.conftest import Web
from tests.web.money import NOON, invoiced, paid


@pytest.fixture
def books(office: Web) -> Web:
    return invoiced(office)


def balance(**ages: int) -> Balance:
    given = dict.fromkeys(("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90"), 0) | ages
    return Balance(
        client_id="a", client_name="A", currency="GBP", outstanding_minor=sum(given.values()), overdue_minor=0, unapplied_minor=0,
        **{f"{age}_minor": minor for age, minor in given.items()},
    )  # fmt: skip


@pytest.mark.parametrize(
    "ages",
    [
        {"current": 1},
        {"current": 1, "days_over_90": 10**12},
        {"current": 1, "days_1_30": 1, "days_31_60": 1, "days_61_90": 1, "days_over_90": 10**14},
        {"days_1_30": 333, "days_31_60": 333, "days_61_90": 334},
    ],
)
def test_bar_is_whole_and_shows_whatever_there_is(ages: dict[str, int]) -> None:
    parts = ageing_bar(balance(**ages))
    assert [part.age for part in parts] == list(ages)
    assert sum(part.width for part in parts) == WIDTH
    assert all(part.width >= 12 for part in parts)
    assert [part.x for part in parts] == [sum(one.width for one in parts[:at]) for at in range(len(parts))]


def test_nothing_outstanding_draws_nothing() -> None:
    assert ageing_bar(balance()) == ()


def rows_of(html: str) -> list[str]:
    """The text of each row of the first table's body."""
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).replace("\xa0", " ").split()) for row in body.split("</tr>")[:-1]]


def test_list_has_every_client_and_the_most_overdue_first(books: Web) -> None:
    books.feed([said("ClientDefined", client_id="quiet", name="Quiet Ltd"), paid("p1", 20_000)])
    viewer = books.browser("viewer")
    now = viewer.get("/clients").text
    assert rows_of(now)[0] == "Buildco Ltd Not due 270.00 GBP 270.00 – 270.00 – – – – –"
    assert rows_of(now)[1] == "Acme Corp Credit 20.00 GBP 0.00 – – – – – – 20.00"
    assert rows_of(now)[2].startswith("Quiet Ltd nothing yet")
    later = viewer.get("/clients?as_of=2026-08-01").text
    assert rows_of(later)[0] == "Buildco Ltd 31–60 days 270.00 GBP 270.00 270.00 – – 270.00 – – –"
    assert "3 clients, as of 1\xa0Aug\xa02026" in later
    before = viewer.get("/clients?as_of=2026-05-30").text
    assert all("nothing yet" in row for row in rows_of(before))
    assert len(rows_of(viewer.get("/clients?client=build").text)) == 1
    assert "No client matches “nobody”" in viewer.get("/clients?client=nobody").text
    wrong = viewer.get("/clients?as_of=soon")
    assert (wrong.status_code, "is no date such as" in wrong.text) == (422, True)


def test_every_age_can_be_read_on_a_phone(books: Web) -> None:
    books.feed([paid("p1", 20_000)])
    with chromium() as browser, served(books) as address, visiting(browser, books, address, width=390) as visitor:
        page = visitor.go("/clients?as_of=2026-08-01")
        for client, aged in (("Buildco Ltd", "31–60 days 270.00"), ("Acme Corp", "Credit 20.00")):
            row = page.get_by_role("row").filter(has_text=client)
            name, figure = aged.rsplit(" ", 1)
            expect(row.locator(".aged", has_text=name)).to_be_visible()
            expect(row.locator(".aged", has_text=figure)).to_be_visible()
        assert visitor.widths()[0] <= 390
        assert visitor.serious() == []


def test_what_is_not_there_leads_to_its_list(books: Web) -> None:
    viewer = books.browser("viewer")
    for address, leads in (
        ("/clients/nobody", '<a href="/clients">To the clients</a>'),
        ("/invoices/INV-9", '<a href="/invoices">To the invoices</a>'),
        ("/payments/one?client_id=acme&payment_id=x", '<a href="/payments">To the payments</a>'),
    ):
        answer = viewer.get(address)
        assert (answer.status_code, leads in answer.text) == (404, True), address
    assert "To the clients" not in viewer.get("/nowhere").text


def test_list_leads_to_its_sheet(books: Web) -> None:
    viewer = books.browser("viewer")
    html = viewer.get("/clients?client=build&as_of=2026-08-01").text
    [address] = re.findall(r'href="(/api/v1/balances[^"]*)"', html)
    sheet = viewer.get(address.replace("&amp;", "&")).content.decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(sheet))
    assert (row["client_id"], row["overdue"], row["days_31_60"]) == ("buildco", "270.00", "270.00")


def test_account_is_that_of_any_day(books: Web) -> None:
    books.feed([paid("p1", 20_000, received_at=NOON.replace(hour=9))])
    viewer = books.browser("viewer")
    now = viewer.get("/clients/acme").text
    assert "GBP\xa00.00 outstanding, 20.00 credit beside it" in now
    assert "Payments in GBP" in now
    assert "Open documents" not in now
    assert "Record a payment" not in now, "a viewer records nothing"
    before = viewer.get("/clients/acme?as_of=2026-05-30").text
    assert "Nothing was issued or paid by 30\xa0May\xa02026." in before
    late = viewer.get("/clients/buildco?as_of=2026-10-15").text
    assert "GBP\xa0270.00 outstanding, <span class=\"late\">270.00 overdue</span>" in late
    assert "107 days overdue" in late
    assert 'aria-label="Ageing of GBP\xa0270.00, by days past due; the table has the figures"' in late
    assert viewer.get("/clients/nobody").status_code == 404
    assert viewer.get("/clients/acme?as_of=x").status_code == 422


def test_refunds_credits_and_waiting_stand_on_the_account(books: Web) -> None:
    books.feed([paid("p1", 20_000), paid("p2", 100, currency="EUR", invoice_numbers=["INV-000001"])])
    books.feed(
        [
            said(
                "PaymentChargedBack", at=NOON, client_id="acme", payment_id="p1", refund_id="cb1", amount_minor=5_000,
                currency="GBP", fee_minor=0, reason="disputed",
            )
        ]
    )  # fmt: skip
    html = books.browser("viewer").get("/clients/acme").text.replace("\xa0", " ")
    assert "chargeback cb1: 50.00 on 31 May 2026" in html
    assert "GBP 30.00 outstanding" in html
    assert "Other currency than its item" in html
    assert "EUR 0.00 outstanding, 1.00 credit beside it" in html


def test_timeline_has_every_event_with_who_and_why_and_leads_on(books: Web) -> None:
    books.feed(approved("e9", agent_id="sam"))
    books.feed([paid("p1", 20_000)])
    with books.app.views.reading() as cursor:
        item = find_item(cursor, "time/e9", "acme")
    hold(books.app.book, item, reason="ask Ann first", by="zoe", at=NOON)
    books.app.views.catch_up()
    [(count,)] = books.rows("SELECT count(*) FROM ledger.daybook_events WHERE client_id = 'acme'")
    biller, viewer = books.browser(), books.browser("viewer")
    html = biller.get("/clients/acme").text
    assert f"{count} events, everything that was ever recorded" in html
    story = html[html.index("Timeline of facts") :]
    assert story.count("<tr>") == count + 1
    order = [story.index(text) for text in ("Item held", "Payment received", "Time entry approved", "Invoice issued")]
    assert order == sorted(order), "the newest first"
    assert "ask Ann first" in story
    assert "zoe" in story
    assert 'href="/invoices/INV-000001"' in story
    assert "client_id=acme&amp;item=time%2Fe9" in story
    assert "/payments/one?client_id=acme&amp;payment_id=p1" in story
    assert "daybook.payments partition" in story
    hidden = viewer.get("/clients/acme").text
    assert "ask Ann first" not in hidden
    assert "(for billers only)" in hidden


def test_account_of_five_thousand_events_is_paged_and_quick(office: Web) -> None:
    many: list[Any] = []
    for number in range(1_250):
        many += approved(f"m{number}", worked_on=date(2026, 5, 1 + number % 28).isoformat())
        many.append(paid(f"p{number}", 100 + number))
    for start in range(0, len(many), 1_000):
        feeding.feed(office.app, many[start : start + 1_000], feeding.Fed())
    feeding.feed(office.app, [paid(f"q{number}", 10) for number in range(1_250)], feeding.Fed())
    office.app.views.catch_up()
    viewer = office.browser("viewer")
    seen: set[str] = set()
    took = []
    for number in (1, 2, 50, 100):
        started = perf_counter()
        answer = viewer.get(f"/clients/acme?page={number}")
        took.append(perf_counter() - started)
        found = set(re.findall(r"batch \d+, [^<]*", answer.text[answer.text.index("Timeline of facts") :]))
        assert answer.status_code == 200
        assert len(found) == 50
        assert not found & seen
        seen |= found
    assert "Page 100 of 101" in answer.text
    assert min(took) < 1.0, took
    print("account of 5,000 events, seconds:", [round(one, 3) for one in took])
