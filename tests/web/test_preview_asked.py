"""The preview through the API and the command line: the same lines as POST /events takes, and nothing is recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.json_lines import dump
from tests.runs.shop import Shop
from tests.saying import Row, approved, line, said
from tests.web.conftest import Web

URL = "/api/v1/preview"


def as_line(row: Row) -> dict[str, Any]:
    """A fact as a line of JSON."""
    found: dict[str, Any] = json.loads(dump(row[1], row[2]))
    return found


FEE = line("RecurringLine", line_id="fee", description="Managed Services", unit_price="50")
CONTRACT = said("ContractDefined", lines=[FEE])


def test_a_viewer_asks_and_nothing_is_recorded(office: Web) -> None:
    before = office.app.book.head_hash(), office.app.views.hashes()
    answer = office.program("viewer").post(URL, json=as_line(CONTRACT))
    assert answer.status_code == 200
    found = answer.json()
    assert found["as_of"] == "2026-05-31"
    assert [(one["change"], one["service_from"], one["difference_minor"], one["before_minor"]) for one in found["lines"]] == [
        ("appears", f"2026-0{month}-01", 5_000, None) for month in range(1, 6)
    ]
    assert found["sums"] == [
        {
            "client_id": "acme", "client_name": "Acme Corp", "currency": "GBP", "before_minor": 15_000,
            "after_minor": 40_000, "difference_minor": 25_000, "billed_minor": 25_000, "credited_minor": 0,
        }
    ]  # fmt: skip
    assert (office.app.book.head_hash(), office.app.views.hashes()) == before


def test_what_was_previewed_is_what_the_events_then_do(office: Web) -> None:
    api = office.program()
    both = [as_line(one) for one in (CONTRACT, *approved("e7", worked_minutes=30))]
    found = api.post(f"{URL}?as_of=2026-05-31", json=both).json()
    assert [one["outcome"] for one in api.post("/api/v1/events", json=both).json()] == ["recorded"] * 3
    rows = api.get("/api/v1/queue?client=acme").json()
    assert [one["net_minor"] for one in rows] == [one["after_minor"] for one in found["sums"]]
    again = api.post(URL, json=both).json()
    assert (again["repeats"], again["lines"], again["sums"], again["waiting"]) == (3, [], [], [])


def test_what_would_wait_is_said(office: Web) -> None:
    found = office.program().post(URL, json=as_line(said("ContractDefined", lines=[{**FEE, "tax_code": "NONE"}]))).json()
    waits = [(one["what"], one["id"], one["reason"], one["reason_before"]) for one in found["waiting"]]
    assert waits == [("contract_line", "C1/fee", "unknown_tax_code", None)]
    assert found["lines"] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"topic": "daybook.time"}, "belongs on daybook.contracts"),
        ({"type": "Nothing"}, "is not a record"),
        ({"event": {}}, "is required"),
        ({"id": "not a uuid"}, "event_id is not a UUID"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_field(office: Web, change: dict[str, Any], told: str) -> None:
    sent = as_line(CONTRACT)
    if "id" in change:
        sent["event"]["event_id"] = change["id"]
    else:
        sent |= change
    answer = office.program("viewer").post(URL, json=[as_line(CONTRACT), sent])
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert answer.json()["errors"][0]["where"] == "body.1"


def test_the_command_shows_the_same(office: Web, tmp_path: Path) -> None:
    office.feed([said("ContractDefined", lines=[FEE])])
    dearer = said("ContractDefined", revision=2, effective_from="2026-05-01", lines=[{**FEE, "unit_price": "62.50"}])
    file = tmp_path / "change.jsonl"
    file.write_text(dump(dearer[1], dearer[2]) + "\n", encoding="utf-8")
    before = office.app.book.head_hash()
    shop = Shop(office.app)
    shown = shop.command("preview", str(file), "--as-of", "2026-05-31")
    assert shown.returncode == 0, shown.stderr
    assert "12.50" in shown.stdout
    assert "GBP 400.00 -> GBP 412.50 (bills GBP 12.50, credits GBP 0.00)" in shown.stdout
    found = json.loads(shop.command("preview", str(file), "--json").stdout)
    assert found == [office.program("viewer").post(URL, json=as_line(dearer)).json()]
    file.write_text("{}\n", encoding="utf-8")
    assert shop.command("preview", str(file)).returncode == 1
    assert shop.command("preview", str(tmp_path / "none")).returncode == 2
    assert office.app.book.head_hash() == before
