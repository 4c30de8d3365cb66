"""Credit, void and write-off by the API and on an invoice's page."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from daybook.app import now
from runs.generate import generate
from tests.producers.papers import said as said_of
from tests.saying import approved, said
from tests.web.conftest import TODAY, Web
from tests.web.money import paid
from tests.web.test_pages_filters import text_of

API = "/api/v1/invoices"
INV = "INV-000001"


@pytest.fixture
def billed(office: Web) -> Web:
    """The office with its two invoices: Acme's of 180.00, Buildco's of 270.00."""
    assert [d.number for d in generate(office.app.views, TODAY, now()).documents] == [INV, "INV-000002"]
    office.app.views.catch_up()
    return office


def shown(client: TestClient, number: str = INV) -> str:
    """The text of a document's page."""
    return re.sub(r"\s+", " ", text_of(client.get(f"/invoices/{number}").text)).replace("\xa0", " ")


def listed(client: TestClient, number: str) -> dict[str, Any]:
    [found] = [one for one in client.get(API).json() if one["number"] == number]
    return dict(found)


def test_api_credits_a_line_once_and_answers_a_repeat_under_its_key_alike(billed: Web) -> None:
    client = billed.program("biller")
    asked = {"mode": "rebill", "line_no": 1, "reason": "disputed"}
    first = client.post(f"{API}/{INV}/credit", json=asked, headers={"idempotency-key": "c-1"})
    assert first.status_code == 200, first.text
    assert {**first.json(), "batch": 0} == {
        "done": "credited", "number": INV, "client_id": "acme", "currency": "GBP", "credit_note": "CN-0001",
        "mode": "rebill", "net_minor": -15_000, "tax_minor": -3_000, "total_minor": -18_000, "batch": 0,
    }  # fmt: skip
    again = client.post(f"{API}/{INV}/credit", json=asked, headers={"idempotency-key": "c-1"})
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    twice = client.post(f"{API}/{INV}/credit", json=asked)
    assert (twice.status_code, "by CN-0001 line 1" in twice.json()["detail"]) == (409, True)
    assert [row["net_minor"] for row in client.get("/api/v1/queue?client=acme").json()] == [15_000]


def test_api_voids_and_writes_off(billed: Web) -> None:
    client = billed.program("biller")
    voided = client.post(f"{API}/{INV}/void", json={"reason": "wrong client"}).json()
    assert (voided["done"], voided["credit_note"], voided["mode"]) == ("voided", "CN-0001", "rebill")
    assert (listed(client, INV)["status"], listed(client, INV)["outstanding_minor"]) == ("voided", 0)
    given_up = client.post(f"{API}/INV-000002/write-off", json={"reason": "bankrupt"}).json()
    assert (given_up["done"], given_up["credit_note"], given_up["total_minor"]) == ("written_off", None, -27_000)
    assert listed(client, "INV-000002")["status"] == "written_off"
    assert client.get(f"{API}/{INV}").json()["status"] == "voided"


