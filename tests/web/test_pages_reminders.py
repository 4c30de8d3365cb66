"""The calendar of reminders and its policies, through pages and API: who is told what, when, and why not."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from daybook.web.pages_reminder_policy import read_policy
from domain.reminder_policy import policy_of
from projections.reminder_calendar import months
from projections.reminders import policies_of
from runs import remind
from runs.generate import generate
from tests.runs.reminding import client, policy
from tests.web.conftest import TODAY, Web
from tests.web.reminded import AT, reminding


def entries(web: Web, **asked: Any) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(day, notice) and how it stands, of the calendar's API."""
    answer = web.program("viewer").get("/api/v1/reminders", params=asked)
    assert answer.status_code == 200, answer.text
    return {(one["day"], f"{one['client_id']} {one['notice_id']}"): (one["state"], one["why_not"]) for one in answer.json()}


def test_calendar_says_what_was_and_will_be_sent_and_why_not(office: Web) -> None:
    reminding(office)
    numbers = {one["client_id"]: one["number"] for one in office.program("viewer").get("/api/v1/invoices").json()}
    found = entries(office)
    new = {client: found["2026-05-31", f"{client} new_invoice/{numbers[client]}"] for client in numbers}
    assert new == {
        "acme": ("sent", None), "buildco": ("failed", None), "cove": ("not_sent", "no_address"), "out": ("not_sent", "opted_out"),
    }  # fmt: skip
    assert found["2026-06-11", f"acme due/{numbers['acme']}/-3/2026-06-14"] == ("planned", None)
    assert found["2026-06-15", f"acme due/{numbers['acme']}/+1/2026-06-14"] == ("planned", None)
    assert found["2026-06-21", f"out due/{numbers['out']}/+7/2026-06-14"] == ("not_sent", "opted_out")
    assert found["2026-06-01", "acme statement/GBP/2026-06-01"] == ("planned", None)
    assert {client for _, client in entries(office, client="acme")} == {one for _, one in found if one.startswith("acme ")}
    assert entries(office, **{"from": "2026-06-11", "to": "2026-06-11"}).keys() == {k for k in found if k[0] == "2026-06-11"}


def test_calendar_lists_what_was_missed_with_what_to_do_until_it_is_sent(office: Web) -> None:
    office.app.open_today()
    generate(office.app.views, TODAY, AT)
    number = office.program("viewer").get("/api/v1/invoices", params={"client": "acme"}).json()[0]["number"]
    office.feed([client("acme", revision=2)])
    late = TODAY + timedelta(days=14)
    key = (late.isoformat(), f"acme new_invoice/{number}")
    assert entries(office, as_of=late.isoformat())[key] == ("not_sent", "missed")
    then = Web(replace(office.app, settings=office.app.settings.model_copy(update={"today": late}))).browser("biller")
    assert "it was not sent within 14 days: send it with `daybook remind --missed`" in then.get("/reminders").text
    remind.claim(office.app.views, late, AT, host="daybook.invalid", missed=True)
    assert "not sent within 14 days" not in then.get("/reminders?client=acme").text


def test_calendar_says_to_invoice_before_statements_go_out(office: Web) -> None:
    viewer = office.browser("viewer")
    assert "Invoice first" not in viewer.get("/reminders").text
    reminding(office)
    assert "Invoice first" in viewer.get("/reminders").text


def test_calendar_shows_addresses_to_billers_only(office: Web) -> None:
    reminding(office)
    page = office.browser("biller").get("/reminders").text
    assert "ap@acme.example" in page
    assert "550 5.1.1 no such box" in page
    for text in (office.browser("viewer").get("/reminders").text, office.program("viewer").get("/api/v1/reminders").text):
        assert "@acme.example" not in text
        assert "no such box" not in text
    assert "@acme" not in office.program("admin").get("/api/v1/notices").text


def test_notices_are_listed_with_how_they_stand(office: Web) -> None:
    reminding(office)
    program = office.program("viewer")
    found = {one["client_id"]: one for one in program.get("/api/v1/notices").json()}
    assert {client: (one["state"], one["tries"], one["permanent"], one["addresses"]) for client, one in found.items()} == {
        "acme": ("sent", 1, False, 1), "buildco": ("failed", 2, True, 1),
    }  # fmt: skip
    assert [one["client_id"] for one in program.get("/api/v1/notices", params={"state": "failed"}).json()] == ["buildco"]
    assert program.get("/api/v1/notices", params={"from": "2026-06-01"}).json() == []
    sheet = program.get("/api/v1/notices", params={"format": "csv"}).text.splitlines()
    assert len(sheet) == 3
    first = program.get("/api/v1/reminders", params={"limit": 2})
    assert len(first.json()) >= 2
    assert program.get(first.links["next"]["url"]).json()[0] not in first.json()


@pytest.mark.parametrize("asked", [{"from": "2026-06-02", "to": "2026-06-01"}, {"to": "2027-12-31"}, {"from": "9999-12-31"}])
def test_span_that_cannot_be_meant_is_refused(web: Web, asked: dict[str, str]) -> None:
    assert web.program("viewer").get("/api/v1/reminders", params=asked).status_code == 422
    assert web.browser("viewer").get("/reminders", params=asked).status_code == 422


