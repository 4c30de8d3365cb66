"""What the API shows and decides, against the same installation's command line figures."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from daybook.web import once
from daybook.web.docs import operations
from daybook.web.limits import Limits
from tests.saying import approved, said
from tests.web.conftest import Web

API = "/api/v1"
ROW_KEYS = {"client_id", "client_name", "currency", "types", "hours", "net_minor", "lines", "unapproved_minutes"}
LINE_KEYS = {
    "client_id", "item_key", "description", "charge_type", "service_from", "service_to", "quantity", "unit", "unit_price",
    "currency", "net_minor", "corrects", "hold", "rule",
}  # fmt: skip
INVOICE_KEYS = {
    "number", "kind", "client_id", "currency", "issued_on", "due_on", "net_minor", "tax_minor", "total_minor",
    "outstanding_minor", "status", "lines",
}  # fmt: skip


def confirmed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("client_id", "currency", "net_minor")} for row in rows if row["lines"]]


def pages(client: TestClient, url: str) -> list[dict[str, Any]]:
    """Everything behind the Link headers."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        if "link" not in answer.headers:
            return found
        url = answer.links["next"]["url"]


def test_from_queue_to_invoices(office: Web) -> None:
    client = office.program("biller")
    rows = client.get(f"{API}/queue").json()
    assert [(r["client_id"], r["net_minor"], r["hours"], r["lines"], r["unapproved_minutes"]) for r in rows] == [
        ("acme", 15_000, "1", 1, 30),
        ("buildco", 22_500, "1.5", 1, 0),
    ]
    assert set(rows[0]) >= ROW_KEYS
    lines = client.get(f"{API}/queue?lines=true&client=buildco").json()
    assert [(line["item_key"], line["quantity"], line["unit_price"]) for line in lines] == [("time/e2", "1.5", "150")]
    assert set(lines[0]) >= LINE_KEYS
    [waits] = client.get(f"{API}/waiting").json()
    assert (waits["client_id"], waits["what"], waits["id"], waits["reason"]) == ("acme", "time_entry", "e3", "awaiting_approval")
    done = client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": confirmed(rows)}).json()
    assert [(d["number"], d["kind"], d["client_id"], d["net_minor"], d["total_minor"]) for d in done["issued"]] == [
        ("INV-000001", "invoice", "acme", 15_000, 18_000),
        ("INV-000002", "invoice", "buildco", 22_500, 27_000),
    ]
    assert done["refused"] == []
    invoices = client.get(f"{API}/invoices").json()
    assert [invoice["number"] for invoice in invoices] == ["INV-000001", "INV-000002"]
    assert set(invoices[0]) >= INVOICE_KEYS
    assert client.get(f"{API}/invoices/INV-000002").json() == invoices[1]
    for missing in ("INV-000003", "INV-000003.pdf", "%00", "%ff"):
        assert client.get(f"{API}/invoices/{missing}").status_code in (404, 422)
    assert [row["lines"] for row in client.get(f"{API}/queue").json()] == [0]