def test_api_refuses_what_cannot_be(billed: Web) -> None:
    client = billed.program("biller")
    for path, body, status in (
        (f"{INV}/credit", {"reason": "x"}, 422),
        (f"{INV}/credit", {"mode": "forgive", "reason": "x"}, 422),
        (f"{INV}/credit", {"mode": "waive", "reason": " "}, 422),
        (f"{INV}/credit", {"mode": "waive", "reason": "x", "line_no": 2}, 404),
        (f"{INV}/credit", {"mode": "waive", "reason": "x", "line_no": True}, 422),
        (f"{INV}/credit", {"mode": "waive", "reason": "x", "as_of": "2026-05-30"}, 409),
        ("INV-000009/void", {"reason": "x"}, 404),
        ("2026/0001/write-off", {"reason": "x"}, 404),
        (f"{INV}/write-off", {"reason": "x", "amount_minor": 5}, 422),
    ):
        answer = client.post(f"{API}/{path}", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (path, body)
    assert billed.rows("SELECT count(*) FROM books.invoices") == [(2,)]


def test_page_refuses_to_void_a_paid_invoice_and_names_its_own_box(billed: Web) -> None:
    billed.feed([paid("p1", 18_000)])
    client = billed.browser()
    answer = client.post(f"/invoices/{INV}/void", data={"reason": "wrong client", "sure": "yes"})
    assert answer.status_code == 409
    said_so = f"{INV} is paid, in part or whole, by p1: record that it went back first, at the payment, or use “Credit” below."
    assert said_so in answer.text
    assert "<summary>Credit</summary>" in answer.text
    assert "daybook credit" not in answer.text


def test_page_voids_after_a_reason_and_a_yes_and_links_both_ways(billed: Web) -> None:
    client = billed.browser("biller", "ann")
    address = f"/invoices/{INV}/void"
    for data, wrong in (
        ({"reason": "wrong client"}, "Tick that you are sure"),
        ({"sure": "yes"}, "Give a reason"),
        ({"reason": "x" * 501, "sure": "yes"}, "longer than 500"),
    ):
        answer = client.post(address, data=data)
        assert (answer.status_code, wrong in answer.text) == (422, True), data
    done = client.post(address, data={"reason": "wrong <b>client</b>", "sure": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, f"/invoices/{INV}?said=voided")
    assert "Voided: the credit note is linked below" in client.get(done.headers["location"]).text
    page = client.get(f"/invoices/{INV}").text
    assert '<a href="/invoices/CN-0001">CN-0001</a>' in page
    assert "wrong &lt;b&gt;client&lt;/b&gt;" in page
    assert re.search(r"Voided by CN-0001 ?, ann, .* because wrong", shown(client))
    assert f'<a href="/invoices/{INV}">{INV}</a>' in client.get("/invoices/CN-0001").text
    assert "action=" not in page.split("<article")[1], "nothing is left to do"
    again = client.post(address, data={"reason": "again", "sure": "yes"})
    assert (again.status_code, "was voided already, by CN-0001" in again.text) == (409, True)
    assert "voided" in client.get("/invoices").text
    assert client.post("/invoices/INV-000009/void", data={"reason": "x", "sure": "yes"}).status_code == 404


def test_page_credits_a_line_and_writes_the_rest_off(billed: Web) -> None:
    billed.feed(approved("e9", worked_minutes=30, worked_on="2026-05-22"))
    generate(billed.app.views, TODAY, now())
    client = billed.browser("biller", "ann")
    address = "/invoices/INV-000002"
    missing = client.post(f"{address}/credit", data={"reason": "x", "sure": "yes", "line": "1"})
    assert (missing.status_code, "billed again or given up" in missing.text) == (422, True)
    assert client.post(f"{address}/credit", data={"line": "one", "mode": "waive"}).status_code == 422
    billed.feed([said("PaymentReceived", at=now(), received_at=now(), client_id="buildco", payment_id="p1",
                      amount_minor=7_000, currency="GBP", method="transfer")])  # fmt: skip
    done = client.post(f"{address}/write-off", data={"reason": "will not pay", "sure": "yes"})
    assert done.headers["location"] == f"{address}?said=written-off"
    page = shown(client, "INV-000002")
    assert "GBP 200.00 written off on 31 May 2026" in page
    assert "because will not pay" in page
    assert "counts for nothing" not in page
    early = {"received_at": "2026-05-30T08:00:00Z", "client_id": "buildco", "payment_id": "p0", "amount_minor": 12_000,
             "invoice_numbers": ["INV-000002"]}  # fmt: skip
    billed.feed([said("PaymentReceived", at=now(), currency="GBP", method="transfer", **early)])
    assert "GBP 50.00 of it counts for nothing" in shown(client, "INV-000002")
    credited = client.post(f"/invoices/{INV}/credit", data={"reason": "goodwill", "sure": "yes", "line": "1", "mode": "waive"})
    assert credited.headers["location"] == f"/invoices/{INV}?said=credited"
    assert "Credited by CN-0001 (waived)" in shown(client)
    assert "Credits INV-000001 (waived)" in shown(client, "CN-0001")


def test_viewer_sees_that_it_was_corrected_but_neither_the_reason_nor_the_forms(billed: Web) -> None:
    billed.browser("biller", "ann").post(f"/invoices/{INV}/void", data={"reason": "a secret", "sure": "yes"})
    client = billed.browser("viewer")
    page = client.get(f"/invoices/{INV}").text
    assert "CN-0001" in page
    assert "a secret" not in page
    assert "for billers only" in page
    assert "/credit" not in client.get("/invoices/INV-000002").text
    assert client.post("/invoices/INV-000002/void", data={"reason": "x", "sure": "yes"}).status_code == 403


def test_reason_of_a_forgotten_client_reads_as_forgotten(billed: Web) -> None:
    client = billed.browser("biller", "ann")
    client.post(f"/invoices/{INV}/void", data={"reason": "a secret", "sure": "yes"})
    assert "a secret" in client.get(f"/invoices/{INV}").text
    billed.app.book.keyring.forget("acme")
    page = client.get(f"/invoices/{INV}").text
    assert ("a secret" in page, "because (forgotten)" in page) == (False, True)


def test_pdf_of_what_was_voided_or_written_off_asks_for_nothing(billed: Web) -> None:
    client = billed.browser("biller", "ann")
    sent = {number: said_of(client.get(f"/invoices/{number}.pdf").content) for number in (INV, "INV-000002")}
    assert all("Please pay" in text for text in sent.values())
    client.post(f"/invoices/{INV}/void", data={"reason": "wrong client", "sure": "yes"})
    client.post("/invoices/INV-000002/write-off", data={"reason": "bankrupt", "sure": "yes"})
    voided, given_up = (" ".join(said_of(client.get(f"/invoices/{number}.pdf").content).split()) for number in sent)
    assert "Voided by CN-0001. There is nothing to pay." in voided
    assert "was written off. There is nothing to pay." in given_up
    assert "Total GBP 270.00" in given_up
    assert not [text for text in (voided, given_up) if "Please" in text]


def test_write_off_of_a_client_with_credit_says_so_first(billed: Web) -> None:
    biller, viewer = billed.browser("biller", "ann"), billed.browser("viewer", "vic")
    assert "Look first" not in shown(biller)
    money = {"client_id": "acme", "payment_id": "p1", "amount_minor": 2_000, "currency": "GBP", "method": "bank"}
    billed.feed([said("PaymentReceived", at=now(), received_at="2026-05-20T09:00:00Z", **money)])
    assert "Look first: the client has GBP 20.00 of credit that pays nothing yet" in shown(biller)
    assert "Look first" not in shown(biller, "INV-000002"), "another client's"
    assert "Look first" not in shown(viewer)
    biller.post(f"/invoices/{INV}/write-off", data={"reason": "bankrupt", "sure": "yes"})
    assert "Look first" not in shown(biller), "nothing is open of it"


def test_invoice_of_which_only_a_credit_note_took_something_off_is_not_called_paid(billed: Web) -> None:
    program = billed.program("biller")
    key = listed(program, "INV-000002")["lines"][0]["item_key"]
    item = {"client_id": "buildco", "item_key": key, "reason": "goodwill", "amount_minor": -2_000}
    assert program.post("/api/v1/items/adjust", json=item).status_code == 200
    generate(billed.app.views, TODAY, now())
    billed.app.views.catch_up()
    assert listed(program, "INV-000002")["status"] == "partly_paid", "the wire's word for partly settled"
    assert "Status partly settled" in shown(billed.browser("viewer", "vic"), "INV-000002")
