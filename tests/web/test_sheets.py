"""Lists as CSV, found by part of a name, and as they were known at an instant."""

import csv
import html
import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from daybook.web import paging, sheets
from tests.saying import approved, said
from tests.web.conftest import TODAY, Web

API = "/api/v1"


def rows(client: TestClient, url: str) -> list[dict[str, str]]:
    answer = client.get(f"{API}/{url}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8"), answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), strict=True))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("Acme", "Acme"), ("=1+1", "'=1+1"), ("+44 20", "'+44 20"), ("-5", "'-5"), ("@x", "'@x"), ("  =1", "'  =1"),
        ("\t=1", "\ufffd=1"), ("\r=1", "'\n'=1"), ("a;=1", "a;'=1"), ("a; b=1", "a; b=1"), ("x\n-1", "x\n'-1"),
        ("a\x1b[31m", "a\ufffd[31m"), ("＝1", "'＝1"), ("", ""), (None, ""), (-5, "-5"), (Decimal("-1.50"), "-1.5"),
        (True, "yes"), (TODAY, "2026-05-31"), (datetime(2026, 5, 31, 9, tzinfo=UTC), "2026-05-31T09:00:00Z"),
        (("Support", "=x"), "Support + =x"), (["=x"], "'=x"), (sheets.Money("-2.00"), "-2.00"),
    ],
)  # fmt: skip
def test_cell(value: object, wanted: str) -> None:
    assert sheets.cell(value) == wanted


def test_queue_as_a_sheet_has_amounts_and_every_row(office: Web) -> None:
    viewer = office.program("viewer")
    [acme, buildco] = rows(viewer, "queue?format=csv")
    assert (acme["client_name"], acme["net"], acme["hours"], acme["currency"]) == ("Acme Corp", "150.00", "1", "GBP")
    assert buildco["net"] == "225.00"
    biller = office.program("biller")
    item = {"client_id": "acme", "item_key": "time/e1", "reason": "=ask Ann", "amount_minor": -20_050}
    assert biller.post(f"{API}/items/adjust", json=item).status_code == 200
    assert biller.post(f"{API}/items/hold", json={k: v for k, v in item.items() if k != "amount_minor"}).status_code == 200
    lines = rows(biller, "queue?lines=true&format=csv&client=acme")
    assert sum(Decimal(line["net"]) for line in lines) == Decimal("-50.50")
    assert {(line["hold_reason"], line["client_name"]) for line in lines} == {("'=ask Ann", "Acme Corp")}
    assert rows(viewer, "queue?lines=true&format=csv")[0]["hold_reason"] == ""
    [acme, _] = rows(viewer, "queue?format=csv")
    assert (acme["net"], acme["held"], acme["held_lines"]) == ("0.00", "-50.50", "2")


def test_invoices_waiting_and_time_as_sheets(office: Web) -> None:
    biller = office.program("biller")
    confirmed = [{"client_id": "acme", "currency": "GBP", "net_minor": 15_000}]
    biller.post(f"{API}/invoices/generate", json={"as_of": TODAY.isoformat(), "confirmed": confirmed})
    [invoice] = rows(biller, "invoices?format=csv")
    assert (invoice["client_name"], invoice["total"], invoice["status"]) == ("Acme Corp", "180.00", "open")
    [waits] = rows(biller, "waiting?format=csv")
    assert (waits["id"], waits["reason"], waits["minutes"]) == ("e3", "awaiting_approval", "30")
    assert [one["time_entry_id"] for one in rows(biller, "time-entries?format=csv")] == ["e1", "e3", "e2"]
    assert [one["time_entry_id"] for one in rows(biller, "time-entries?format=csv&reason=awaiting_approval")] == ["e3"]
    assert rows(office.program("admin"), "dead-letters?format=csv") == []


def test_stuck_is_all_that_waits_but_for_approval(office: Web) -> None:
    office.feed([*approved("odd", charge_type="NONE")])
    viewer = office.program("viewer")
    for path, name in (("waiting", "id"), ("time-entries", "time_entry_id")):
        assert [one[name] for one in rows(viewer, f"{path}?format=csv&reason=stuck")] == ["odd"]