def test_generate_issues_only_the_confirmed_and_says_who_was_refused_and_why(office: Web) -> None:
    client = office.program("biller")
    asked = [
        {"client_id": "acme", "currency": "GBP", "net_minor": 14_999},
        {"client_id": "nobody", "currency": "GBP", "net_minor": 1},
    ]
    done = client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": asked})
    assert done.status_code == 200
    assert done.json()["issued"] == []
    refused = {r["client_id"]: (r["reason"], r["confirmed_minor"], r["now_minor"]) for r in done.json()["refused"]}
    assert refused == {"acme": ("changed", 14_999, 15_000), "nobody": ("unknown_client", 1, None)}
    assert all(r["what_to_do"] for r in done.json()["refused"])
    assert office.rows("SELECT 1 FROM books.accounts WHERE client_id = 'nobody'") == []
    asked = [{"client_id": "acme", "currency": "GBP", "net_minor": 15_000}]
    assert len(client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": asked}).json()["issued"]) == 1
    [invoice] = client.get(f"{API}/invoices").json()
    assert invoice["client_id"] == "acme"  # buildco was not confirmed
    again = client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": asked}).json()
    assert [(r["confirmed_minor"], r["now_minor"]) for r in again["refused"]] == [(15_000, None)]
    early = [{"client_id": "buildco", "currency": "GBP", "net_minor": 22_500}]
    before = client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-30", "confirmed": early})
    assert (before.status_code, before.json()["type"]) == (409, "urn:daybook:problem:as-of-before-series")


def test_hold_release_and_adjust(office: Web) -> None:
    client = office.browser("biller", "ann")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "Ask Ann. <b>ü</b>"}
    assert client.post(f"{API}/items/release", json=item).json()["detail"] == "time/e1 is not held: there is nothing to release"
    held = client.post(f"{API}/items/hold", json=item)
    assert (held.status_code, held.json()["done"]) == (200, "held")
    [line] = client.get(f"{API}/queue?lines=true&client=acme").json()
    assert (line["hold"]["by"], line["hold"]["reason"]) == ("ann", "Ask Ann. <b>ü</b>")
    [seen] = office.program("viewer").get(f"{API}/queue?lines=true&client=acme").json()
    assert seen["hold"]["reason"] is None
    assert client.post(f"{API}/items/release", json=item).status_code == 200
    adjusted = client.post(f"{API}/items/adjust", json={**item, "amount_minor": -2_500})
    assert adjusted.json()["done"] == "adjusted"
    assert client.get(f"{API}/queue?client=acme").json()[0]["net_minor"] == 12_500
    for wrong, status in (
        ({"amount_minor": 0}, 409),
        ({"amount_minor": 5, "currency": "EUR"}, 409),
        ({"amount_minor": 1.5}, 422),
        ({"amount_minor": "5"}, 422),
        ({"amount_minor": 10**16}, 422),
        ({"amount_minor": 5, "by": "somebody else"}, 422),
        ({"amount_minor": 5, "reason": " "}, 422),
        ({"amount_minor": 5, "reason": "a\u0000b"}, 422),
        ({"amount_minor": 5, "item_key": "time/none"}, 404),
        ({"amount_minor": 5, "client_id": "buildco"}, 404),
    ):
        assert client.post(f"{API}/items/adjust", json={**item, **wrong}).status_code == status, wrong
    assert client.get(f"{API}/queue?client=acme").json()[0]["net_minor"] == 12_500


def test_a_write_sent_twice_under_a_key_happens_once(office: Web) -> None:
    client = office.program("biller")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "goodwill", "amount_minor": -100}
    key = {"idempotency-key": "k-1"}
    first = client.post(f"{API}/items/adjust", json=item, headers=key)
    second = client.post(f"{API}/items/adjust", json=item, headers=key)
    assert (first.status_code, first.content) == (second.status_code, second.content) == (200, first.content)
    assert second.headers["idempotent-replayed"] == "true"
    assert client.get(f"{API}/queue?client=acme").json()[0]["net_minor"] == 14_900
    other = client.post(f"{API}/items/adjust", json={**item, "amount_minor": -101}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:daybook:problem:key-used")
    elsewhere = client.post(f"{API}/items/hold", json=item, headers=key)
    assert elsewhere.status_code == 422
    somebody = office.browser("biller", "else")
    assert somebody.post(f"{API}/items/adjust", json=item, headers=key).status_code == 200  # a key is one's own
    assert client.get(f"{API}/queue?client=acme").json()[0]["net_minor"] == 14_800


def test_a_refused_write_gives_its_key_back(office: Web) -> None:
    client = office.program("biller")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "x"}
    key = {"idempotency-key": "k-2"}
    assert client.post(f"{API}/items/release", json=item, headers=key).status_code == 409
    client.post(f"{API}/items/hold", json=item)
    assert client.post(f"{API}/items/release", json=item, headers=key).status_code == 200


def test_a_write_that_nobody_answered_is_never_said_to_be_done(office: Web) -> None:
    client = office.program("biller", "crashed")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "x", "amount_minor": 5}
    key = {"idempotency-key": "k-3"}
    client.post(f"{API}/items/adjust", json=item, headers=key)
    office.rows("UPDATE access.idempotency SET status = NULL, answer = NULL WHERE key = 'k-3'")
    answer = client.post(f"{API}/items/adjust", json=item, headers=key)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:daybook:problem:key-running")


def test_an_adjustment_whose_outcome_is_open_keeps_its_key(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    client = office.program("biller")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "x", "amount_minor": 5}

    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("after the commit, perhaps")

    with monkeypatch.context() as patched:
        patched.setattr("daybook.web.api_write.decide.adjust", lost)
        assert client.post(f"{API}/items/adjust", json=item, headers={"idempotency-key": "k-4"}).status_code == 500
    assert client.post(f"{API}/items/adjust", json=item, headers={"idempotency-key": "k-4"}).status_code == 409


