"""Money by hand and the payments inbox: recorded once, refused in a clear line, matched by one person only."""

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import expect

from tests.web.browser import chromium, served, visiting
from tests.web.conftest import TODAY, Web
from tests.web.money import counted, invoiced, outstanding, paid
from tests.web.places import PAYLOAD, SHOWN
from tests.web.surfaces import page as safe_page

ACME = urlencode({"client": "acme"})


@pytest.fixture
def books(office: Web) -> Web:
    return invoiced(office)


def token_of(html: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found is not None
    return found[1]


def new_form(browser: TestClient, query: str = ACME) -> tuple[str, dict[str, Any]]:
    """The form as the page gives it: its HTML, and what it would send untouched."""
    html = browser.get(f"/payments/new?{query}").text
    amount = re.search(r'name="amount"[^>]* value="([^"]*)"', html)
    assert amount is not None
    fields = {"about": ACME, "token": token_of(html), "amount": amount[1], "currency": "GBP", "received_on": str(TODAY)}
    return html, fields


def test_form_is_filled_in_with_what_is_outstanding_and_pays_it(books: Web) -> None:
    biller = books.browser()
    html, fields = new_form(biller, f"{ACME}&invoice=INV-000001")
    assert fields["amount"] == "180.00"
    assert re.search(r'value="INV-000001" checked', html)
    assert 'maxlength="3"' not in html, "a word typed for a currency is told whole, not cut"
    assert f'value="{TODAY}"' in html
    answer = biller.post("/payments/new", data=fields | {"invoice": ["INV-000001"], "reference": "BACS 1", "method": "bank"})
    assert answer.status_code == 303
    assert outstanding(books) == {"INV-000001": 0, "INV-000002": 27_000}
    shown = biller.get(answer.headers["location"]).text
    assert "Recorded. It counts from now on." in shown
    assert "BACS 1" in shown
    assert "/invoices/INV-000001" in shown
    [(source, method, occurred)] = books.rows(
        "SELECT convert_from(state, 'UTF8')::jsonb ->> 'source', convert_from(state, 'UTF8')::jsonb ->> 'method',"
        " source_topic FROM ledger.daybook_events WHERE topic = 'payment.received.v1'"
    )
    assert (source, method, occurred) == ("daybook/biller-browser", "bank", "daybook.payments"), "came by the log, as a fact"


def test_the_same_form_sent_twice_is_one_payment(books: Web) -> None:
    biller = books.browser()
    _, fields = new_form(biller)
    first = biller.post("/payments/new", data=fields | {"amount": "100"})
    again = biller.post("/payments/new", data=fields | {"amount": "100"})
    assert (first.status_code, again.status_code) == (303, 303)
    assert "said=already" in again.headers["location"]
    assert counted(books) == 1
    changed = biller.post("/payments/new", data=fields | {"amount": "101"})
    assert changed.status_code == 409
    assert "This form was used already, with another amount" in changed.text
    assert outstanding(books)["INV-000001"] == 8_000


def test_a_double_click_is_one_payment(books: Web) -> None:
    biller = books.browser()
    _, fields = new_form(biller)
    with ThreadPoolExecutor(6) as hands:
        answers = list(hands.map(lambda _: biller.post("/payments/new", data=fields).status_code, range(6)))
    assert answers == [303] * 6
    assert counted(books) == 1


REFUSED = {
    "nobody": ({"about": urlencode({"client": "nobody"})}, "There is no client nobody"),
    "currency in words": ({"currency": "pounds"}, "“pounds” is no currency such as GBP."),
    "currency": ({"currency": "gbp"}, "“gbp” is no currency such as GBP."),
    "digits": ({"amount": "1.005"}, "GBP has 2 decimal places; 1.005 has more."),
    "zero": ({"amount": "0.00"}, "The amount must be above zero."),
    "negative": ({"amount": "-5"}, "The amount must be above zero."),
    "no amount": ({"amount": "ten"}, "“ten” is no amount such as 125.00."),
    "not a number": ({"amount": "NaN"}, "“NaN” is no amount such as 125.00."),
    "endless": ({"amount": "1e999999999"}, "is no amount such as 125.00."),
    "beyond belief": ({"amount": "1e13"}, "1e13 is beyond belief."),
    "future": ({"received_on": "2026-06-01"}, "2026-06-01 is in the future"),
    "no day": ({"received_on": ""}, "On which day did the money come?"),
    "odd day": ({"received_on": "31.5."}, "is no date such as 2026-05-31."),
    "method": ({"method": "barter"}, "The method must be one of"),
    "another's": ({"invoice": ["INV-000002"]}, "INV-000002 is another client"),
    "other currency": ({"currency": "EUR", "others": "INV-000001"}, "INV-000001 is in GBP, the payment in EUR."),
    "no such invoice": ({"others": "INV-999999"}, "There is no invoice INV-999999. Open of acme: INV-000001."),
    "no such account": ({"currency": "EUR"}, "acme has GBP, and nothing in EUR: the payment would pay nothing."),
    "token": ({"token": "../x"}, "The form could not be read: open it anew."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_payment_is_refused_in_a_clear_line_and_nothing_is_recorded(books: Web, name: str) -> None:
    changed, line = REFUSED[name]
    biller = books.browser()
    _, fields = new_form(biller)
    answer = biller.post("/payments/new", data=fields | changed)
    assert answer.status_code in (404, 409, 422), answer.text
    assert line in answer.text.replace("&#39;", "'"), answer.text
    assert counted(books) == 0


def test_number_and_currency_that_are_not_there_are_taken_with_their_ticks_only(books: Web) -> None:
    biller = books.browser()
    html, fields = new_form(biller)
    assert "_ok" not in html, "nobody is asked before there is reason to"
    asked = fields | {"amount": "10", "others": "INV-000099", "currency": "EUR"}
    for tick, words in (("unknown_invoice_ok", "keep the number"), ("other_currency_ok", "keep it as credit")):
        refused = biller.post("/payments/new", data=asked)
        assert refused.status_code == 409
        assert words in refused.text
        assert re.search(rf'name="{tick}" value="1" aria-invalid', refused.text), "the tick is offered, not set"
        asked[tick] = "1"
    assert biller.post("/payments/new", data=asked).status_code == 303
    assert counted(books) == 1


def test_refund_by_a_page_is_not_dated_before_the_payment(books: Web) -> None:
    books.feed([paid("p/1", 18_000)])
    biller = books.browser()
    asked = urlencode({"client_id": "acme", "payment_id": "p/1"})
    token = token_of(biller.get(f"/payments/one?{asked}").text)
    form = {"about": asked, "token": token, "amount": "50", "reason": "x", "on": "2026-05-30"}
    early = biller.post("/payments/refund", data=form)
    assert early.status_code == 409
    assert "2026-05-30 is before the payment came (2026-05-31): nothing can go back before that." in early.text
    assert 'id="fault-on"' in early.text


def test_refund_is_recorded_once_and_never_more_than_is_left(books: Web) -> None:
    books.feed([paid("p/1", 18_000, surcharge_minor=0)])
    biller = books.browser()
    address = f"/payments/one?{urlencode({'client_id': 'acme', 'payment_id': 'p/1'})}"
    about = urlencode({"client_id": "acme", "payment_id": "p/1"})
    form = {"about": about, "token": token_of(biller.get(address).text), "amount": "50.00", "reason": "paid too much"}
    assert [biller.post("/payments/refund", data=form).status_code for _ in range(2)] == [303, 303]
    assert outstanding(books)["INV-000001"] == 5_000
    assert books.rows("SELECT kind, amount_minor FROM books.returns") == [("refund", 5_000)]
    too_much = biller.post("/payments/refund", data=form | {"token": token_of(biller.get(address).text), "amount": "130.01"})
    assert too_much.status_code == 409
    assert "Only GBP 130.00 of this payment is left to give back." in too_much.text
    silent = biller.post("/payments/refund", data=form | {"token": token_of(biller.get(address).text), "reason": " "})
    assert "Give a reason" in silent.text
    assert b"paid too much" not in books.rows("SELECT state FROM ledger.daybook_events WHERE topic = 'payment.refunded.v1'")[0][0]
    assert "paid too much" in biller.get("/clients/acme").text, "the timeline has the reason, for those who may read it"
    assert "paid too much" not in books.browser("viewer").get("/clients/acme").text


def test_chargeback_is_recorded_as_one_and_opens_what_was_paid(books: Web) -> None:
    books.feed([paid("p/1", 18_000, surcharge_minor=0)])
    biller = books.browser()
    asked = urlencode({"client_id": "acme", "payment_id": "p/1"})
    address = f"/payments/one?{asked}"
    token = token_of(biller.get(address).text)
    form = {"about": asked, "token": token, "amount": "50", "reason": "disputed", "kind": "chargeback"}
    odd = biller.post("/payments/refund", data=form | {"kind": "gift"})
    assert odd.status_code == 422
    assert "Say whether you gave it back or the bank took it." in odd.text
    assert [biller.post("/payments/refund", data=form).status_code for _ in range(2)] == [303, 303]
    assert books.rows("SELECT kind, amount_minor FROM books.returns") == [("chargeback", 5_000)]
    assert outstanding(books)["INV-000001"] == 5_000
    assert "Chargeback hand-" in biller.get(address).text
    assert books.browser("viewer").post("/payments/refund", data=form).status_code == 403


def test_inbox_suggests_by_number_amount_and_name_and_one_click_matches(books: Web) -> None:
    books.feed(
        [
            paid("x1", 18_000, client_id="?", provider_ref="no idea"),
            paid("x2", 5_000, client_id="?", provider_ref="RE INV-000002, thanks"),
            paid("x3", 700, client_id="?", provider_ref="BUILDCO LTD 77"),
            paid("x4", 801, client_id="?"),
        ]
    )
    viewer, biller = books.browser("viewer"), books.browser()
    inbox = biller.get("/payments").text
    assert "INV-000001 is open for just this amount" in inbox
    assert "it names INV-000002" in inbox
    assert "the reference has its name" in inbox
    assert inbox.count('action="/payments/match"') == 3
    assert "4 things wait" in inbox
    looked = viewer.get("/payments").text
    assert "Perhaps Acme Corp" in looked
    assert "<form method=\"post\" action=\"/payments/match\"" not in looked
    about = urlencode({"client_id": "?", "payment_id": "x1"})
    assert viewer.post("/payments/match", data={"about": about}).status_code == 403
    answer = biller.post("/payments/match", data={"about": about, "client_id": ACME})
    assert answer.status_code == 303
    assert "said=matched" in answer.headers["location"]
    assert outstanding(books)["INV-000001"] == 0
    assert books.rows("SELECT id FROM books.waiting WHERE what = 'payment' ORDER BY id") == [("x2",), ("x3",), ("x4",)]
    typed = biller.post("/payments/match", data={"about": urlencode({"client_id": "?", "payment_id": "x4"}), "client": "build"})
    assert typed.status_code == 303
    vague = biller.post("/payments/match", data={"about": urlencode({"client_id": "?", "payment_id": "x3"}), "client": "c"})
    assert "may be any of 2 clients" in vague.text


def test_two_people_who_match_one_payment_to_two_clients_end_in_one_and_the_second_is_told(books: Web) -> None:
    books.feed([paid("x1", 9_000, client_id="?")])
    ann, bob = books.browser(name="ann"), books.browser(name="bob")
    about = urlencode({"client_id": "?", "payment_id": "x1"})

    def click(one: tuple[TestClient, str]) -> Any:
        return one[0].post("/payments/match", data={"about": about, "client_id": urlencode({"client": one[1]})})

    with ThreadPoolExecutor(2) as hands:
        answers = list(hands.map(click, [(ann, "acme"), (bob, "buildco")]))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    told = next(answer.text for answer in answers if answer.status_code == 409)
    assert re.search(r"(Acme Corp|Buildco Ltd) has this payment already: matched by daybook/(ann|bob)", told)
    assert sum(outstanding(books).values()) == 45_000 - 9_000, "it counts once"
    assert counted(books) == 2, "the bank's statement, and the one that claims it"
    again = click((ann, "acme") if answers[0].status_code == 303 else (bob, "buildco"))
    assert "said=already" in again.headers["location"]


def test_list_is_filtered_and_has_what_each_pays(books: Web) -> None:
    books.feed([paid("p1", 20_000, method="card"), paid("p2", 27_000, client_id="buildco", invoice_numbers=["INV-000002"])])
    viewer = books.browser("viewer")
    everything = viewer.get("/payments").text
    assert "2 in GBP" in everything
    assert "GBP\xa0470.00" in everything
    credit = viewer.get("/payments?unapplied=1").text
    assert "p1" in credit
    assert "p2" not in credit
    assert "p2" not in viewer.get("/payments?method=card").text
    assert "No payment fits" in viewer.get("/payments?to=2026-05-30").text
    assert "p1" not in viewer.get("/payments?client=buildco").text
    wrong = viewer.get("/payments?from=soon")
    assert wrong.status_code == 422
    assert "is no date such as" in wrong.text


def test_api_lists_pages_shows_one_and_matches(books: Web) -> None:
    books.feed([paid("p1", 100), paid("p/2", 200), paid("x1", 300, client_id="?"), paid("p3", 400, client_id="buildco")])
    program = books.program()
    everything = program.get("/api/v1/payments").json()
    assert {one["payment_id"] for one in everything} == {"p1", "p/2", "x1", "p3"}
    seen, address = [], "/api/v1/payments?limit=3"
    while address:
        part = program.get(address)
        seen += part.json()
        link = part.headers.get("link")
        address = link[1 : link.index(">")] if link else ""
    assert seen == everything
    assert [one["payment_id"] for one in program.get("/api/v1/payments?waiting=true").json()] == ["x1"]
    assert [one["payment_id"] for one in program.get("/api/v1/payments?search=build").json()] == ["p3"]
    [one] = program.get("/api/v1/payments/p/2").json()
    assert (one["amount_minor"], one["pays"]) == (200, [{"number": "INV-000001", "amount_minor": 200}])
    assert program.get("/api/v1/payments/none").status_code == 404
    wanted = {"payment_id": "x1", "client_id": "buildco"}
    assert program.post("/api/v1/payments/match", json=wanted | {"client_id": "nobody"}).status_code == 422
    first = program.post("/api/v1/payments/match", json=wanted)
    assert first.json() == {**wanted, "currency": "GBP", "amount_minor": 300, "already": False}
    assert program.post("/api/v1/payments/match", json=wanted).json()["already"] is True
    second = program.post("/api/v1/payments/match", json=wanted | {"client_id": "acme"})
    assert (second.status_code, second.headers["content-type"]) == (409, "application/problem+json")
    assert "Buildco Ltd has this payment already" in second.json()["detail"]
    assert program.post("/api/v1/payments/match", json=wanted | {"payment_id": "p1"}).status_code == 404
    assert books.program("viewer").post("/api/v1/payments/match", json=wanted).status_code == 403
    sheet = program.get("/api/v1/payments?format=csv&client=acme").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert [(row["payment_id"], row["amount"], row["pays"]) for row in rows] == [
        ("p/2", "2.00", "INV-000001"), ("p1", "1.00", "INV-000001"),
    ]  # fmt: skip


def test_markup_in_what_the_bank_sends_stays_text(books: Web) -> None:
    id_ = PAYLOAD.replace("\u202e", "")
    books.feed([paid(f"x {id_}"[:120], 100, client_id="?", provider_ref=PAYLOAD, method=PAYLOAD, invoice_numbers=[PAYLOAD])])
    biller = books.browser()
    for path in ("/payments", f"/payments/one?{urlencode({'client_id': '?', 'payment_id': f'x {id_}'[:120]})}"):
        answer = biller.get(path)
        assert answer.status_code == 200
        read = safe_page(answer.text)
        assert any(SHOWN in text for text in read.texts), path
        assert not {tag for tag, _ in read.skeleton} & {"img"}


def test_payment_is_recorded_by_keyboard_alone_on_a_phone(books: Web) -> None:
    with chromium() as browser, served(books) as address, visiting(browser, books, address, width=390) as visitor:
        page = visitor.go("/clients/acme")
        page.get_by_role("link", name="Record a payment").focus()
        page.keyboard.press("Enter")
        amount = page.get_by_label("Amount", exact=True)
        expect(amount).to_have_value("180.00")
        amount.focus()
        page.keyboard.press("Control+a")
        page.keyboard.type("80.5")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Recorded. It counts from now on.")
        expect(page.get_by_text("GBP 80.50", exact=True).first).to_be_visible()
        assert visitor.widths()[0] <= 390
        assert visitor.complaints == []
    assert outstanding(books)["INV-000001"] == 9_950


def test_refund_form_says_which_invoice_opens_again(books: Web) -> None:
    books.feed([paid("p1", 20_000)])
    biller = books.browser()
    text = biller.get(f"/payments/one?{urlencode({'client_id': 'acme', 'payment_id': 'p1'})}").text
    told = " ".join(re.sub(r"<[^>]+>", "", text.replace("\xa0", " ")).split())
    assert "The first GBP 20.00 of it is credit that pays nothing yet; beyond that it opens again: INV-000001 (at most" in told
