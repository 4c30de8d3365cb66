"""What people decide on the pages: what a run leaves behind is named, and a mistyped adjustment can be taken back."""

import html
import re

import pytest
from fastapi.testclient import TestClient

from daybook.app import now
from domain.ids import taken_back
from projections import queue
from projections.queue import Filter
from runs.generate import generate
from tests.saying import approved, said
from tests.saying import line as contract_line
from tests.web.conftest import TODAY, Web
from tests.web.test_pages_filters import text_of

ABOUT = "client_id=acme&item=time/e1&currency=GBP"


def _decide(client: TestClient, action: str, **data: str) -> str:
    answer = client.post(f"/queue/{action}", data={"about": ABOUT, **data})
    assert answer.status_code == 303, answer.text
    return client.get(answer.headers["location"]).text


def _adjusted(client: TestClient, amount: str) -> str:
    """Adjusts, and gives the adjustment's id as the form to take it back has it."""
    page = _decide(client, "adjust", amount=amount, reason="Goodwill")
    return re.findall(r'name="adjustment" value="([^"]+)"', page)[-1]


def _lines(office: Web) -> list[tuple[str, int]]:
    with office.app.views.reading() as cursor:
        return [(one.description, one.net_minor) for one in queue.lines(cursor, TODAY, Filter(client_id="acme"))]


def test_held_lines_are_named_in_the_confirmation_with_what_they_come_to(office: Web) -> None:
    client = office.browser()
    assert "held" not in text_of(client.get("/generate").text)
    _decide(client, "hold", reason="Ask Ann")
    page = text_of(client.get("/generate").text).replace("\xa0", " ")
    assert "1 document, GBP 225.00 net" in page
    assert "1 line held GBP 150.00 stays in the queue (Acme Corp)." in page
    office.feed(approved("e5", worked_minutes=30))
    client.post("/queue/hold", data={"about": "client_id=acme&item=time/e5", "reason": "Ask Ann"})
    page = text_of(client.get("/generate?charge_type=REMOTE&from=2026-05-25").text).replace("\xa0", " ")
    assert "2 lines held GBP 225.00 stay in the queue (Acme Corp)." in page, "filters do not narrow a run, nor what stays"
    client.post("/queue/hold", data={"about": "client_id=buildco&item=time/e2", "reason": "Ask Ann"})
    page = text_of(client.get("/generate").text).replace("\xa0", " ")
    assert "3 lines (GBP 450.00) are held and stay in the queue." in page


def test_counts_agree_with_their_nouns(office: Web) -> None:
    client = office.browser()
    one = text_of(client.get("/?client=acme").text)
    assert "1 client, 1 line " in one
    assert "2 clients, 2 lines " in text_of(client.get("/").text)
    for path in ("/", "/?client=acme", "/generate", "/time", "/time?client=buildco", "/invoices"):
        page = text_of(client.get(path).text)
        assert not re.search(r"\b1 (clients|lines|documents|entries|others)\b", page), path


def test_an_adjustment_is_taken_back_once_and_leaves_no_line_on_the_invoice(office: Web) -> None:
    client = office.browser()
    mistyped = _adjusted(client, "-1000.00")
    assert ("Adjustment: Remote Support, entry e1", -100_000) in _lines(office)
    page = _decide(client, "take-back", adjustment=mistyped, reason="Mistyped")
    assert "Taken back" in text_of(page)
    assert "took back GBP 1,000.00" in text_of(page).replace("\xa0", " ")
    assert 'name="adjustment"' not in page, "neither can be taken back again"
    assert _lines(office) == [("Remote Support, entry e1", 15_000)]
    again = client.post("/queue/take-back", data={"about": ABOUT, "adjustment": mistyped, "reason": "Twice"})
    assert again.status_code == 409
    assert "taken back already" in again.text
    assert [one.net_minor for one in generate(office.app.views, TODAY, now()).documents] == [15_000, 22_500]


def test_an_invoiced_adjustment_is_taken_back_by_a_line_of_the_next_invoice(office: Web) -> None:
    client = office.browser()
    meant_otherwise = _adjusted(client, "-25.00")
    assert [one.net_minor for one in generate(office.app.views, TODAY, now()).documents] == [12_500, 22_500]
    office.app.views.catch_up()
    _decide(client, "take-back", adjustment=meant_otherwise, reason="It was our mistake, not theirs")
    ((_, minor),) = _lines(office)
    assert minor == 2_500