def test_many_at_once_under_one_key_adjust_once(office: Web) -> None:
    client = office.program("biller")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "x", "amount_minor": 7}

    def send(_: int) -> int:
        return client.post(f"{API}/items/adjust", json=item, headers={"idempotency-key": "k-5"}).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))
    assert set(answers) <= {200, 409}
    assert client.get(f"{API}/queue?client=acme").json()[0]["net_minor"] == 15_007
    assert once.KEPT_FOR.days == 7


def test_lists_go_on_where_the_link_says(office: Web) -> None:
    office.feed(
        [
            row
            for n in range(7)
            for row in (
                said("ClientDefined", client_id=f"c{n}", name=f"Same, & Co /{n % 2}"),
                *approved(f"p{n}", client_id=f"c{n}"),
                *approved(f"q{n}", client_id=f"c{n}"),
                said("TimeEntryLogged", client_id=f"c{n}", time_entry_id=f"r{n}"),
            )
        ]
    )
    client = office.program("biller")
    for url in (f"{API}/queue", f"{API}/queue?lines=true", f"{API}/waiting", f"{API}/time-entries"):
        whole = client.get(url).json()
        assert len(whole) > 6
        for limit in (1, 3, len(whole)):
            assert pages(client, f"{url}{'&' if '?' in url else '?'}limit={limit}") == whole
    figures = confirmed(client.get(f"{API}/queue").json())
    client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": figures})
    whole = client.get(f"{API}/invoices").json()
    assert len(whole) == 9
    assert pages(client, f"{API}/invoices?limit=2") == whole
    assert [one["client_id"] for one in pages(client, f"{API}/invoices?limit=1&client=c3")] == ["c3"]


def test_a_page_does_not_move_when_rows_before_it_go(office: Web) -> None:
    client = office.program("biller")
    first = client.get(f"{API}/queue?lines=true&limit=1")
    assert [line["client_id"] for line in first.json()] == ["acme"]
    acme = [{"client_id": "acme", "currency": "GBP", "net_minor": 15_000}]
    done = client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": acme})
    assert len(done.json()["issued"]) == 1
    assert [line["client_id"] for line in client.get(first.links["next"]["url"]).json()] == ["buildco"]


@pytest.mark.parametrize(
    "cursor",
    ["x", "W10", "", "%00", "WzFd", "bnVsbA", "eyJhIjogMX0", "WyJhIiwgImIiLCAiXHUwMDAwIl0",
     "WyJhIiwgImIiLCAiXHVkODAwIl0", "W" * 3999],
)  # fmt: skip
def test_cursors_that_are_none_are_refused(web: Web, cursor: str) -> None:
    client = web.program("viewer")
    for path in ("queue", "invoices", "waiting", "time-entries", "queue?lines=true"):
        answer = client.get(f"{API}/{path}{'&' if '?' in path else '?'}cursor={cursor}")
        assert answer.status_code == 422, (path, answer.text)