@pytest.mark.parametrize("path", ["/?client=acme", "/invoices?client=acme", "/time?client=acme&reason=any"])
def test_pages_lead_to_the_sheet_of_what_they_show(office: Web, path: str) -> None:
    biller = office.browser("biller")
    confirmed = [{"client_id": "acme", "currency": "GBP", "net_minor": 15_000}]
    if path.startswith("/invoices"):
        biller.post(f"{API}/invoices/generate", json={"as_of": TODAY.isoformat(), "confirmed": confirmed})
    links = re.findall(r'href="(/api/v1/[^"]*)"', biller.get(path).text)
    assert links
    for link in links:
        found = rows(biller, html.unescape(link).removeprefix(f"{API}/"))
        assert found, link
        assert {one["client_id"] for one in found} == {"acme"}


def test_a_list_too_long_for_a_sheet_is_refused_and_not_cut_off(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = office.program("viewer")
    monkeypatch.setattr(paging, "MOST_ROWS", 2)
    answer = viewer.get(f"{API}/time-entries?format=csv")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:daybook:problem:too-many-rows")
    part = viewer.get(f"{API}/time-entries?format=csv&limit=2")
    assert part.status_code == 200
    assert len(rows(viewer, part.links["next"]["url"].removeprefix(f"{API}/"))) == 1
    assert len(rows(viewer, "queue?format=csv")) == 2


@pytest.mark.parametrize("path", ["queue", "queue?lines=true", "time-entries", "invoices"])
def test_search_finds_part_of_a_name_or_id_in_capitals_or_not(office: Web, path: str) -> None:
    biller = office.program("biller")
    if path == "invoices":
        confirmed = [{"client_id": "acme", "currency": "GBP", "net_minor": 15_000}]
        biller.post(f"{API}/invoices/generate", json={"as_of": TODAY.isoformat(), "confirmed": confirmed})
    joint = "&" if "?" in path else "?"
    for text, wanted in (("aCmE c", {"acme"}), ("CME", {"acme"}), ("%", set())):
        found = biller.get(f"{API}/{path}{joint}search={text.replace('%', '%25')}").json()
        assert {one["client_id"] for one in found} == wanted


def test_lists_as_they_were_known(office: Web) -> None:
    client = office.program("biller")
    instant = datetime.now(UTC).isoformat()
    before = {path: client.get(f"{API}/{path}").json() for path in ("queue", "waiting", "time-entries", "queue?lines=true")}
    office.feed([*approved("late", worked_minutes=30), said("TimeEntryApproved", time_entry_id="e3")])
    confirmed = [{"client_id": "buildco", "currency": "GBP", "net_minor": 22_500}]
    client.post(f"{API}/invoices/generate", json={"as_of": TODAY.isoformat(), "confirmed": confirmed})
    for path, known in before.items():
        joint = "&" if "?" in path else "?"
        assert client.get(f"{API}/{path}").json() != known
        # A plus sign in an address stands for a blank: both are read as the zone they mean.
        for asked in (instant, instant.replace("+", "%2B"), instant.replace("+00:00", "Z")):
            assert client.get(f"{API}/{path}{joint}known_at={asked}").json() == known, path
    assert len(client.get(f"{API}/invoices").json()) == 1
    assert client.get(f"{API}/invoices?known_at={instant.replace('+', '%2B')}").json() == []
    assert client.get(f"{API}/queue?known_at=1970-01-01T00:00:00Z").json() == []


@pytest.mark.parametrize("instant", ["", "x", "2026-05-31", "2026-05-31T09:00:00", "0001-01-01T00:00:00%2B14:00", "1780000000"])
@pytest.mark.parametrize("path", ["queue", "waiting", "time-entries", "invoices"])
def test_instants_that_are_none_are_refused_by_name(web: Web, path: str, instant: str) -> None:
    answer = web.program("viewer").get(f"{API}/{path}?known_at={instant}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "2026-05-31T09:30:00Z" in answer.json()["errors"][0]["what"]