# ---- policies


def form(**typed: str) -> dict[str, str]:
    return dict.fromkeys(("new_invoice", "statement", "statement_day", "offsets", "minimum", "opted_out"), "") | typed


def counting(web: Web, client_id: str = "acme") -> Any:
    with web.app.views.reading() as cursor:
        found = policies_of(cursor, [client_id])
    return policy_of(found["*"], found[client_id])


def test_policy_is_said_as_upstream_would_and_inherits_field_by_field(office: Web) -> None:
    biller = office.browser("biller")
    done = biller.post("/reminders/policy", data=form(offsets="7, -3", minimum="1,250.50", statement="day", statement_day="31"))
    assert (done.status_code, done.headers["location"]) == (303, "/reminders/policy?said=saved")
    done = biller.post(
        "/reminders/policy", data={**form(offsets="none", statement="5", new_invoice="no"), "about": "client=acme"}
    )
    assert done.headers["location"] == "/reminders/policy?client=acme&said=saved"
    found = counting(office)
    assert (found.due_offsets_days, found.minimum_balance_minor, found.new_invoice) == ((), 125_050, False)
    assert (found.statement.weekday, found.statement.day_of_month) == (5, None)
    assert counting(office, "buildco").due_offsets_days == (-3, 7)
    biller.post("/reminders/policy", data={**form(offsets="14"), "about": "client=acme"})
    again = counting(office)
    assert (again.due_offsets_days, again.new_invoice, again.statement.day_of_month) == ((14,), True, 31), "the last word counts"
    page = biller.get("/reminders/policy?client=acme").text
    assert "Revision 2" in page
    assert "Inherits: every month on day 31" in page
    assert "acme" in biller.get("/reminders/policy").text


def test_policy_says_in_which_currencies_its_minimum_counts(office: Web) -> None:
    biller = office.browser("biller")
    assert "It is compared account by account" in biller.get("/reminders/policy").text
    yen, euro = client("yen", currency="JPY"), client("euro", currency="EUR")
    office.feed([yen, euro, policy(minimum_balance_minor=5_000), policy("yen", minimum_balance_minor=700)])
    everybodys = biller.get("/reminders/policy").text
    assert "Smallest balance to be reminded of, in GBP" in everybodys
    assert "the same number of its minor units counts: EUR 50.00, JPY 5000." in everybodys
    own = biller.get("/reminders/policy?client=yen").text
    assert "Smallest balance to be reminded of, in JPY" in own
    assert "It is compared account by account" in own


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"offsets": "soon"}, "offsets"),
        ({"offsets": "1000"}, "offsets"),
        ({"offsets": ","}, "offsets"),
        ({"statement": "day", "statement_day": "32"}, "statement_day"),
        ({"statement": "day"}, "statement_day"),
        ({"minimum": "a lot"}, "minimum"),
        ({"minimum": "-1"}, "minimum"),
        ({"minimum": "1.005"}, "minimum"),
    ],
)
def test_policy_that_cannot_be_read_changes_nothing_and_keeps_what_was_typed(
    office: Web, typed: dict[str, str], field: str
) -> None:
    faults: dict[str, str] = {}
    read_policy(form(**typed), "GBP", faults)
    assert faults.keys() == {field}
    head = office.app.book.head()
    answer = office.browser("biller").post("/reminders/policy", data=form(**typed))
    assert answer.status_code == 422
    assert faults[field] in answer.text.replace("&#39;", "'")
    assert office.app.book.head() == head


def test_policy_of_nobody_is_not_found_and_a_viewer_sets_none(office: Web) -> None:
    assert office.browser("biller").get("/reminders/policy?client=nobody").status_code == 404
    assert office.browser("biller").get("/reminders/policy?client_id=nobody").status_code == 404
    assert office.browser("biller").get("/reminders/policy?customer=acme").status_code == 422


def test_a_clients_page_leads_to_its_reminders_and_how_it_is_reminded(office: Web) -> None:
    biller = office.browser("biller")
    page = biller.get("/clients/acme").text
    own = biller.get("/reminders/policy?client=acme").text
    assert "Acme Corp" in own
    for address in ("/reminders?client=acme", "/reminders/policy?client=acme"):
        assert f'href="{address}"' in page
    assert biller.get("/reminders/policy?client_id=acme").text == own
    assert office.browser("biller").post("/reminders/policy", data={**form(), "about": "client=nobody"}).status_code == 404
    assert office.browser("viewer").post("/reminders/policy", data=form()).status_code == 403
    assert "Billers change it" in office.browser("viewer").get("/reminders/policy").text


def test_months_are_weeks_that_begin_on_monday() -> None:
    (may, june) = months(date(2026, 5, 30), date(2026, 6, 2))
    assert may[0] == [None] * 4 + [date(2026, 5, day) for day in (1, 2, 3)]
    assert june[0][0] == date(2026, 6, 1)
    assert all(len(week) == 7 for week in may + june)