@pytest.mark.parametrize(
    "query",
    [
        "as_of=2026-13-01", "as_of=0", "as_of=1780000000", "as_of=9999-12-31", "as_of=0001-01-01", "limit=0", "limit=5001",
        "limit=x", "client=%00", "client=", "client=a%0ab", "charge_type=%1b[31m", "from=yesterday", "lines=maybe",
        "client=" + "x" * 201,
    ],
)  # fmt: skip
def test_questions_that_make_no_sense_are_answered_with_what_is_wrong(web: Web, query: str) -> None:
    answer = web.program("viewer").get(f"{API}/queue?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "what_to_do", "errors"}
    assert body["errors"]


@pytest.mark.parametrize(
    "query",
    [
        "client='; DROP TABLE books.invoices; --",
        "client=%27",
        "charge_type=%25s",
        "client=../../etc/passwd",
        "client=%F0%9F%92%B8",
    ],
)
def test_hostile_filters_find_nothing(office: Web, query: str) -> None:
    client = office.program("viewer")
    for path in ("queue", "queue?lines=true", "waiting", "invoices", "time-entries"):
        answer = client.get(f"{API}/{path}{'&' if '?' in path else '?'}{query}")
        assert answer.status_code == 200, answer.text
        if query.startswith("client"):
            assert answer.json() == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\xff\xfe", b"[" * 20_000, b'{"as_of": "2026-05-31"}',
        b'{"as_of": "2026-05-31", "confirmed": []}', b'{"as_of": 20260531, "confirmed": [{}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"acme","currency":"gbp","net_minor":1}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"acme","currency":"GBP","net_minor":1.0}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"acme","currency":"GBP","net_minor":true}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"\\ud800","currency":"GBP","net_minor":1}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"a","currency":"GBP","net_minor":NaN}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"a","currency":"GBP","net_minor":1e400}]}',
        b'{"as_of":"2026-05-31","confirmed":[{"client_id":"a","currency":"GBP","net_minor":1}],"accept_changes":true}',
        b'{"as_of":"2026-05-31","confirmed":['
        + b",".join([b'{"client_id":"acme","currency":"GBP","net_minor":15000}'] * 2) + b"]}",
    ],
)  # fmt: skip
def test_bodies_that_make_no_sense_change_nothing(web: Web, body: bytes) -> None:
    client = web.program("biller")
    answer = client.post(f"{API}/invoices/generate", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert web.rows("SELECT 1 FROM books.invoices") == []


def test_too_often_is_told_when_to_come_back(office: Web) -> None:
    client = Web(office.app, limits=Limits()).program("biller")
    asked = {"as_of": "2026-05-31", "confirmed": [{"client_id": "nobody", "currency": "GBP", "net_minor": 1}]}
    answers = [client.post(f"{API}/invoices/generate", json=asked) for _ in range(12)]
    assert [a.status_code for a in answers[:10]] == [200] * 10
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_answers_are_what_is_declared(office: Web) -> None:
    client = office.program("admin")
    declared = {(min(route.methods or ()), route.path): route.response_model for route in operations(office.asgi)}
    client.post(f"{API}/items/hold", json={"client_id": "acme", "item_key": "time/e1", "reason": "x"})
    buildco = [{"client_id": "buildco", "currency": "GBP", "net_minor": 22_500}]
    asked = {"as_of": "2026-05-31", "confirmed": buildco}
    answers = [
        ("POST", f"{API}/invoices/generate", client.post(f"{API}/invoices/generate", json=asked)),
        ("GET", f"{API}/invoices/{{number:path}}", client.get(f"{API}/invoices/INV-000001")),
        ("GET", f"{API}/queue", client.get(f"{API}/queue?lines=true")),
        ("GET", "/readyz", client.get("/readyz")),
    ]
    answers += [
        ("GET", f"{API}/{path}", client.get(f"{API}/{path}"))
        for path in ("queue", "invoices", "waiting", "time-entries", "dead-letters")
    ]
    for method, path, answer in answers:
        assert answer.status_code == 200
        TypeAdapter(declared[method, path]).validate_python(answer.json())


def test_another_day_is_rated_for_the_asking(office: Web) -> None:
    client = office.program("viewer")
    assert client.get(f"{API}/queue?as_of=2026-05-19").json() == []
    assert len(client.get(f"{API}/queue?as_of=2026-06-30").json()) == 2


def test_payment_by_event_settles_the_invoice_and_shows_in_the_balances(office: Web) -> None:
    client = office.program("admin")
    confirmed_now = confirmed(client.get(f"{API}/queue").json())
    client.post(f"{API}/invoices/generate", json={"as_of": "2026-05-31", "confirmed": confirmed_now})
    paid = {"topic": "daybook.payments", "type": "PaymentReceived", "event": {
        "event_id": "0b6b3c5e-8f0c-4a57-9a53-0d7c5b1f1faa", "source": "bank", "occurred_at": "2026-05-31T10:00:00Z",
        "client_id": "acme", "payment_id": "p1", "amount_minor": 20_000, "currency": "GBP",
        "received_at": "2026-05-31T09:00:00Z", "method": "bank", "invoice_numbers": ["INV-000001"],
    }}  # fmt: skip
    assert [one["outcome"] for one in client.post(f"{API}/events", json=paid).json()] == ["recorded"]
    first, second = client.get(f"{API}/invoices").json()
    assert (first["status"], first["outstanding_minor"]) == ("settled", 0)
    assert (second["status"], second["outstanding_minor"]) == ("open", 27_000)
    acme, buildco = client.get(f"{API}/balances").json()
    assert (acme["client_name"], acme["outstanding_minor"], acme["unapplied_minor"]) == ("Acme Corp", 0, 2_000)
    assert (buildco["outstanding_minor"], buildco["current_minor"], buildco["overdue_minor"]) == (27_000, 27_000, 0)
    (later,) = client.get(f"{API}/balances?as_of=2026-08-15&client=buildco").json()
    assert (later["overdue_minor"], later["days_31_60_minor"]) == (27_000, 27_000)
    sheet = client.get(f"{API}/balances?format=csv").text
    assert "buildco,Buildco" in sheet
    assert ",270.00,0.00," in sheet