@pytest.mark.parametrize(
    ("data", "status"),
    [({"adjustment": "none", "reason": "x"}, 404), ({"adjustment": "none", "reason": " "}, 422), ({"reason": "x"}, 404)],
)
def test_what_was_never_adjusted_is_not_taken_back(office: Web, data: dict[str, str], status: int) -> None:
    head = office.app.book.head()
    assert office.browser().post("/queue/take-back", data={"about": ABOUT, **data}).status_code == status
    assert office.app.book.head() == head


def test_taking_back_needs_a_reason(office: Web) -> None:
    client = office.browser()
    adjustment = _adjusted(client, "-25.00")
    head = office.app.book.head()
    answer = client.post("/queue/take-back", data={"about": ABOUT, "adjustment": adjustment, "reason": " "})
    assert answer.status_code == 422
    assert office.app.book.head() == head
    assert taken_back(adjustment) != adjustment


def test_events_say_money_as_people_write_it(office: Web) -> None:
    client = office.browser()
    _adjusted(client, "-75.00")
    page = text_of(client.get("/queue/item?client_id=acme&item=time/e1").text).replace("\xa0", " ")
    assert "amount GBP -75.00" in page
    assert "minor" not in page
    (document, _) = generate(office.app.views, TODAY, now()).documents
    office.app.views.catch_up()
    for line in (1, 2):
        explained = text_of(client.get(f"/explain?number={document.number}&line={line}").text)
        assert "minor" not in explained


def test_while_the_views_are_behind_nobody_is_asked_to_confirm(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    from daybook import feeding
    from daybook.web import pages_view
    from projections.views import LOCK

    monkeypatch.setattr(pages_view, "WAIT_S", 0.2)
    client = office.browser()
    with office.app.database.connection() as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        other.commit()
        feeding.feed(office.app, approved("e6"), feeding.Fed())
        pages = ("/", "/time", "/invoices", "/clients/acme", "/generate")
        seen = {path: text_of(client.get(path).text) for path in pages}
        other.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        other.commit()
    for path, text in seen.items():
        assert "New facts are still being taken in" in text, path
        assert "New facts are still being taken in" not in text_of(client.get(path).text), path
    assert "Issue" not in seen["/generate"]
    assert "Issue 2 documents" in text_of(client.get("/generate").text)


def test_personal_text_in_a_list_is_not_shown_as_cipher_text(office: Web) -> None:
    office.feed([said("ClientDefined", revision=2, address=["12 Privet Drive"], billing_emails=["ann@acme.example"])])
    page = html.unescape(office.browser().get("/clients/acme").text)
    assert "12 Privet Drive" in page
    assert "ann@acme.example" in page
    viewer = office.browser("viewer").get("/clients/acme").text
    assert "enc:" not in viewer
    assert "Privet" not in viewer


def test_a_client_with_nothing_due_is_told_what_waits_and_where_to_settle_it(office: Web) -> None:
    fee = contract_line("RecurringLine", line_id="fee", tax_code=None)
    client, otley = office.browser(), {"client_id": "otley", "name": "Otley Bakers"}
    care = {**otley, "contract_id": "care"}
    office.feed([said("ClientDefined", **otley, tax_code=None), said("ContractDefined", **care, lines=[fee])])
    page = client.get("/generate?client=otley").text
    assert "Nothing is due" in page
    told = text_of(page)
    assert "1 thing waits contract line care/fee of Otley Bakers: no tax code: choose one at the client or the line." in told
    assert 'href="/clients/otley/contracts/care/edit"' in page
    assert "care/fee" not in client.get("/generate?client=acme").text
    named = [contract_line("RecurringLine", line_id="fee", tax_code="NONE")]
    office.feed([said("ContractDefined", **care, revision=2, lines=named)])
    told = text_of(client.get("/generate?client=otley").text)
    assert "care/fee of Otley Bakers: no known tax code: choose one at the client or the line, or define" in told
