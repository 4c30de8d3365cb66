"""The worked example of the seats through the whole product, and what people see of counts, disagreements and arithmetic."""

from collections.abc import Iterator, Sequence
from datetime import date
from html import unescape
from pathlib import Path
from re import sub
from typing import Any

import pytest

from daybook import explaining
from daybook.app import now
from projections import documents
from runs.generate import generate
from tests.conftest import Server
from tests.saying import Row, line, said
from tests.web.conftest import BASICS, Web, _web

MONTH_ENDS = (date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31))
SINCE = {"starts_on": "2026-03-01", "effective_from": "2026-03-01"}


def counted(client_id: str, as_of: str, quantity: int, system: str = "rmm", **given: Any) -> Row:
    return said("SeatCountReported", client_id=client_id, as_of=as_of, quantity=quantity, system=system, **given)


def agreed(client_id: str, name: str, policy: str) -> Sequence[Row]:
    """The example of product.md: 48 workstations at 65 from March, four more on 16 April, in arrears."""
    seats = line("SeatLine", policy=policy, systems=["rmm", "intune"])
    return (
        said("ClientDefined", client_id=client_id, name=name),
        said("ContractDefined", client_id=client_id, lines=[seats], **SINCE),
        counted(client_id, "2026-03-01T09:00:00Z", 48),
        counted(client_id, "2026-04-16T09:00:00Z", 52),
    )


FACTS: Sequence[Row] = (*BASICS, *agreed("snap", "Snapshot Ltd", "snapshot"), *agreed("day", "Daily Ltd", "daily"))


@pytest.fixture
def example(postgres: Server, migrated_template: str, tmp_path: Path) -> Iterator[Web]:
    for made in _web(postgres, migrated_template, tmp_path):
        made.feed(FACTS)
        yield made


def text_of(web: Web, address: str, status: int = 200) -> str:
    """A page's words as a person reads them."""
    answer = web.browser().get(address)
    assert answer.status_code == status, answer.text
    words = sub(r"<title>.*?</title>|<style.*?</style>|<[^>]+>", " ", answer.text.split('<main id="main"')[1])
    return " ".join(unescape(words).replace("\N{NO-BREAK SPACE}", " ").split())


def invoiced(web: Web, as_of: date) -> dict[str, tuple[str, int]]:
    """Generates and issues; the (number, net) by client."""
    done = generate(web.app.views, as_of, now())
    web.app.views.catch_up()
    return {one.client_id: (one.number, one.net_minor) for one in done.documents}


def explained(web: Web, number: str) -> list[str]:
    with web.app.views.reading() as cursor:
        return [one["arithmetic"] for one in documents.explain(cursor, number, None)]


def test_the_worked_example_from_facts_to_invoice_to_why(example: Web) -> None:
    months = [invoiced(example, day) for day in MONTH_ENDS]
    assert [month["snap"][1] for month in months] == [312_000, 338_000, 338_000]
    assert [month["day"][1] for month in months] == [312_000, 325_000, 338_000]
    april, prorated = months[1]["snap"][0], months[1]["day"][0]
    assert explained(example, april) == ["52 x 65 (rmm) = GBP 3380.00"]
    told = "15/30 days x 48 x 65 (rmm) + 15/30 days x 52 x 65 (rmm) = GBP 3250.00"
    assert explained(example, prorated) == [told]
    assert "15/30 days" in text_of(example, f"/explain?number={prorated}&line=1")
    assert web_of_api(example, prorated)["net_minor"] == 325_000


def web_of_api(web: Web, number: str) -> dict[str, Any]:
    answer = web.program().get(f"/api/v1/invoices/{number}")
    found: dict[str, Any] = answer.json()["lines"][0]
    return found


def test_an_item_shows_the_segments_that_a_person_can_add_up(example: Web) -> None:
    text = text_of(example, "/queue/item?client_id=day&item=line/C1/S1/2026-04-01")
    assert "1–15 Apr 2026 15 days 15/30 days × 48 × 65 (rmm) 48 15/30 days × 48 × 65 (rmm) 1,560.00" in text
    assert "16–30 Apr 2026 15 days 15/30 days × 52 × 65 (rmm) 52 15/30 days × 52 × 65 (rmm) 1,690.00" in text
    assert "daily: the line GBP 3,250.00" in text


def test_a_count_said_late_of_an_invoiced_period_is_a_difference_with_its_segments(example: Web) -> None:
    for day in MONTH_ENDS:
        invoiced(example, day)
    example.feed([counted("day", "2026-04-10T09:00:00Z", 52), counted("snap", "2026-04-10T09:00:00Z", 52)])
    # Six days, the 10th to the 15th, of four seats more: 6/30 x 4 x 65.
    assert invoiced(example, MONTH_ENDS[-1]) == {"day": ("INV-000007", 5_200)}


