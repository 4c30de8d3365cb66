"""Facts over HTTP become events like any other, and the answer says what became of each."""

import copy
from typing import Any

import pytest

from schemas.json_lines import dump
from tests.saying import approved, said
from tests.web.conftest import Web

URL = "/api/v1/events"


def sent(*rows: Any) -> list[dict[str, Any]]:
    """Facts as a program sends them."""
    import json

    return [json.loads(dump(record, fields)) for _, record, fields in rows]


def test_a_fact_is_recorded_and_a_second_time_a_repeat(office: Web) -> None:
    client = office.program("biller")
    logged, approval = sent(*approved("w1", worked_minutes=120))
    first = client.post(URL, json=[logged, approval, logged])
    assert first.status_code == 200, first.text
    assert [one["outcome"] for one in first.json()] == ["recorded", "recorded", "repeat"]
    assert first.json()[0]["event_id"] == logged["event"]["event_id"]
    assert [one["outcome"] for one in client.post(URL, json=logged).json()] == ["repeat"]
    [row] = client.get("/api/v1/queue?client=acme").json()
    assert row["net_minor"] == 45_000
    [(topic, offset)] = office.rows(
        "SELECT source_topic, source_offset FROM ledger.daybook_events WHERE event_id = %s::uuid", logged["event"]["event_id"]
    )
    assert (topic, offset is not None) == ("daybook.time", True)


def test_an_event_id_with_another_body_is_dead(office: Web) -> None:
    client = office.program("biller")
    [logged] = sent(said("TimeEntryLogged", time_entry_id="w2"))
    client.post(URL, json=logged)
    other = copy.deepcopy(logged)
    other["event"]["worked_minutes"] = 61
    [answer] = client.post(URL, json=other).json()
    assert answer["outcome"] == "dead_letter"
    assert answer["detail"].startswith("idempotency_conflict")
    admin = office.program("admin")
    [letter] = admin.get("/api/v1/dead-letters").json()
    assert (letter["topic"], letter["reason"]) == ("daybook.time", "idempotency_conflict")
    assert admin.get("/api/v1/dead-letters?reason=undecodable").json() == []
    assert client.get("/api/v1/dead-letters").status_code == 403


def test_what_cannot_be_read_is_refused_and_the_rest_goes_on(office: Web) -> None:
    client = office.program("biller")
    good, bad, strange = sent(
        said("TimeEntryLogged", time_entry_id="w3"),
        said("TimeEntryLogged", time_entry_id="w4"),
        said("TimeEntryLogged", time_entry_id="w5"),
    )
    bad["event"]["worked_minutes"] = "sixty"
    strange["topic"] = "daybook.payments"
    answers = client.post(URL, json=[bad, good, strange]).json()
    assert [one["outcome"] for one in answers] == ["refused", "recorded", "refused"]
    assert "worked_minutes" in answers[0]["detail"]
    assert "daybook.time" in answers[2]["detail"]
    none = client.post(URL, json=[bad, strange])
    assert (none.status_code, none.json()["type"]) == (422, "urn:daybook:problem:no-event")
    assert [one["where"] for one in none.json()["errors"]] == ["body.0", "body.1"]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "InvoiceIssued", "topic": "daybook.invoices"},
        {"type": "os.system"},
        {"type": ""},
        {"topic": ""},
        {"event": {}},
        {"event": []},
        {"event": {"event_id": "../../x"}},
        {"more": 1},
        {"event": {"event_id": "\ud800"}},
    ],
)
def test_what_is_no_fact_of_ours_is_refused(web: Web, change: dict[str, Any]) -> None:
    [good] = sent(said("TimeEntryLogged"))
    answer = web.program("biller").post(
        URL, content=__import__("json").dumps({**good, **change}), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_none_and_too_many_are_refused(web: Web) -> None:
    client = web.program("biller")
    assert client.post(URL, json=[]).status_code == 422
    [good] = sent(said("TimeEntryLogged"))
    assert client.post(URL, json=[good] * 1001).status_code == 422
    assert web.rows("SELECT 1 FROM ledger.daybook_events WHERE topic LIKE 'time_entry%%'") == []


PAYLOADS = [
    "<script>alert(1)</script>", "=cmd|' /C calc'!A1", "{{7*7}}{% raw %}", "a\r\nSet-Cookie: x=y", "\x1b[31mred", "\u202egnp",
    "'; DROP TABLE books.invoices; --", "%s %(x)s {0}", "\U0001f4b8",
]  # fmt: skip


def test_text_comes_back_as_it_was_said_and_hurts_nothing(office: Web) -> None:
    client = office.program("biller")
    rows = [said("TimeEntryLogged", time_entry_id=f"p{n}", note=text) for n, text in enumerate(PAYLOADS)]
    answers = client.post(URL, json=sent(*rows)).json()
    recorded = {one["event_id"] for one in answers if one["outcome"] == "recorded"}
    assert recorded
    listed = client.get("/api/v1/time-entries?client=acme")
    assert listed.headers["content-type"] == "application/json"
    notes = {entry["time_entry_id"]: entry["note"] for entry in listed.json()}
    for n, (answer, text) in enumerate(zip(answers, PAYLOADS, strict=True)):
        if answer["event_id"] in recorded:
            assert notes[f"p{n}"] == text
        else:
            assert answer["detail"]
    viewer = office.program("viewer").get("/api/v1/time-entries?client=acme").json()
    assert {entry["note"] for entry in viewer} == {None}