DISAGREEING: Sequence[Row] = (
    counted("snap", "2026-05-04T09:00:00Z", 54, "intune"),
    counted("snap", "2026-05-18T09:00:00Z", 55, "intune"),
    counted("day", "2026-05-04T09:00:00Z", 52, "intune"),
    counted("day", "2026-05-04T09:00:00Z", 7, "csp", product="m365"),
)


def test_a_disagreement_is_listed_with_since_when_and_which_bills(example: Web) -> None:
    example.feed(DISAGREEING)
    overview = text_of(example, "/seats")
    assert "3 products, 1 disagreement, 1 billed by nothing" in overview
    assert "disagree since 4 May 2026" in overview
    story = text_of(example, "/seats?client=snap")
    assert "rmm bills: 52 seats, under snapshot by line S1 of contract C1" in story
    assert "since 18 May 2026 14 days intune 55 rmm 52 rmm 3" in story
    assert "4–17 May 2026 14 days intune 54 rmm 52 rmm 2" in story
    assert "1 disagreement" not in text_of(example, "/seats?client=snap&as_of=2026-05-03")
    assert "The systems have always agreed." in text_of(example, "/seats?client=day"), "the other reported when both had 52"


def test_the_days_of_a_disagreement_are_the_clients_own(example: Web) -> None:
    auckland = said("ClientDefined", client_id="snap", name="Snapshot Ltd", time_zone="Pacific/Auckland", revision=2)
    example.feed([auckland, counted("snap", "2026-05-04T13:00:00Z", 54, "intune")])
    assert "since 5 May 2026" in text_of(example, "/seats?client=snap")


def test_the_command_lists_counts_and_disagreements(example: Web, capsys: pytest.CaptureFixture[str]) -> None:
    from daybook import seats_shown
    from projections import seat_list
    from projections.terms import TermsCache

    example.feed(DISAGREEING)
    day = MONTH_ENDS[-1]
    with example.app.views.reading() as cursor:
        rows = seat_list.with_billing(cursor, seat_list.counted(cursor, day), day, TermsCache())
        found = seat_list.variances(cursor, day)
    seats_shown.seats(rows, found, day, only=False, as_json=False)
    told = capsys.readouterr().out
    assert "1 disagreement now, 1 product billed by nothing" in told
    assert "+3" in told


def test_the_api_pages_through_counts_without_parting_a_product(example: Web) -> None:
    example.feed(DISAGREEING)
    program = example.program("viewer")
    first = program.get("/api/v1/seats?limit=1")
    rows = first.json()
    assert [(one["product"], one["system"], one["quantity"], one["bills"]) for one in rows] == [("m365", "csp", 7, False)]
    assert rows[0]["contract_id"] is None
    following = first.links["next"]["url"]
    second = program.get(following).json()
    assert [(one["system"], one["quantity"], one["bills"], one["difference"]) for one in second] == [
        ("intune", 52, False, 0), ("rmm", 52, True, 0),
    ]  # fmt: skip
    last = program.get("/api/v1/seats?client=snap").json()
    assert {one["disagree_since"] for one in last} == {"2026-05-04"}
    assert program.get("/api/v1/seats?client=snap&as_of=2026-05-10").json()[0]["quantity"] == 54
    assert "client_id,client_name,product" in program.get("/api/v1/seats?format=csv").text
    assert example.anonymous().get("/api/v1/seats").status_code == 401


def test_names_that_others_send_are_text(example: Web) -> None:
    evil = '<img src=x onerror="alert(1)">'
    example.feed([counted("snap", "2026-05-04T09:00:00Z", 54, evil, product=evil)])
    page = example.browser().get("/seats?client=snap").text
    assert "<img" not in page
    assert "&lt;img" in page


def test_explaining_prints_the_prorated_part(example: Web, capsys: pytest.CaptureFixture[str]) -> None:
    number = [invoiced(example, day) for day in MONTH_ENDS[:2]][1]["day"][0]
    with example.app.views.reading() as cursor:
        lines = [{"number": number, **one} for one in documents.explain(cursor, number, None)]
    explaining.print_lines(lines, example.app.book.keyring, False)
    assert "15/30 days x 48 x 65 (rmm) + 15/30 days x 52 x 65 (rmm) = GBP 3250.00" in capsys.readouterr().out


def test_what_seats_come_to_stops_at_the_day_asked_for(example: Web) -> None:
    now_ = text_of(example, "/seats?client=day")
    assert "1–30 Apr 2026" in now_.split("What they come to")[1]
    march = text_of(example, "/seats?client=day&as_of=2026-03-31").split("What they come to")[1]
    assert march.startswith(", begun by 31 Mar 2026 and priced as of today")
    assert "Mar 2026" in march
    assert "Apr 2026" not in march
    assert "May 2026" not in march


def test_a_clients_page_of_another_day_says_which_parts_are_todays(example: Web) -> None:
    told = text_of(example, "/clients/day?as_of=2026-03-31")
    assert "Balance as of 31 Mar 2026" in told
    assert "To invoice today" in told
    assert "To invoice today" not in text_of(example, "/clients/day")
